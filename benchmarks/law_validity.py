"""Does the law's interval hold what it says, and how often is a true law called a misfit?

    .venv/bin/python benchmarks/law_validity.py > docs/tables/law_validity.md

Plateaus are drawn from a law, recorded every ten steps, censored at a budget, and fitted. Prints the whole
page, which says how. Fewer experiments, by --experiments, are for a quick look.
"""

from __future__ import annotations

import argparse
import math

import numpy as np

from attnsearch.base import RECORDING_INTERVAL, Floats, Plateaus
from attnsearch.stats.law_fit import fit
from attnsearch.stats.scaling_law import Law, NoLaw

SLOPE, SIGMA, BEND = 0.35, 0.5, 0.06
CELLS, RUNS, CENSORED = (3, 6), (8, 16), (0.0, 0.3, 0.6)
LONG, SHORT = 60.0, 8.0
"""Median plateaus in steps at 3 bits: most far above the recording interval, or within a few of it."""


HEAD = """\
# Simulated experiments: does the law's interval cover, and which laws are refused?

Printed by `benchmarks/law_validity.py --experiments {experiments}`.
[Validation](../validation.md) says what follows.

- Plateaus are drawn from a law: each bit multiplies them by 1.42 (slope b = {slope}), sigma = {sigma}.
- The cells lie evenly between 3 and 9 bits.
- Lengths are recorded every ten steps. The stated share exceeds the budget.
- In the last column the log plateau has {bend} x (bits - 6)² more: both ends are 1.7 times too long.
- A row has {experiments:,} experiments.
- Their standard error is {coverage:.1f} points for a coverage, and {refusal:.1f} points for a refusal.
"""

COLUMNS = (
    "cells x runs",
    "censored",
    "medians, steps",
    "no law",
    "interval covers",
    "slope, median",
    "width of the interval",
    "true law refused",
    "bent law refused",
)


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
        f"{censored:.0%}".replace("%", " %"),
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
    parser.add_argument("--experiments", type=int, default=1_000)
    experiments = parser.parse_args().experiments
    coverage, refusal = (100 * math.sqrt(share * (1 - share) / experiments) for share in (0.95, 0.01))
    print(
        HEAD.format(
            experiments=experiments, slope=SLOPE, sigma=SIGMA, bend=BEND, coverage=coverage, refusal=refusal
        )
    )
    print(f"| {' | '.join(COLUMNS)} |")
    print("|---" * len(COLUMNS) + "|", flush=True)
    settings = [(cells, runs, share, LONG) for cells in CELLS for runs in RUNS for share in CENSORED]
    settings += [(4, runs, 0.0, SHORT) for runs in RUNS]
    for setting in settings:
        print(f"| {' | '.join(row(*setting, experiments))} |", flush=True)


if __name__ == "__main__":
    main()
