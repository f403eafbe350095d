"""What early signals tell of waits, on drawn waits with a planted signal and without one."""

from __future__ import annotations

import numpy as np
import pytest

from attnsearch.base import Plateaus
from attnsearch.stats.foretelling import FEWEST_RUNS, Watched, foretelling

BUDGET = 1_000


def drawn(random: np.random.Generator, weight: float, runs: int = 8, targets: int = 4) -> list[Watched]:
    """Runs whose targets wait as their signal says, and with noise; the longest waits are censored."""
    found = []
    for _ in range(runs):
        signal = random.normal(size=targets) + random.normal()
        wait = np.exp(6 + weight * signal + random.normal(size=targets) + random.normal())
        length = np.minimum(wait, BUDGET).astype(np.int64)
        found.append(Watched(signal, Plateaus(length, wait < BUDGET)))
    return found


def test_perfect_order_is_one_and_its_opposite_minus_one() -> None:
    runs = [Watched(np.array([1.0 * n]), Plateaus(np.array([10 * n]), np.array([True]))) for n in range(1, 7)]
    told = foretelling([runs])
    assert told is not None
    # 40 of the 720 orders of six are 11/15 or more from none, which is more than 5 %.
    assert (told.value, told.high, told.runs, told.pairs) == (1, 1, 6, 15)
    assert told.low == pytest.approx(1 - 11 / 15)
    back = foretelling([[run._replace(signal=-run.signal) for run in runs]])
    assert back is not None
    assert back.value == -1
    assert back.tells


def test_groups_are_not_compared_with_each_other() -> None:
    random = np.random.default_rng(0)
    # Between the groups signal and wait go together; within each they have nothing in common.
    low = drawn(random, 0)
    high = [
        Watched(run.signal + 100, Plateaus(run.waited.length * 50, run.waited.observed))
        for run in drawn(random, 0)
    ]
    together, apart = foretelling([low + high]), foretelling([low, high])
    assert together is not None
    assert apart is not None
    assert together.value > 0.3
    assert abs(apart.value) < 0.3


def test_a_wait_without_end_is_only_known_to_be_longer() -> None:
    waits = [(1.0, 10, True), (2.0, 50, False), (3.0, 100, True), (4.0, 100, False)]
    runs = [Watched(np.array([s]), Plateaus(np.array([n]), np.array([ended]))) for s, n, ended in waits]
    told = foretelling([runs])
    assert told is not None
    # 10 before each of three, and 100 before what was still waiting at 100; 50 with no later one.
    assert (told.pairs, told.value) == (4, 1)


def test_a_planted_signal_is_told_and_none_is_not() -> None:
    random = np.random.default_rng(1)
    planted = [foretelling([drawn(random, 1.5), drawn(random, 1.5)]) for _ in range(20)]
    assert all(told is not None and told.low > 0 for told in planted)
    nothing = [foretelling([drawn(random, 0), drawn(random, 0)]) for _ in range(60)]
    false = [told for told in nothing if told is not None and told.tells]
    assert len(false) <= 7


def test_small_groups_do_not_count() -> None:
    random = np.random.default_rng(2)
    large = drawn(random, 1)
    # Alone, each of these would have an interval without width.
    single = [drawn(random, 1, runs=1) for _ in range(8)]
    assert foretelling(single) is None
    assert foretelling([large, *single]) == foretelling([large])


@pytest.mark.parametrize("targets", [1, 4])
def test_few_runs_claim_no_more_than_is_stated(targets: int) -> None:
    random = np.random.default_rng(targets)
    told = [foretelling([drawn(random, 0, FEWEST_RUNS, targets) for _ in range(2)]) for _ in range(100)]
    assert sum(one is not None and one.tells for one in told) <= 9


def test_one_group_of_four_runs_in_perfect_order_is_not_certain() -> None:
    """Two of its 24 orders are as far from none: one of twelve such groups would be claimed."""
    runs = [Watched(np.array([1.0 * n]), Plateaus(np.array([10 * n]), np.array([True]))) for n in range(4)]
    told = foretelling([runs])
    assert told is not None
    assert (told.value, told.low, told.tells) == (1, 0, False)
    several = foretelling([runs, runs])
    assert several is not None
    assert several.tells


def test_a_target_that_no_longer_waits_counts_in_no_pair() -> None:
    random = np.random.default_rng(3)
    runs = drawn(random, 1)
    gone = [run._replace(signal=np.where(np.arange(4) == 0, np.nan, run.signal)) for run in runs]
    fewer = [
        Watched(run.signal[1:], Plateaus(run.waited.length[1:], run.waited.observed[1:])) for run in runs
    ]
    assert foretelling([gone]) == foretelling([fewer])
    found = [run._replace(signal=np.full(4, np.nan)) for run in runs]
    assert foretelling([[*gone, *found]]) == foretelling([gone])


@pytest.mark.parametrize("runs", [0, 3])
def test_too_few_runs_tell_nothing(runs: int) -> None:
    assert foretelling([drawn(np.random.default_rng(0), 1, runs)] if runs else []) is None


def test_no_comparable_pair_tells_nothing() -> None:
    run = Watched(np.ones(2), Plateaus(np.array([5, 5]), np.array([False, False])))
    assert foretelling([[run] * 5]) is None
