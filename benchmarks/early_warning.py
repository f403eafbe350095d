"""Does what can be seen early tell how long a target's search still lasts? A table, from stored runs.

    .venv/bin/python benchmarks/early_warning.py results/ [--step 100,200,500]

At each step, for each target that has not been found yet: its map mass, the entropy of its sharpest head, and
its loss. The rank correlation with the steps until it is found is within cells, so that no difference between
cells counts. Even seeds and odd seeds stand side by side: a signal is said to tell only where both intervals
leave out 0 on the same side.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

import numpy as np

from attnsearch.base import Floats, Integers, Plateaus
from attnsearch.results.cells import Cell, found_of
from attnsearch.results.loading import load
from attnsearch.runs.store import StoredRun
from attnsearch.stats.foretelling import Foretelling, Watched, foretelling

Signal = Callable[[StoredRun, int], Floats | None]
"""`f64[K]` of each mapped target as it was at a step; None where a run does not have it."""


def map_mass(run: StoredRun, step: int) -> Floats | None:
    """The share of the influence on the target that lies on its support."""
    at = _last(run.maps.step, step)
    return None if at is None else run.maps.mass[at].astype(np.float64)


def entropy(run: StoredRun, step: int) -> Floats | None:
    """Of the weights of the head that is sharpest for the target, in nats."""
    at = _last(run.maps.step, step)
    heads = run.heads.entropy
    return None if at is None or not heads.shape[1] else heads[at].min(axis=0).astype(np.float64)


def loss(run: StoredRun, step: int) -> Floats | None:
    """Of the target, in nats."""
    at = _last(run.curves.step, step)
    return (
        None if at is None else run.curves.loss[at, run.truth.is_target][run.truth.mapped].astype(np.float64)
    )


SIGNALS: dict[str, Signal] = {"map mass": map_mass, "entropy of heads": entropy, "loss": loss}


def told(cells: Sequence[Cell], signal: Signal, step: int, parity: int) -> Foretelling | None:
    """What a signal tells at a step, of the runs whose seeds are even (0) or odd (1)."""
    halves = [[run for run in cell.runs if run.spec.seed % 2 == parity] for cell in cells]
    seen = [[watched(run, signal, step) for run in half] for half in halves]
    return foretelling([[one for one in half if one is not None] for half in seen])


def watched(run: StoredRun, signal: Signal, step: int) -> Watched | None:
    """The mapped targets of a run that still wait at `step`."""
    values, waited = signal(run, step), found_of(run)
    if values is None:
        return None
    length, observed = waited.length[run.truth.mapped], waited.observed[run.truth.mapped]
    still = (length > step) & np.isfinite(values)
    return Watched(values[still], Plateaus(length[still], observed[still]))


def table(cells: Sequence[Cell], steps: Sequence[int]) -> str:
    """A line for each signal at each step."""
    lines = ["| step | signal | even seeds | odd seeds | does it tell? |", "|--:|---|---|---|---|"]
    for step in steps:
        for name, signal in SIGNALS.items():
            halves = [told(cells, signal, step, parity) for parity in (0, 1)]
            said = " | ".join(map(_said, halves))
            lines.append(f"| {step:,} | {name} | {said} | {_verdict(halves)} |")
    return "\n".join(lines)


def _said(half: Foretelling | None) -> str:
    if half is None:
        return "too few runs"
    return f"{half.value:+.2f} ({half.low:+.2f} to {half.high:+.2f}), {half.runs} runs"


def _verdict(halves: Sequence[Foretelling | None]) -> str:
    known = [half for half in halves if half is not None and half.tells]
    if len(known) < 2 or known[0].value * known[1].value < 0:
        return "not shown"
    return "the larger, the longer" if known[0].value > 0 else "the larger, the sooner"


def _last(recorded: Integers, step: int) -> int | None:
    """The last recorded point up to `step`."""
    at = int(np.searchsorted(recorded, step, side="right")) - 1
    return None if at < 0 else at


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", help="folders that were given as --out")
    parser.add_argument("--step", default="100,200,500", help="steps at which to look, with commas")
    given = parser.parse_args()
    cells = [cell for cell in load(*given.runs).cells if cell.counts]
    print(table(cells, [int(step) for step in given.step.split(",")]))


if __name__ == "__main__":
    main()
