"""Whatever was recorded, there is a law or a sentence that says why not; never an error or a warning."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.waiting import simulated, waiting

from attnsearch.base import Plateaus
from attnsearch.stats.law_fit import fit
from attnsearch.stats.scaling_law import Law, NoLaw


@pytest.mark.parametrize(
    ("bits", "cells", "reason"),
    [
        ([], [], "not one run was given"),
        ([3.0], [waiting([])], "not one run was given"),
        ([3.0], [waiting([50, 60])], "one search space only (3.0 bits)"),
        ([3.0, 3.0 + 1e-12], [waiting([50, 60]), waiting([50, 60])], "one search space only (3.0 bits)"),
        ([3.0, 4.0], [waiting([], [500, 500]), waiting([], [500])], "none of 3 runs escaped"),
        ([3.0, 4.0], [waiting([], [0]), waiting([], [0])], "none of 2 runs escaped"),
        (
            [3.0, 4.0],
            [waiting([50, 60, 60]), waiting([], [500])],
            "timed at one search space only (3.0 bits)",
        ),
        ([3.0, 4.0], [waiting([10, 10]), waiting([10, 10])], "within the first 10 steps"),
        ([3.0, 4.0], [waiting([10, 10]), waiting([20, 30])], "timed at one search space only (4.0 bits)"),
        ([3.0, 4.0], [waiting([50]), waiting([80])], "2 runs escaped"),
    ],
)
def test_where_there_is_no_law_a_reason_says_why(
    bits: list[float], cells: list[Plateaus], reason: str
) -> None:
    law = fit(bits, cells)
    assert isinstance(law, NoLaw)
    assert reason in law.reason


@pytest.mark.parametrize(
    "cells",
    [
        [waiting([20] * 8), waiting([30] * 8), waiting([50] * 8)],
        [waiting([20] * 8), waiting([30] * 8), waiting([10] * 8)],
        [waiting([10] * 8), waiting([20] * 8), waiting([40] * 8)],
        [waiting([50]), waiting([90]), waiting([170])],
        [waiting([50]), waiting([90]), waiting([], [170, 0])],
        [waiting([50, 60]), waiting([90], [10]), waiting([])],
        [waiting([60], [70]), waiting([], [10_000] * 8), waiting([100, 110])],
        [waiting([10**8, 10**9]), waiting([10, 20]), waiting([10**8], [10**9])],
        [waiting([500] * 3), waiting([500] * 3), waiting([500] * 3)],
    ],
)
def test_whatever_was_recorded_is_no_error(cells: list[Plateaus]) -> None:
    law = fit([3, 4, 5], cells)
    if isinstance(law, Law):
        assert math.isfinite(law.slope)
        assert law.slope_low < law.slope < law.slope_high
        assert 0 < law.sigma < math.inf
        assert law.reason
        assert all(cell.reason for cell in law.residuals)
    else:
        assert law.reason


def test_no_small_set_of_runs_is_an_error() -> None:
    generator = np.random.default_rng(9)
    laws = 0
    for _ in range(30):
        bits = np.round(generator.uniform(0, 12, 4), 1)
        log_median = generator.uniform(0, 6) + generator.uniform(-0.2, 1) * bits
        sigma, budget = 10 ** generator.uniform(-3, 0.5), 10.0 * generator.integers(1, 500)
        cells = simulated(
            generator, log_median.tolist(), int(generator.integers(1, 8)), sigma=sigma, budget=budget
        )
        law = fit(bits.tolist(), cells)
        if isinstance(law, Law):
            laws += 1
            assert law.slope_low < law.slope < law.slope_high
            assert law.sigma > 0
            assert law.reason
    assert laws > 5


@pytest.mark.parametrize(
    ("bits", "cells", "reason"),
    [
        # Thirty times as long for a thousandth of a bit, and nothing speaks against it at the largest.
        (
            [3.0, 3.001, 13.0],
            [waiting([100, 110, 120]), waiting([3000] * 4), waiting([], [4000, 4000])],
            "the runs leave the line open: the likeliest multiplies plateaus by 10^",
        ),
        # A line through the two that are close is beyond all numbers at the third.
        (
            [0.0, 11.9, 12.0],
            [waiting([], [10**8] * 4), waiting([900] * 4), waiting([10, 20, 20])],
            "the runs leave the line open: the likeliest says 10^",
        ),
    ],
)
def test_a_line_beyond_all_numbers_is_no_law(bits: list[float], cells: list[Plateaus], reason: str) -> None:
    law = fit(bits, cells)
    assert isinstance(law, NoLaw)
    assert law.reason.startswith(reason)


def odd_groups(seed: int) -> tuple[list[float], list[Plateaus]]:
    """The search spaces of some cells, close or far, and what was recorded of each: runs alike, or from 0 to
    10^15 steps, of which all, some or none escape."""
    random = np.random.default_rng(seed)
    number = int(random.integers(1, 7))
    kinds = (
        random.uniform(0, 40, number),
        random.choice([0.0, 1.0, 3.0, 3.0000001, 12.0, 1000.0], number),
        3 + 10.0 ** random.integers(-7, 3, number),
        np.round(random.uniform(0, 12, number), 1),
    )
    bits = kinds[random.integers(len(kinds))]
    longest = 10 ** random.uniform(1, random.choice([2, 4, 6, 9, 15]))
    cells = []
    for _ in range(number):
        runs = int(random.integers(0, 9))
        lengths = (
            np.full(runs, longest),
            10 * random.integers(0, 4, runs),
            10 * np.ceil(10 ** random.uniform(0, np.log10(longest), runs) / 10),
            random.choice([0, 10, 10**4, 10**9, 10**15], runs),
        )
        length = np.asarray(lengths[random.integers(len(lengths))]).astype(np.int64)
        observed = random.random(runs) < random.choice([0, 0.5, 1])
        cells.append(Plateaus(np.where(observed, np.maximum(length, 1), length), observed))
    return bits.tolist(), cells


SEEDS = (*range(50), 106, 175, 216, 218, 262, 329, 338, 397, 406)
"""Fifty, and some at which numbers once overflowed, or the search for an interval found none."""


def test_no_odd_group_is_an_error() -> None:
    laws = 0
    for seed in SEEDS:
        law = fit(*odd_groups(seed))
        assert law.reason, seed
        if isinstance(law, Law):
            laws += 1
            said = (law.slope, law.intercept, law.sigma, law.factors[0])
            said += tuple(number for cell in law.residuals for number in (cell.by_law, cell.factor or 1.0))
            assert np.isfinite(said).all(), seed
            assert law.slope_low <= law.slope <= law.slope_high, seed
            assert all(cell.reason for cell in law.residuals), seed
            assert all(p is None or 0 <= p <= 1 for p in (law.lack_of_fit, law.curvature, law.p_value)), seed
    assert laws > len(SEEDS) // 4
