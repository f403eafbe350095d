"""Two groups beside one another: against published data, lifelines, and every permutation written out."""

from __future__ import annotations

import itertools
import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict, replace
from math import comb

import numpy as np
import pytest

from attnsearch.base import AttnsearchError, Plateaus
from attnsearch.stats import comparison
from attnsearch.stats.comparison import (
    ASYMPTOTIC_FROM,
    DRAWS,
    RESAMPLES,
    SIGNIFICANCE,
    SPLITS,
    Alternative,
    Comparison,
    LogRank,
    benjamini_hochberg,
    compare,
    log_rank,
    resamples,
)
from attnsearch.stats.survival import summarise, unseen

with warnings.catch_warnings():
    # Its own imports; what it computes is not quietened.
    warnings.simplefilter("ignore")
    from lifelines.statistics import logrank_test

# Weeks of remission, Freireich et al. 1963, Blood 21: 699-716.
TREATED = ([6, 6, 6, 7, 10, 13, 16, 22, 23], [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35])
PLACEBO = ([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23], [])


def waiting(ended: Sequence[int], censored: Sequence[int] = ()) -> Plateaus:
    lengths = np.array([*ended, *censored], np.int64)
    return Plateaus(lengths, np.arange(len(lengths)) < len(ended))


def drawn(seed: int, runs: int, median: float = 400, budget: int = 600, step: int = 10) -> Plateaus:
    """Log-normal lengths, sigma 0.5, recorded every `step` steps and censored at `budget`."""
    exact = median * np.exp(0.5 * np.random.default_rng(seed).standard_normal(runs))
    lengths = np.ceil(exact / step).astype(np.int64) * step
    return Plateaus(np.minimum(lengths, budget), lengths <= budget)


def times(group: Plateaus, factor: int) -> Plateaus:
    return Plateaus(group.length * factor, group.observed)


# The log-rank test.


def test_the_published_log_rank_test() -> None:
    found = log_rank(waiting(*TREATED), waiting(*PLACEBO))
    # Kleinbaum and Klein, Survival Analysis (2012), chapter 2: 16.793.
    assert found.statistic**2 == pytest.approx(16.793, abs=5e-4)
    assert found.p_value == pytest.approx(4.17e-5, abs=5e-8)
    assert (found.method, found.least) == ("asymptotic", 0)
    assert found.statistic > 0
    assert log_rank(waiting(*PLACEBO), waiting(*TREATED)).statistic == -found.statistic


@pytest.mark.parametrize("early", [False, True])
def test_large_groups_agree_with_lifelines(early: bool) -> None:
    drawing = np.random.default_rng(int(early))
    for _ in range(30):
        groups = []
        for runs in drawing.integers(ASYMPTOTIC_FROM, 60, 2):
            group = drawn(int(drawing.integers(10**9)), int(runs))
            limit = drawing.integers(10, 60, runs) * 10 if early else np.full(runs, 600)
            # Of both, one run is left at the common budget, so that neither is cut.
            limit[0] = 600
            length = np.minimum(group.length, limit)
            length[0] = 600
            groups.append(Plateaus(length, (length <= limit) & group.observed & (np.arange(runs) > 0)))
        one, other = groups
        found = log_rank(one, other)
        expected = logrank_test(one.length, other.length, one.observed, other.observed)
        assert found.p_value == pytest.approx(expected.p_value, abs=1e-6)
        assert found.statistic**2 == pytest.approx(expected.test_statistic, abs=1e-6)
        # Either side's one-sided p value is half of it, or the rest.
        longer = log_rank(one, other, alternative="longer").p_value
        half = expected.p_value / 2
        assert longer == pytest.approx(half if found.statistic > 0 else 1 - half, abs=1e-6)


def written_out(candidate: Plateaus, reference: Plateaus, alternative: Alternative) -> float:
    """The mid-p value of all permutations, the ends expected at each step counted one by one."""
    length = np.concatenate([candidate.length, reference.length])
    observed = np.concatenate([candidate.observed, reference.observed])
    runs = len(length)

    def excess(members: Sequence[int]) -> float:
        chosen, total = np.isin(np.arange(runs), members), 0.0
        for step in np.unique(length[observed]):
            at_risk, ended = length >= step, observed & (length == step)
            total += ended.sum() * (at_risk & chosen).sum() / at_risk.sum() - (ended & chosen).sum()
        return abs(total) if alternative == "two-sided" else total

    seen = excess(range(len(candidate.length)))
    splits = itertools.combinations(range(runs), len(candidate.length))
    dealt = np.array([excess(members) for members in splits])
    if np.ptp(dealt) < 1e-9:
        return 1.0
    return float(np.mean(dealt > seen + 1e-9) + np.mean(np.abs(dealt - seen) < 1e-9) / 2)


@pytest.mark.parametrize("alternative", ["two-sided", "longer"])
@pytest.mark.parametrize(("runs", "others"), [(1, 1), (1, 4), (4, 1), (3, 3), (4, 4), (3, 5), (5, 3)])
def test_small_groups_go_through_every_permutation(alternative: Alternative, runs: int, others: int) -> None:
    for seed in range(4):
        # Few distinct steps, so that ties abound.
        one = drawn(seed, runs, step=100)
        other = drawn(100 + seed, others, median=300, step=100)
        found = log_rank(one, other, alternative=alternative, horizon=600)
        assert found.method == "permutation"
        assert found.p_value == pytest.approx(written_out(one, other, alternative), abs=1e-12)


@pytest.mark.parametrize("alternative", ["two-sided", "longer"])
def test_drawn_permutations_come_near_all_of_them(
    alternative: Alternative, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = [(drawn(seed, 8, median=500), drawn(100 + seed, 8)) for seed in range(8)]
    exact = [log_rank(one, other, alternative=alternative).p_value for one, other in groups]
    monkeypatch.setattr(comparison, "SPLITS", 0)
    comparison._splits.cache_clear()
    found = [log_rank(one, other, alternative=alternative).p_value for one, other in groups]
    comparison._splits.cache_clear()
    assert found != exact
    assert found == pytest.approx(exact, abs=4 * 0.5 / DRAWS**0.5)


def test_a_drawn_p_value_is_never_zero() -> None:
    assert comb(18, 9) > SPLITS
    found = log_rank(waiting([900] * 9), waiting([100] * 9))
    assert found.least == pytest.approx(2 / comb(18, 9), abs=2e-4)
    assert found.p_value == found.least / 2 >= 0.5 / (DRAWS + 1)


def test_the_permutations_take_over_where_a_side_is_small() -> None:
    many = drawn(0, 40)
    assert log_rank(many, drawn(1, ASYMPTOTIC_FROM)).method == "asymptotic"
    assert log_rank(many, drawn(1, ASYMPTOTIC_FROM - 1)).method == "permutation"
    assert log_rank(drawn(1, ASYMPTOTIC_FROM - 1), many).method == "permutation"


@pytest.mark.parametrize("runs", [5, 8, 12, 25])
def test_the_order_of_runs_and_of_groups_changes_nothing(runs: int) -> None:
    one, other = drawn(0, runs, median=520), drawn(1, runs + 3)
    found = log_rank(one, other)
    backwards = Plateaus(one.length[::-1], one.observed[::-1])
    assert log_rank(backwards, other) == found
    swapped = log_rank(other, one)
    assert swapped.p_value == pytest.approx(found.p_value, abs=1e-12)
    assert swapped.statistic == pytest.approx(-found.statistic)
    assert compare(backwards, other) == compare(one, other)


def test_a_longer_budget_is_no_difference() -> None:
    short, long = drawn(0, 12, budget=400), drawn(1, 12, budget=10_000)
    assert not short.observed.all()
    assert long.observed.all()
    cut = Plateaus(np.minimum(long.length, 400), long.length <= 400)
    assert log_rank(short, long) == log_rank(short, cut)
    assert compare(short, long) == compare(short, cut)
    # Nor is one that only some of the longer group's runs would have needed.
    assert compare(short, long, 10_000) == compare(short, cut)
    assert compare(short, long).horizon == 400


# Longer than a tolerance.


def test_a_tolerance_stretches_the_reference() -> None:
    one, other = drawn(0, 8, median=600, budget=10_000), drawn(1, 8, budget=10_000)
    stretched = Plateaus(other.length * 5 // 4, other.observed)
    found = log_rank(one, other, alternative="longer", scale=1.25)
    assert found == log_rank(one, stretched, alternative="longer")
    assert found.p_value > log_rank(one, other, alternative="longer").p_value


def test_a_candidate_exactly_as_long_as_tolerated_is_no_longer() -> None:
    reference = drawn(1, 10, budget=10_000)
    # 1.1 x 300 is no 330 in floating point.
    candidate = Plateaus(reference.length * 11 // 10, reference.observed)
    found = log_rank(candidate, reference, alternative="longer", scale=1.1)
    assert found.p_value > 0.5
    assert found.statistic == pytest.approx(0, abs=1e-9)


def test_with_a_tolerance_both_are_cut_where_the_shorter_budget_ends() -> None:
    # Watched for 1,000 steps, the reference stands for 1,250; the candidate was watched for 1,000.
    reference = waiting([700, 780, 790, 820, 900, 950], [1000, 1000])
    candidate = waiting([720, 990], [1000] * 6)
    found = log_rank(candidate, reference, alternative="longer", scale=1.25, horizon=1000)
    known = waiting([700 * 5, 780 * 5, 790 * 5], [1000 * 4] * 5)
    assert found == log_rank(times(candidate, 4), known, alternative="longer")
    # Also where the candidate ended altogether, which hides its budget.
    ended = waiting([720, 730, 740, 750, 760, 770, 980, 990])
    found = log_rank(ended, reference, alternative="longer", scale=1.25, horizon=1000)
    assert found == log_rank(times(ended, 4), known, alternative="longer")
    # A tolerance below one shortens the reference instead.
    found = log_rank(candidate, reference, alternative="longer", scale=0.5, horizon=1000)
    halved = Plateaus(reference.length // 2, reference.observed)
    assert found == log_rank(candidate, halved, alternative="longer", horizon=500)


def test_slower_than_tolerated_is_seen() -> None:
    slower, reference = drawn(0, 16, median=1200, budget=2000), drawn(1, 16, budget=2000)
    assert log_rank(slower, reference, alternative="longer", scale=1.25, horizon=2000).p_value < 0.01
    assert log_rank(reference, slower, alternative="longer", scale=1.25, horizon=2000).p_value > 0.9


# The ratio.


def test_the_ratio_is_that_of_the_restricted_means() -> None:
    one, other = drawn(0, 16, median=520), drawn(1, 12)
    found = compare(one, other, 600)
    assert found.runs == (16, 12)
    expected = summarise(one, 600).restricted_mean / summarise(other, 600).restricted_mean
    assert found.ratio == pytest.approx(expected)
    assert found.low < found.ratio < found.high
    test = log_rank(one, other, horizon=600)
    assert (found.p_value, found.method, found.least) == (test.p_value, test.method, test.least)


def test_comparing_again_gives_the_same_numbers() -> None:
    one, other = drawn(0, 16, median=520), drawn(1, 12)
    found = compare(one, other, 600)
    resamples.cache_clear()
    comparison._splits.cache_clear()
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

NEVER = waiting([], [1000] * 8)
TOGETHER = waiting([200] * 8)
ODD = [
    waiting([200]),
    waiting([], [1000]),
    waiting([], [0]),
    waiting([], [0, 0, 500]),
    waiting([200, 200]),
    waiting([10], [10_000_000]),
    waiting([1, 10_000_000]),
    waiting([200, 300], [1000]),
    waiting([1000] * 3, [1000]),
    waiting([990], [1000] * 7),
    waiting(range(10, 400, 10)),
    NEVER,
    TOGETHER,
]


@pytest.mark.parametrize("horizon", [None, 1, 200, 100_000])
def test_every_pair_of_odd_groups_has_an_answer(horizon: int | None) -> None:
    for one, other in itertools.product(ODD, repeat=2):
        found = compare(one, other, horizon)
        json.dumps(asdict(found), allow_nan=False)
        assert 0 < found.low <= found.ratio <= found.high
        assert 0 < found.p_value <= 1
        assert isinstance(found.verdict(), str)
        for scale in (0.5, 1.25):
            test = log_rank(one, other, alternative="longer", scale=scale, horizon=horizon)
            json.dumps(asdict(test), allow_nan=False)
            assert 0 < test.p_value <= 1


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
        with pytest.raises(AttnsearchError, match=f"the {missing} has no runs"):
            log_rank(*pair)
    with pytest.raises(AttnsearchError, match="ended after 0 steps"):
        compare(waiting([0, 10]), NEVER)


# Level and cover, roughly; the exact figures are measured by benchmarks/validity.py.


@pytest.mark.parametrize(("runs", "budget"), [(8, 450), (8, 10_000), (16, 450)])
def test_intervals_cover_and_tests_keep_their_level(runs: int, budget: int) -> None:
    found: list[Comparison] = []
    longer: list[LogRank] = []
    for seed in range(300):
        one, other = drawn(2 * seed, runs, budget=budget), drawn(2 * seed + 1, runs, budget=budget)
        found.append(compare(one, other, budget))
        longer.append(log_rank(one, other, alternative="longer", horizon=budget))
    # Of 300, four deviations.
    assert 0.90 <= np.mean([one.low <= 1 <= one.high for one in found]) < 1
    assert 0 < np.mean([one.p_value <= 0.05 for one in found]) <= 0.1
    assert 0 < np.mean([one.p_value <= 0.05 for one in longer]) <= 0.1


# Many cells.


def test_benjamini_and_hochberg() -> None:
    # The largest is kept; each other is scaled by its rank, and never exceeds the one above.
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])
    assert benjamini_hochberg([0.2]) == pytest.approx([0.2])
    assert benjamini_hochberg([1, 1]).tolist() == [1, 1]
    assert benjamini_hochberg([]).shape == (0,)
