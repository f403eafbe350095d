"""Whether the intervals cover and the tests keep their level, in simulated experiments shaped like ours.

    .venv/bin/python benchmarks/validity.py > docs/tables/validity.md

Plateau lengths are log-normal, sigma 0.5, recorded every ten steps, and censored at a budget that 0, 30 or
60 % of the runs exceed (of two groups that differ: of the longer one). Prints the whole page, and on stderr
how long it took. Fewer experiments, by --experiments, are for a quick look.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache

import numpy as np
from scipy import special

from attnsearch.base import RECORDING_INTERVAL, Plateaus
from attnsearch.stats.comparison import SIGNIFICANCE, compare
from attnsearch.stats.log_rank import log_rank
from attnsearch.stats.per_target import target_spread
from attnsearch.stats.survival import cut, proportion, summarise

MEDIAN = 405.0
"""Steps; between two recorded points, so that the recorded median is no tie."""

SIGMA = 0.5
CENSORED = (0.0, 0.3, 0.6)
RUNS = ((8, 8), (16, 16), (32, 32), (8, 32))
"""Of the reference and of the candidate."""

COVERED = (1.0, 2.0)
"""Ratios of the candidate's lengths to the reference's, of which the interval is tried."""

LONGER = (1.5, 2.0)
"""Ratios that the tests are to find."""

GROUPS_A_PAIR = 5
LEVELS_A_PAIR = 2
"""Experiments for each with an interval of a ratio, which takes longest: of one group, and of tests alone."""

TARGETS = 16
TARGET_SIGMA, RUN_SIGMA = 0.5, 0.4

COVERAGE = (0.93, 0.97)
LEVEL = (0.04, 0.06)

HEAD = """\
# Simulated experiments: do the intervals cover, and do the tests keep their level?

Printed by `benchmarks/validity.py --experiments {experiments}`, three minutes on one core.
[Validation](../validation.md) says what follows.

- Plateau lengths are log-normal, sigma 0.5, and recorded every ten steps.
- 0, 30 or 60 % of the runs exceed the budget; where two groups differ, this share of the longer one.
- A row has {experiments:,} experiments, {groups:,} of one group, {levels:,} of a test without a difference.
- Brackets hold the 95 % interval that so many experiments leave open.
- Two sizes are the runs of the reference and of the candidate.
- Intervals aim at 93 to 97 %, tests at 4 to 6 %. ! marks a rate that misses its aim."""

Counts = Mapping[str, list[bool]]
Aim = tuple[float, float] | None


def waiting_share(step: float, median: float, sigma: float = SIGMA) -> float:
    """Of runs still waiting after `step`."""
    return float(special.ndtr(math.log(median / step) / sigma))


def budget_for(censored: float, median: float) -> int:
    """Steps that the share `censored` of runs exceeds; far beyond all of them for none."""
    exact = median * math.exp(-SIGMA * special.ndtri(censored)) if censored else 20 * median
    return round(exact / RECORDING_INTERVAL) * RECORDING_INTERVAL


@cache
def true_mean(median: float, budget: int) -> float:
    """Restricted mean of recorded lengths."""
    shares = [waiting_share(step, median) for step in range(RECORDING_INTERVAL, budget, RECORDING_INTERVAL)]
    return RECORDING_INTERVAL * (1 + math.fsum(shares))


@cache
def true_median(median: float, budget: int, sigma: float = SIGMA) -> float:
    """Of recorded lengths; infinite beyond the budget."""
    steps = range(RECORDING_INTERVAL, budget + 1, RECORDING_INTERVAL)
    return next((step for step in steps if waiting_share(step, median, sigma) <= 0.5), math.inf)


def recorded(lengths: np.ndarray, budget: int) -> Plateaus:
    """Rounded up to recorded points, and censored."""
    points = np.ceil(lengths / RECORDING_INTERVAL).astype(np.int64) * RECORDING_INTERVAL
    return Plateaus(np.minimum(points, budget), points <= budget)


def group(drawing: np.random.Generator, runs: int, median: float, budget: int) -> Plateaus:
    """One simulated group."""
    return recorded(median * np.exp(SIGMA * drawing.standard_normal(runs)), budget)


def covers(low: float | None, high: float | None, true: float) -> bool:
    """Whether the interval holds `true`; a limit that is not reached is infinite."""
    return (math.inf if low is None else low) <= true <= (math.inf if high is None else high)


def group_experiment(drawing: np.random.Generator, runs: int, censored: float, counts: Counts) -> None:
    """One group in numbers."""
    budget = budget_for(censored, MEDIAN)
    one = summarise(group(drawing, runs, MEDIAN, budget), budget)
    mean, median = true_mean(MEDIAN, budget), true_median(MEDIAN, budget)
    escaped = round(1 - waiting_share(budget, MEDIAN), 9)
    counts["restricted mean"].append(covers(one.restricted_mean_low, one.restricted_mean_high, mean))
    counts["median"].append(covers(one.median_low, one.median_high, median))
    counts["escape rate"].append(covers(one.ended.low, one.ended.high, escaped))


def pair(
    drawing: np.random.Generator, runs: tuple[int, int], censored: float, ratio: float
) -> tuple[Plateaus, Plateaus, int]:
    """A candidate that takes `ratio` times as long, its reference, and their budget."""
    budget = budget_for(censored, MEDIAN * ratio)
    reference = group(drawing, runs[0], MEDIAN, budget)
    return group(drawing, runs[1], MEDIAN * ratio, budget), reference, budget


def pair_experiment(
    drawing: np.random.Generator, runs: tuple[int, int], censored: float, counts: Counts
) -> None:
    """The ratio, and whether a difference is found."""
    for ratio in COVERED:
        candidate, reference, budget = pair(drawing, runs, censored, ratio)
        both = compare(candidate, reference, budget)
        true = true_mean(MEDIAN * ratio, budget) / true_mean(MEDIAN, budget)
        counts[f"ratio at {ratio:g}"].append(covers(both.low, both.high, true))
    for ratio in LONGER:
        counts[f"at {ratio:g}"].append(rejected(*pair(drawing, runs, censored, ratio)))


def level_experiment(
    drawing: np.random.Generator, runs: tuple[int, int], censored: float, counts: Counts
) -> None:
    """Candidates that are as long as the reference."""
    counts["rejections"].append(rejected(*pair(drawing, runs, censored, 1)))


def rejected(candidate: Plateaus, reference: Plateaus, budget: int) -> bool:
    """Whether the test finds a difference."""
    return log_rank(cut(candidate, budget), cut(reference, budget)).p_value <= SIGNIFICANCE


def target_experiment(drawing: np.random.Generator, runs: int, counts: Counts) -> None:
    """Runs of targets that depend on one another."""
    lengths = MEDIAN * np.exp(
        RUN_SIGMA * drawing.standard_normal((runs, 1))
        + TARGET_SIGMA * drawing.standard_normal((runs, TARGETS))
    )
    budget = budget_for(0, MEDIAN)
    spread = target_spread([recorded(run, budget) for run in lengths])
    sigma = math.hypot(RUN_SIGMA, TARGET_SIGMA)
    for at in spread.steps:
        median = MEDIAN * math.exp(-sigma * special.ndtri(at.waiting))
        name = f"{1 - at.waiting:.0%} found"
        counts[name].append(covers(at.low, at.high, true_median(median, budget, sigma)))


def rate(hits: Iterable[bool], aim: Aim) -> str:
    """In percent, with its interval and a mark where it misses its aim."""
    found = list(hits)
    share = proportion(sum(found), len(found))
    missed = aim is not None and not aim[0] <= share.rate <= aim[1]
    return f"{100 * share.rate:.1f}{'!' * missed} ({100 * share.low:.1f} to {100 * share.high:.1f})"


def show(title: str, names: Mapping[str, Aim], rows: Mapping[str, Counts]) -> None:
    """One section with its table."""
    print(f"\n## {title}\n")
    print(f"| runs, censored | {' | '.join(names)} |")
    print(f"|---|{'---:|' * len(names)}")
    for label, counts in rows.items():
        print(f"| {label} | {' | '.join(rate(counts[name], aim) for name, aim in names.items())} |")


def main() -> None:
    """Simulate every cell, then print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--experiments", type=int, default=2_000)
    experiments, start = parser.parse_args().experiments, time.process_time()
    groups: dict[str, Counts] = {}
    pairs: dict[str, Counts] = {}
    targets: dict[str, Counts] = {}
    for runs, censored in itertools.product(RUNS, CENSORED):
        even = runs[0] == runs[1]
        label = f"{runs[0] if even else f'{runs[0]} and {runs[1]}'}, {censored:.0%}"
        drawing = np.random.default_rng([*runs, round(100 * censored)])
        if even:
            groups[label] = defaultdict(list)
            for _ in range(GROUPS_A_PAIR * experiments):
                group_experiment(drawing, runs[0], censored, groups[label])
        if even and not censored:
            targets[label] = defaultdict(list)
            for _ in range(experiments):
                target_experiment(drawing, runs[0], targets[label])
        pairs[label] = defaultdict(list)
        for _ in range(LEVELS_A_PAIR * experiments):
            level_experiment(drawing, runs, censored, pairs[label])
        for _ in range(experiments):
            pair_experiment(drawing, runs, censored, pairs[label])
    print(
        HEAD.format(
            experiments=experiments, groups=GROUPS_A_PAIR * experiments, levels=LEVELS_A_PAIR * experiments
        )
    )
    one: dict[str, Aim] = dict.fromkeys(("restricted mean", "median", "escape rate"), COVERAGE)
    show("One group: coverage of 95 % intervals, in percent", one, groups)
    both: dict[str, Aim] = dict.fromkeys((f"ratio at {ratio:g}" for ratio in COVERED), COVERAGE)
    show("Ratio of restricted means: coverage of 95 % intervals, in percent", both, pairs)
    level: dict[str, Aim] = {"rejections": LEVEL}
    show("Log-rank test without a difference: rejections at 5 %, in percent", level, pairs)
    power = dict.fromkeys(f"at {ratio:g}" for ratio in LONGER)
    show("Log-rank test of candidates that wait longer: rejections at 5 %, in percent", power, pairs)
    found: dict[str, Aim] = dict.fromkeys(targets["8, 0%"], COVERAGE)
    show("Steps at which targets are found: coverage of 95 % intervals, in percent", found, targets)
    print(f"{time.process_time() - start:.0f} s of one core", file=sys.stderr)


if __name__ == "__main__":
    main()
