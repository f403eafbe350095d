"""Waiting times against published data; the censored count as still waiting, never as values."""

from __future__ import annotations

import numpy as np
import pytest

from attnsearch.base import Plateaus
from attnsearch.survival import Waiting, pool, summarise

# Weeks of remission in acute leukaemia, Freireich et al. 1963, Blood 21: 699-716, on 6-mercaptopurine
# and on placebo; the standard example of the Kaplan-Meier curve.
TREATED = ([6, 6, 6, 7, 10, 13, 16, 22, 23], [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35])
PLACEBO = ([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23], [])


def waiting(ended: list[int], censored: list[int]) -> Plateaus:
    return Plateaus(np.array(ended + censored, int), np.arange(len(ended) + len(censored)) < len(ended))


@pytest.mark.parametrize(
    ("ended", "censored", "expected"),
    [
        (*TREATED, Waiting(21, 9, 23, 6, 23)),
        (*PLACEBO, Waiting(21, 21, 8, 1, 23)),
        # Alone.
        ([70], [], Waiting(1, 1, 70, 70, 70)),
        ([], [70], Waiting(1, 0, None, None, None)),
        ([], [], Waiting(0, 0, None, None, None)),
        # Never, and half of the runs never: 1/2 is reached, less is not.
        ([], [90] * 8, Waiting(8, 0, None, None, None)),
        ([10, 20], [90, 90], Waiting(4, 2, 20, 10, 20)),
        ([10, 20], [90, 90, 90], Waiting(5, 2, None, 10, 20)),
        ([10] * 500, [90] * 501, Waiting(1001, 500, None, 10, 10)),
        # The smallest time at which half have ended, and no mean of two.
        ([10, 20, 30, 40], [], Waiting(4, 4, 20, 10, 40)),
        ([10, 20, 30], [], Waiting(3, 3, 20, 10, 30)),
        # One half exactly, as 9/10 x 5/6 x 2/3: three of ten ended, and most others left before the last.
        ([1, 3, 5], [2, 2, 2, 4, 4, 6, 6], Waiting(10, 3, 5, 1, 5)),
        ([10, 20, 30, 40, 50, 60], [60] * 6, Waiting(12, 6, 60, 10, 60)),
        # Ties: of two that end together, and of an end with a censoring, which comes after it.
        ([20, 20, 20], [20], Waiting(4, 3, 20, 20, 20)),
        ([10, 10], [10, 10], Waiting(4, 2, 10, 10, 10)),
        ([10, 20, 20], [10], Waiting(4, 3, 20, 10, 20)),
        # Whoever left early had not ended: 3/4, then 3/4 x 1/2.
        ([10, 30], [20, 40], Waiting(4, 2, 30, 10, 30)),
        ([10, 30], [5, 5, 5, 40], Waiting(6, 2, 30, 10, 30)),
    ],
)
def test_waiting_in_a_few_numbers(ended: list[int], censored: list[int], expected: Waiting) -> None:
    plateaus = waiting(ended, censored)
    found = summarise(plateaus)
    assert found == expected
    assert found.censored == len(censored)
    # In any order.
    order = np.random.default_rng(0).permutation(len(plateaus.length))
    assert summarise(Plateaus(plateaus.length[order], plateaus.observed[order])) == expected


@pytest.mark.parametrize("runs", range(2, 40, 2))
def test_half_of_the_runs_reach_one_half_whatever_the_rounding(runs: int) -> None:
    ended = list(range(10, 10 + runs // 2))
    assert summarise(waiting(ended, [1000] * (runs // 2))).median == ended[-1]


def test_a_longer_budget_of_censored_runs_changes_nothing() -> None:
    short = summarise(waiting([100, 200, 300], [400, 400]))
    assert summarise(waiting([100, 200, 300], [400_000, 10_000])) == short
    assert short == Waiting(5, 3, 300, 100, 300)


def test_pooled_groups_are_one_group() -> None:
    groups = [waiting([10, 20], [30]), waiting([], [40]), waiting([5], [])]
    pooled = pool(group for group in groups)
    assert pooled.length.tolist() == [10, 20, 30, 40, 5]
    assert pooled.observed.tolist() == [True, True, False, False, True]
    assert summarise(pooled) == Waiting(5, 3, 20, 5, 20)
