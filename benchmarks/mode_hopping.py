"""Do networks hop between a shallow and a general route? A table of stored runs, one row each.

    attnsearch run --task competing_routes --share 90,95,98 --seeds 2 --steps 1500 --out results
    python benchmarks/mode_hopping.py results

At each recorded point, the margin on probe items says which route a network takes: the log-probability of
the general answer, less the log-probability of the shallow one. Map mass is the share of the influence that
lies on a route, at the end.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from attnsearch.results.route_columns import dwells, hops_in_1000_steps, route_masses
from attnsearch.runs.opened import Opener
from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec.names import Names
from attnsearch.stats.hopping import GENERAL, SHALLOW, UNCERTAIN, Hopping

HEAD = """\
| run | general | shallow | uncertain | hops | hops in 1,000 steps | longest dwell, steps \
| agreeing items right | map mass, shallow | general |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"""


def row(name: str, run: StoredRun, found: Hopping) -> str:
    """One line of the table."""
    shares = " | ".join(f"{100 * found.occupancy(mode):.0f} %" for mode in (GENERAL, SHALLOW, UNCERTAIN))
    rate = f"{hops_in_1000_steps(found):.2f}" if len(found.settled) else "never settled"
    masses = route_masses(run)
    mass = " | ".join(f"{masses[route]:.2f}" if route in masses else "–" for route in ("shallow", "general"))
    right = 100 * run.contests.agreement[-1]
    return f"| {name} | {shares} | {found.hops} | {rate} | {longest(found)} | {right:.0f} % | {mass} |"


def longest(found: Hopping) -> str:
    """The longest stretch; with a plus where the record ended before it."""
    if not len(found.settled):
        return "–"
    stretches = dwells(found)
    place = stretches.length.argmax()
    return f"{stretches.length[place]:,}{'' if stretches.observed[place] else '+'}"


def page(folder: Path) -> str:
    """The table of every run in `folder` in whose task routes compete."""
    runs = list(Store(folder).runs(lambda line: print(line, file=sys.stderr), Opener()))
    found = [(run, run.hopping) for run in runs if run.hopping is not None]
    names = Names(run.spec.cell for run, _ in found)
    rows = [row(names.run(run.spec), run, hopping) for run, hopping in found if hopping is not None]
    return "\n".join([HEAD, *sorted(rows)])


def main() -> None:
    """Print one row a run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="what was given as --out")
    print(page(parser.parse_args().folder))


if __name__ == "__main__":
    main()
