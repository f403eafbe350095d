"""How often early signals claim something where nothing tells, and how often they find a planted signal.

    .venv/bin/python benchmarks/foretelling.py > docs/tables/foretelling.md

Waits and signals are drawn, and no network is trained. Prints the whole page, and on stderr how long it took.
Fewer --experiments are for a quick look.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import time
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from attnsearch.base import RECORDING_INTERVAL, Plateaus
from attnsearch.results.early_signals import HALVES, SIGNALS, EarlySignal
from attnsearch.stats.foretelling import Watched, foretelling
from attnsearch.stats.survival import proportion

SIGNALS_OF = ((1, 0.5), (4, 0.5), (16, 0.5), (16, 1.0))
"""Targets of a run, and the share of the variance of a signal that is one number for all of them."""

SIZES = ((1, 4), (1, 8), (3, 4), (3, 8))
"""Cells, and runs of each half of their seeds."""

MOST = 200
"""Targets of a half: with more, a row takes minutes."""

MEDIAN, RUN_SIGMA, TARGET_SIGMA = 405.0, 0.5, 0.5
"""Steps, and deviations of the logarithm of a wait between runs and between the targets of a run."""

CENSORED = 0.4
"""Share of the targets that wait beyond the budget, on average."""

PLANTED = 0.5
"""What a deviation of the planted signal adds to the logarithm of a wait."""

CORRELATION = PLANTED / math.hypot(PLANTED, RUN_SIGMA, TARGET_SIGMA)

HEAD = """\
# Simulated early signals: how often is something claimed where nothing tells?

Printed by `benchmarks/foretelling.py --experiments {experiments}`.
[Statistics](../statistics.md#early-signals) says how intervals are made, and when a signal tells.

- Waits are log-normal, with a part that all targets of a run share and a part of each target, sigma {sigma}
  both. On average {censored:.0%} of the targets wait beyond the budget.
- A signal of each target has two such parts as well, of equal weight. A signal of the run, such as the norm
  of updates, is one number for all of its targets.
- In the first two columns of rates the signal has nothing to do with the waits.
- *One half claims* counts the halves whose interval leaves out 0. It should be at most 5 %.
- *Both claim* counts the experiments in which a table would say that the signal tells.
- *Found* counts the same where each deviation of the signal adds {planted} to the logarithm of the wait, a
  correlation of {correlation:.2f}.
- A row has {experiments:,} experiments. Brackets hold the 95 % interval that so many leave open.

| targets of a run | signal of | cells | runs of a half | one half claims, % | both claim, % | found, % |
|--:|---|--:|--:|--:|--:|--:|"""


class Design(NamedTuple):
    """What is drawn in the experiments of a row: see `SIGNALS_OF` and `SIZES`."""

    targets: int
    shared: float
    cells: int
    runs: int


def half_of_cell(drawing: np.random.Generator, design: Design, planted: float) -> list[Watched]:
    """The runs of one half of the seeds of a cell."""
    noise = drawing.standard_normal((4, design.runs, design.targets))
    # The first number of a run stands for the part that its targets share.
    signal = math.sqrt(1 - design.shared) * noise[0] + math.sqrt(design.shared) * noise[1, :, :1]
    wait = TARGET_SIGMA * noise[2] + RUN_SIGMA * noise[3, :, :1] + planted * signal
    points = (np.ceil(MEDIAN * np.exp(wait) / RECORDING_INTERVAL) * RECORDING_INTERVAL).astype(np.int64)
    spread = math.hypot(planted, RUN_SIGMA, TARGET_SIGMA)
    budget = int(MEDIAN * math.exp(NormalDist().inv_cdf(1 - CENSORED) * spread))
    waited = np.minimum(points, budget)
    return [Watched(signal[run], Plateaus(waited[run], points[run] <= budget)) for run in range(design.runs)]


class Claims(NamedTuple):
    """Who claims something in one experiment: the halves, each alone, and a table."""

    even: bool
    odd: bool
    both: bool


def experiment(drawing: np.random.Generator, design: Design, planted: float) -> Claims:
    """What would be said of one signal at one step."""
    even, odd = (
        foretelling([half_of_cell(drawing, design, planted) for _ in range(design.cells)]) for _ in HALVES
    )
    if even is None or odd is None:  # hardly a target ended, and a table has no such row
        return Claims(False, False, False)
    return Claims(even.tells, odd.tells, EarlySignal(SIGNALS[0], 0, even, odd).tells)


def rate(hits: Sequence[bool]) -> str:
    """In percent, with its interval."""
    share = proportion(sum(hits), len(hits))
    return f"{100 * share.rate:.1f} ({100 * share.low:.1f} to {100 * share.high:.1f})"


def row(experiments: int, design: Design) -> str:
    """A line of the table."""
    drawing = np.random.default_rng([design.targets, int(design.shared), design.cells, design.runs])
    nothing, planted = (
        [experiment(drawing, design, weight) for _ in range(experiments)] for weight in (0.0, PLANTED)
    )
    rates = (
        rate([half for one in nothing for half in (one.even, one.odd)]),
        rate([one.both for one in nothing]),
        rate([one.both for one in planted]),
    )
    of = "the run" if design.shared == 1 else "each target"
    return f"| {design.targets} | {of} | {design.cells} | {design.runs} | {' | '.join(rates)} |"


def main() -> None:
    """Simulate every row, and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--experiments", type=int, default=1_000, help="of each row  [default: 1000]")
    experiments, start = parser.parse_args().experiments, time.process_time()
    print(
        HEAD.format(
            experiments=experiments,
            sigma=RUN_SIGMA,
            censored=CENSORED,
            planted=PLANTED,
            correlation=CORRELATION,
        )
    )
    for signal, size in itertools.product(SIGNALS_OF, SIZES):
        design = Design(*signal, *size)
        if design.targets * design.cells * design.runs <= MOST:
            print(row(experiments, design), flush=True)
    print(f"{time.process_time() - start:.0f} s of one core", file=sys.stderr)


if __name__ == "__main__":
    main()
