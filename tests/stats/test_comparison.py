"""Two groups beside one another: their ratio, its interval, and what is said of them."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict, replace
from math import comb

import numpy as np
import pytest
from helpers.waiting import NEVER, ODD, TOGETHER, drawn, waiting

from attnsearch.base import AttnsearchError, Plateaus
from attnsearch.stats import permutation
from attnsearch.stats.comparison import (
    RESAMPLES,
    SIGNIFICANCE,
    Comparison,
    benjamini_hochberg,
    compare,
    resamples,
)
from attnsearch.stats.log_rank import log_rank
from attnsearch.stats.survival import cut, summarise, unseen

# The ratio.


@pytest.mark.parametrize("runs", [5, 8, 12, 25])
def test_the_order_of_runs_changes_nothing(runs: int) -> None:
    one, other = drawn(0, runs, median=520), drawn(1, runs + 3)
    backwards = Plateaus(one.length[::-1], one.observed[::-1])
    assert compare(backwards, other) == compare(one, other)


def test_a_longer_budget_is_no_difference() -> None:
    short, long = drawn(0, 12, budget=400), drawn(1, 12, budget=10_000)
    seen = cut(long, 400)
    assert compare(short, long) == compare(short, seen)
    # Nor is one that only some of the longer group's runs would have needed.
    assert compare(short, long, 10_000) == compare(short, seen)
    assert compare(short, long).horizon == 400


def test_the_ratio_is_that_of_the_restricted_means() -> None:
    one, other = drawn(0, 16, median=520), drawn(1, 12)
    found = compare(one, other, 600)
    assert found.runs == (16, 12)
    expected = summarise(one, 600).restricted_mean / summarise(other, 600).restricted_mean
    assert found.ratio == pytest.approx(expected)
    assert found.low < found.ratio < found.high
    test = log_rank(cut(one, 600), cut(other, 600))
    assert (found.p_value, found.method, found.least) == (test.p_value, test.method, test.least)


def test_comparing_again_gives_the_same_numbers() -> None:
    one, other = drawn(0, 16, median=520), drawn(1, 12)
    found = compare(one, other, 600)
    resamples.cache_clear()
    permutation.deals.cache_clear()
    assert compare(one, other, 600) == found


def test_resamples_are_of_as_many_runs_and_streams_differ() -> None:
    counts = resamples(7, 0)
    assert counts.shape == (RESAMPLES, 7)
    assert (counts.sum(axis=1) == 7).all()
    assert (counts != resamples(7, 1)).any()


def test_a_group_beside_itself_is_not_separable() -> None:
    group = drawn(0, 16)
    found = compare(group, group, 600)
    assert (found.ratio, found.verdict()) == (1, "not separable")
    assert found.p_value > 0.95
    assert found.low < 1 < found.high


def test_longer_and_shorter_in_words() -> None:
    slow, fast = drawn(0, 16, median=700, budget=2000), drawn(1, 16, budget=2000)
    longer, shorter = compare(slow, fast, 2000), compare(fast, slow, 2000)
    assert (longer.verdict(), shorter.verdict()) == ("longer", "shorter")
    assert shorter.ratio == pytest.approx(1 / longer.ratio)
    # Two streams of draws: the intervals mirror one another but for that.
    assert (shorter.low, shorter.high) == pytest.approx((1 / longer.high, 1 / longer.low), rel=0.05)
    # Adjusted for many comparisons, it may be nothing.
    assert longer.verdict(0.2) == "not separable"
    assert replace(longer, low=0.9).verdict() == "different, ratio open"
    assert replace(longer, least=SIGNIFICANCE + 0.01).verdict() == "too few data to tell"


def test_curves_that_cross_are_not_told_apart_by_their_area_or_a_log_rank_test() -> None:
    steady, erratic = waiting([500] * 16), waiting([100] * 8, [1000] * 8)
    found = compare(erratic, steady, 1000)
    assert found.ratio == pytest.approx(1.1)
    assert found.low < 1 < found.high
    assert found.verdict() == "not separable"


# Where there is little to go by: defined answers, as JSON takes them, and never a warning.


@pytest.mark.parametrize("horizon", [None, 1, 200, 100_000])
def test_every_pair_of_odd_groups_has_an_answer(horizon: int | None) -> None:
    for one, other in itertools.product(ODD, repeat=2):
        found = compare(one, other, horizon)
        json.dumps(asdict(found), allow_nan=False)
        assert 0 < found.low <= found.ratio <= found.high
        assert 0 < found.p_value <= 1
        assert isinstance(found.verdict(), str)


def test_two_groups_that_never_ended_are_equal_as_far_as_is_known() -> None:
    found = compare(NEVER, NEVER)
    assert (found.ratio, found.p_value, found.least) == (1, 1, 1)
    assert found.verdict() == "too few data to tell"
    # At most a share of unseen runs ended at once, in the one group or in the other.
    missed = 1 - unseen(8)
    assert missed < found.low < 1 < found.high < 1 / missed


def test_never_beside_soon_is_longer() -> None:
    found = compare(NEVER, TOGETHER)
    assert (found.ratio, found.horizon) == (5, 1000)
    assert found.verdict() == "longer"
    assert found.p_value == pytest.approx(1 / comb(16, 8))
    assert compare(TOGETHER, NEVER).verdict() == "shorter"


def test_two_groups_that_ended_at_one_step_are_not_separable() -> None:
    found = compare(TOGETHER, TOGETHER, 10_000)
    assert (found.ratio, found.p_value, found.verdict()) == (1, 1, "not separable")
    # Known but for the rounding to recorded points.
    assert 0.97 < found.low < 1 < found.high < 1.03


def test_single_runs_tell_nothing() -> None:
    found = compare(waiting([200]), waiting([300]), 10_000)
    assert found.verdict() == "too few data to tell"
    assert (found.ratio, found.p_value, found.least) == (pytest.approx(2 / 3), 1, 1)
    assert found.low < 0.01
    assert found.high > 100


@pytest.mark.parametrize(("runs", "told"), [(2, False), (3, False), (4, True)])
def test_below_four_runs_a_side_no_difference_can_show(runs: int, told: bool) -> None:
    found = compare(waiting([9000] * runs), waiting([10] * runs), 10_000)
    assert found.least == pytest.approx(2 / comb(2 * runs, runs))
    assert found.p_value == pytest.approx(found.least / 2)
    assert (found.verdict() == "longer") == told
    assert (found.verdict() == "too few data to tell") == (not told)


def test_no_runs_are_an_error() -> None:
    for pair, missing in (((NEVER, waiting([])), "reference"), ((waiting([]), NEVER), "candidate")):
        with pytest.raises(AttnsearchError, match=f"the {missing} has no runs"):
            compare(*pair)
    with pytest.raises(AttnsearchError, match="ended after 0 steps"):
        compare(waiting([0, 10]), NEVER)


# Level and cover, roughly; the exact figures are measured by benchmarks/validity.py.


@pytest.mark.parametrize(("runs", "budget"), [(8, 450), (8, 10_000), (16, 450)])
def test_intervals_cover_and_tests_keep_their_level(runs: int, budget: int) -> None:
    found: list[Comparison] = []
    for seed in range(300):
        one, other = drawn(2 * seed, runs, budget=budget), drawn(2 * seed + 1, runs, budget=budget)
        found.append(compare(one, other, budget))
    # Of 300, four deviations.
    assert 0.90 <= np.mean([one.low <= 1 <= one.high for one in found]) < 1
    assert 0 < np.mean([one.p_value <= 0.05 for one in found]) <= 0.1


# Many cells.


def test_benjamini_and_hochberg() -> None:
    # The largest is kept; each other is scaled by its rank, and never exceeds the one above.
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])
    assert benjamini_hochberg([0.2]) == pytest.approx([0.2])
    assert benjamini_hochberg([1, 1]).tolist() == [1, 1]
    assert benjamini_hochberg([]).shape == (0,)
