"""Does the law's interval hold what it says, and how often is a true law called a misfit?

    .venv/bin/python benchmarks/law_validity.py [--experiments 200]

Plateaus are drawn from the law (each bit multiplies them by 1.42, sigma = 0.5) at search spaces of 3 to 9
bits, recorded every ten steps and censored at the budget that censors the stated share; then they are fitted.
In the last column their logarithm has 0.06 x (bits - 6)² more: the smallest and the largest are 1.7 times too
long.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
from rich.console import Console
from rich.table import Table

from attnsearch.base import RECORDING_INTERVAL, Floats, Plateaus
from attnsearch.stats.scaling_law import Law, NoLaw, fit

SLOPE, SIGMA, BEND = 0.35, 0.5, 0.06
CELLS, RUNS, CENSORED = (3, 6), (8, 16), (0.0, 0.3, 0.6)
LONG, SHORT = 60.0, 8.0
"""Median plateaus in steps at 3 bits: most far above the recording interval, or within a few of it."""


def draw(generator: np.random.Generator, log_median: Floats, runs: int, budget: float) -> list[Plateaus]:
    """A cell for each of `log_median`, as it would be recorded."""
    cells = []
    for middle in log_median:
        steps = np.exp(middle + SIGMA * generator.standard_normal(runs))
        observed = steps <= budget
        recorded = np.ceil(np.minimum(steps, budget) / RECORDING_INTERVAL) * RECORDING_INTERVAL
        cells.append(Plateaus(recorded.astype(np.int64), observed))
    return cells


def budget_of(log_median: Floats, censored: float) -> float:
    """The steps after which that share of runs still wait."""
    if not censored:
        return math.inf
    noise = SIGMA * np.random.default_rng(0).standard_normal((100_000, 1))
    steps = float(np.quantile(np.exp(log_median + noise), 1 - censored))
    return RECORDING_INTERVAL * max(1, round(steps / RECORDING_INTERVAL))


def row(cells: int, runs: int, censored: float, shortest: float, experiments: int) -> list[str]:
    """What became of that many experiments."""
    generator = np.random.default_rng(cells * 100 + runs)
    bits = np.linspace(3, 9, cells)
    log_median = math.log(shortest) + SLOPE * (bits - 3)
    bent = log_median + BEND * (bits - 6) ** 2
    budget = budget_of(log_median, censored)
    fits = [fit(bits.tolist(), draw(generator, log_median, runs, budget)) for _ in range(experiments)]
    laws = [law for law in fits if isinstance(law, Law)]
    covered = [law.slope_low <= SLOPE <= law.slope_high for law in laws]
    width = np.median([law.slope_high - law.slope_low for law in laws])
    false_alarms = [law.fits is False for law in laws]
    detected = [
        not isinstance(law, NoLaw) and law.fits is False
        for law in (fit(bits.tolist(), draw(generator, bent, runs, budget)) for _ in range(experiments))
    ]
    return [
        f"{cells} x {runs}",
        f"{censored:.0%}",
        f"{shortest:.0f} to {math.exp(log_median[-1]):.0f}",
        str(experiments - len(laws)),
        f"{100 * np.mean(covered):.1f} %",
        f"{np.median([law.slope for law in laws]):.3f}",
        f"{width:.2f}",
        f"{100 * np.mean(false_alarms):.1f} %",
        f"{100 * np.mean(detected):.0f} %",
    ]


def main() -> None:
    """One row for each setting, printed as it comes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--experiments", type=int, default=200)
    arguments = parser.parse_args()
    shown = Table("cells x runs", "censored", "medians (steps)", "no law", "interval covers")
    for heading in ("median slope", "width", "true law refused", "bent law refused"):
        shown.add_column(heading)
    settings = [(cells, runs, share, LONG) for cells in CELLS for runs in RUNS for share in CENSORED]
    settings += [(4, runs, 0.0, SHORT) for runs in RUNS]
    for setting in settings:
        shown.add_row(*row(*setting, arguments.experiments))
    console = Console(width=140)
    console.print(shown)
    console.print(f"{arguments.experiments} experiments a row; the true slope is {SLOPE}")


if __name__ == "__main__":
    main()
