"""Waiting times against published data and against lifelines; the censored count as still waiting."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Sequence
from dataclasses import asdict, fields

import numpy as np
import pytest
from scipy import stats

from attnsearch.base import Floats, Plateaus
from attnsearch.stats.survival import (
    FEWEST_FOR_A_MEDIAN,
    Waiting,
    common_horizon,
    cut,
    pool,
    proportion,
    summarise,
    survival_curve,
    unseen,
)

with warnings.catch_warnings():
    # Its own imports; what it computes is not quietened.
    warnings.simplefilter("ignore")
    from lifelines import KaplanMeierFitter
    from lifelines.utils import median_survival_times, restricted_mean_survival_time

# Weeks of remission in acute leukaemia, Freireich et al. 1963, Blood 21: 699-716, on 6-mercaptopurine
# and on placebo; the standard example of the Kaplan-Meier curve.
TREATED = ([6, 6, 6, 7, 10, 13, 16, 22, 23], [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35])
PLACEBO = ([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23], [])

# Both curves as printed in Kleinbaum and Klein, Survival Analysis (2012), chapter 2.
TREATED_CURVE = {6: 0.8571, 7: 0.8067, 10: 0.7529, 13: 0.6902, 16: 0.6275, 22: 0.5378, 23: 0.4482}
PLACEBO_CURVE = [0.9048, 0.8095, 0.7619, 0.6667, 0.5714, 0.3810, 0.2857, 0.1905, 0.1429, 0.0952, 0.0476, 0]


def waiting(ended: Sequence[int], censored: Sequence[int]) -> Plateaus:
    lengths = np.array([*ended, *censored], np.int64)
    return Plateaus(lengths, np.arange(len(lengths)) < len(ended))


def few(found: Waiting) -> tuple[int, int, float | None, int | None, int | None]:
    return found.runs, found.observed, found.median, found.shortest, found.longest


def drawn(drawing: np.random.Generator, runs: int, *, early: bool) -> Plateaus:
    """Lengths with ties; censored at one budget, or anywhere."""
    lengths = np.ceil(40 * np.exp(0.5 * drawing.standard_normal(runs))).astype(np.int64) * 10
    limit = drawing.integers(10, 120, runs) * 10 if early else np.full(runs, 10 * drawing.integers(20, 100))
    return Plateaus(np.minimum(lengths, limit), lengths <= limit)


def random_groups(*, early: bool) -> list[Plateaus]:
    drawing = np.random.default_rng(int(early))
    sizes = drawing.integers(FEWEST_FOR_A_MEDIAN, 60, 40)
    groups = [drawn(drawing, int(runs), early=early) for runs in sizes]
    return [group for group in groups if group.observed.any()]


# Published data.


def test_the_curve_of_the_treated_is_the_published_one() -> None:
    curve = survival_curve(waiting(*TREATED))
    assert curve.step.tolist() == list(TREATED_CURVE)
    assert curve.survival == pytest.approx(list(TREATED_CURVE.values()), abs=5e-5)
    assert curve.at_risk.tolist() == [21, 17, 15, 12, 11, 7, 6]


def test_the_curve_of_the_untreated_is_the_published_one() -> None:
    curve = survival_curve(waiting(*PLACEBO))
    assert curve.survival == pytest.approx(PLACEBO_CURVE, abs=5e-5)
    assert curve.at_risk[:3].tolist() == [21, 19, 17]


def test_medians_and_restricted_means_of_the_published_data() -> None:
    treated, placebo = summarise(waiting(*TREATED)), summarise(waiting(*PLACEBO))
    assert (treated.median, treated.median_low, treated.median_high) == (23, 13, None)
    assert (placebo.median, placebo.median_low, placebo.median_high) == (8, 4, 11)
    # By hand: each level of the printed curve times the weeks it lasts.
    levels, weeks = [1, *TREATED_CURVE.values()], np.diff([0, *TREATED_CURVE, 35])
    assert treated.restricted_mean == pytest.approx(np.dot(levels, weeks), abs=2e-3)
    assert placebo.restricted_mean == pytest.approx(np.mean(PLACEBO[0]))
    assert placebo.restricted_mean_error == pytest.approx(np.std(PLACEBO[0]) / math.sqrt(21))
    assert (treated.horizon, placebo.horizon) == (35, 23)
    # 21 values: the 10 % quantile is the third smallest, the 90 % quantile the third largest.
    assert placebo.spread == 17 / 2
    assert treated.spread is None


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17: 857-872, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (0, 0, 0, 1),
    ],
)
def test_proportions_have_the_published_wilson_intervals(
    count: int, of: int, low: float, high: float
) -> None:
    found = proportion(count, of)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    assert found.rate == (count / of if of else 0)
    assert 0 <= found.low <= found.rate <= found.high <= 1


# A reference implementation.


@pytest.mark.parametrize("early", [False, True])
def test_curves_agree_with_lifelines(early: bool) -> None:
    groups = random_groups(early=early)
    assert len(groups) > 30
    for group in groups:
        curve = survival_curve(group)
        fitted = KaplanMeierFitter().fit(group.length, group.observed)
        table = fitted.event_table.loc[curve.step]
        assert curve.at_risk.tolist() == table["at_risk"].tolist()
        assert curve.survival == pytest.approx(fitted.survival_function_at_times(curve.step), abs=1e-6)
        low, high = fitted.confidence_interval_.loc[curve.step].to_numpy().T
        # At a survival of 0 it has 0 for both limits.
        above = curve.survival > 1e-9
        assert curve.low == pytest.approx(low, abs=1e-6)
        assert curve.high[above] == pytest.approx(high[above], abs=1e-6)


@pytest.mark.parametrize("early", [False, True])
def test_medians_and_their_intervals_agree_with_lifelines(early: bool) -> None:
    compared = 0
    for group in random_groups(early=early):
        fitted = KaplanMeierFitter().fit(group.length, group.observed)
        found = summarise(group)
        curve, limits = survival_curve(group), np.asarray(median_survival_times(fitted.confidence_interval_))
        low, high = (None if np.isinf(limit) else limit for limit in limits[0])
        assert found.median_low == low
        # A limit of 0 where its curve is at 0 is no limit.
        if high is None or curve.survival[curve.step == high] > 0:
            assert found.median_high == high
            compared += high is not None
        # It misses one half by rounding.
        if np.abs(curve.survival - 0.5).min() > 1e-9:
            assert found.median == (
                None if np.isinf(fitted.median_survival_time_) else fitted.median_survival_time_
            )
            compared += found.median is not None
    assert compared > 30


@pytest.mark.parametrize("early", [False, True])
def test_restricted_means_agree_with_lifelines(early: bool) -> None:
    for group in random_groups(early=early):
        fitted = KaplanMeierFitter().fit(group.length, group.observed)
        for horizon in (int(np.median(group.length)), int(group.length.max())):
            expected = restricted_mean_survival_time(fitted, t=horizon)
            assert summarise(group, horizon).restricted_mean == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("early", [False, True])
def test_errors_of_restricted_means_are_greenwoods_sums_over_lifelines_tables(early: bool) -> None:
    for group in random_groups(early=early):
        table = KaplanMeierFitter().fit(group.length, group.observed).event_table.iloc[1:]
        step, ended, at_risk = (np.asarray(column) for column in (table.index, table.observed, table.at_risk))
        areas = np.cumprod(1 - ended / at_risk)[:-1] * np.diff(step)
        beyond = np.append(np.cumsum(areas[::-1])[::-1], 0)
        some = ended < at_risk
        terms = (beyond**2 * ended)[some] / (at_risk * (at_risk - ended))[some]
        assert summarise(group).restricted_mean_error == pytest.approx(math.sqrt(terms.sum()), abs=1e-6)


def test_without_early_censoring_the_restricted_mean_is_a_mean() -> None:
    for group in random_groups(early=False):
        found = summarise(group)
        values = np.minimum(group.length, found.horizon)
        assert found.restricted_mean == pytest.approx(values.mean())
        assert found.restricted_mean_error == pytest.approx(values.std() / math.sqrt(found.runs), abs=1e-9)


# In a few numbers.


@pytest.mark.parametrize(
    ("ended", "censored", "expected"),
    [
        (*TREATED, (21, 9, 23, 6, 23)),
        (*PLACEBO, (21, 21, 8, 1, 23)),
        # Alone.
        ([70], [], (1, 1, 70, 70, 70)),
        ([], [70], (1, 0, None, None, None)),
        ([], [], (0, 0, None, None, None)),
        # Never, and half of the runs never: 1/2 is reached, less is not.
        ([], [90] * 8, (8, 0, None, None, None)),
        ([10, 20], [90, 90], (4, 2, 20, 10, 20)),
        ([10, 20], [90, 90, 90], (5, 2, None, 10, 20)),
        ([10] * 500, [90] * 501, (1001, 500, None, 10, 10)),
        # The smallest time at which half have ended, and no mean of two.
        ([10, 20, 30, 40], [], (4, 4, 20, 10, 40)),
        ([10, 20, 30], [], (3, 3, 20, 10, 30)),
        # One half exactly, as 9/10 x 5/6 x 2/3: three of ten ended, and most others left before the last.
        ([1, 3, 5], [2, 2, 2, 4, 4, 6, 6], (10, 3, 5, 1, 5)),
        ([10, 20, 30, 40, 50, 60], [60] * 6, (12, 6, 60, 10, 60)),
        # Ties: of two that end together, and of an end with a censoring, which comes after it.
        ([20, 20, 20], [20], (4, 3, 20, 20, 20)),
        ([10, 10], [10, 10], (4, 2, 10, 10, 10)),
        ([10, 20, 20], [10], (4, 3, 20, 10, 20)),
        # Whoever left early had not ended: 3/4, then 3/4 x 1/2.
        ([10, 30], [20, 40], (4, 2, 30, 10, 30)),
        ([10, 30], [5, 5, 5, 40], (6, 2, 30, 10, 30)),
        # A run that was censored before it began.
        ([10, 30], [0], (3, 2, 10, 10, 30)),
        ([], [0, 0], (2, 0, None, None, None)),
    ],
)
def test_waiting_in_a_few_numbers(
    ended: list[int], censored: list[int], expected: tuple[int | None, ...]
) -> None:
    plateaus = waiting(ended, censored)
    found = summarise(plateaus)
    assert few(found) == expected
    assert found.censored == len(censored)
    assert found.ended == proportion(len(ended), len(ended) + len(censored))
    # In any order.
    order = np.random.default_rng(0).permutation(len(plateaus.length))
    assert summarise(Plateaus(plateaus.length[order], plateaus.observed[order])) == found
    for horizon in (None, 1, 15, 100_000):
        is_sound(summarise(plateaus, horizon))


def is_sound(found: Waiting) -> None:
    """No nan, nothing infinite, every estimate within its interval."""
    json.dumps(asdict(found), allow_nan=False)
    assert found.horizon >= 1
    assert 0 <= found.restricted_mean_low <= found.restricted_mean <= found.restricted_mean_high
    assert found.restricted_mean_high <= found.horizon
    assert found.restricted_mean_error >= 0
    assert (found.median_low or 0) <= (math.inf if found.median is None else found.median)
    if found.median_high is not None:
        assert found.median is not None
        assert found.median <= found.median_high
    # Built-in numbers, as JSON and other programs want them.
    types = {type(getattr(found, field.name)) for field in fields(found)}
    assert types <= {int, float, type(None)}


@pytest.mark.parametrize("runs", range(2, 40, 2))
def test_half_of_the_runs_reach_one_half_whatever_the_rounding(runs: int) -> None:
    ended = list(range(10, 10 + runs // 2))
    assert summarise(waiting(ended, [1000] * (runs // 2))).median == ended[-1]


def test_a_longer_budget_of_censored_runs_changes_nothing_below_it() -> None:
    short = summarise(waiting([100, 200, 300], [400, 400]))
    assert few(short) == (5, 3, 300, 100, 300)
    assert summarise(waiting([100, 200, 300], [400_000, 10_000]), 400) == short
    assert summarise(waiting([100, 200, 300], [400_000, 10_000])).restricted_mean > short.restricted_mean


def test_pooled_groups_are_one_group() -> None:
    groups = [waiting([10, 20], [30]), waiting([], [40]), waiting([5], [])]
    pooled = pool(group for group in groups)
    assert pooled.length.tolist() == [10, 20, 30, 40, 5]
    assert pooled.observed.tolist() == [True, True, False, False, True]
    assert few(summarise(pooled)) == (5, 3, 20, 5, 20)


# The horizon.


@pytest.mark.parametrize(
    ("groups", "horizon", "expected"),
    [
        # A group that still waits is known to its longest length, one that ended for ever.
        ([([10], [90])], None, 90),
        ([([10], [90])], 50, 50),
        ([([10], [90])], 200, 90),
        ([([10, 40], [])], None, 40),
        ([([10, 40], [])], 200, 200),
        ([([10, 40], [20])], 200, 200),
        # At its last step one ended and one was left waiting: it still waits.
        ([([10, 40], [40])], 200, 40),
        ([([10, 40], []), ([10], [90])], None, 90),
        ([([10, 40], []), ([10, 60], [])], None, 60),
        ([([10], [50]), ([10], [90])], None, 50),
        ([([10], [50]), ([], [])], None, 50),
        ([([], [0])], 100, 1),
        ([([], [])], None, 1),
        ([([], [])], 100, 100),
    ],
)
def test_the_horizon_is_where_every_curve_is_known(
    groups: list[tuple[list[int], list[int]]], horizon: int | None, expected: int
) -> None:
    assert common_horizon([waiting(*group) for group in groups], horizon) == expected


def test_a_group_that_ended_has_its_mean_up_to_any_later_horizon() -> None:
    found = summarise(waiting([100, 200, 300], []), 1000)
    assert (found.restricted_mean, found.horizon) == (200, 1000)
    assert summarise(waiting([100, 200, 300], [])).restricted_mean == 200
    assert summarise(waiting([100, 200, 300], []), 150).restricted_mean == pytest.approx(400 / 3)


def test_a_cut_group_is_as_seen_with_that_budget() -> None:
    shorter = cut(waiting([100, 200, 300], [150, 400]), 200)
    assert shorter.length.tolist() == [100, 200, 200, 150, 200]
    assert shorter.observed.tolist() == [True, True, False, False, False]


# Intervals where there is little to go by.


def test_a_single_run_bounds_nearly_nothing() -> None:
    found = summarise(waiting([200], []), 10_000)
    assert (found.median, found.median_low, found.median_high) == (200, 0, None)
    assert (found.restricted_mean, found.restricted_mean_error, found.spread) == (200, 0, None)
    assert (found.restricted_mean_low, found.restricted_mean_high) == pytest.approx((5, 9755))


def test_a_group_that_never_ended_has_the_horizon_as_restricted_mean() -> None:
    found = summarise(waiting([], [1000] * 8))
    assert (found.median, found.median_low, found.median_high) == (None, None, None)
    assert (found.restricted_mean, found.restricted_mean_error) == (1000, 0)
    # Up to 37 % of outcomes may have been missed, and those may end at once.
    assert 1 - unseen(8) == pytest.approx(0.025 ** (1 / 8))
    assert (found.restricted_mean_low, found.restricted_mean_high) == pytest.approx((630.6, 1000), abs=0.1)
    # Too few to say even that half of all runs would wait.
    assert summarise(waiting([], [1000] * 5)).median_low == 0


def test_runs_that_ended_together_are_known_to_the_recording_interval() -> None:
    found = summarise(waiting([200] * 8, []), 10_000)
    assert (found.restricted_mean, found.restricted_mean_error, found.spread) == (200, 0, 1)
    assert (found.median, found.median_low, found.median_high) == (200, 200, 200)
    assert (found.restricted_mean_low, found.restricted_mean_high) == pytest.approx((197.4, 202.6), abs=0.1)


def test_where_nobody_waits_any_more_the_limit_is_what_the_runs_may_have_missed() -> None:
    curve = survival_curve(waiting([10] * 8, []))
    assert (curve.survival[-1], curve.low[-1]) == (0, 0)
    assert curve.high[-1] == pytest.approx(unseen(8))
    # Never more than the step before.
    curve = survival_curve(waiting(list(range(10, 60, 10)), [10] * 40))
    assert curve.high[-1] == min(curve.high[-2], unseen(5))


@pytest.mark.parametrize("runs", range(1, 9))
def test_too_few_runs_bound_no_median(runs: int) -> None:
    found = summarise(waiting(list(range(10, 10 * runs + 10, 10)), []))
    # All on one side of the median: as often as heads only, and tails only.
    bounded = 0.5**runs <= 0.025
    assert bounded == (runs >= FEWEST_FOR_A_MEDIAN)
    assert (found.median_low, found.median_high) != (0, None) or not bounded
    assert ((found.median_low, found.median_high) == (0, None)) == (not bounded)


def test_two_runs_far_apart_overflow_nothing() -> None:
    found = summarise(waiting([1], [10_000_000]))
    is_sound(found)
    assert found.restricted_mean_low < 1
    assert found.restricted_mean_high > 9_999_999


def simulated(runs: int, experiments: int, quantile: float) -> tuple[Floats, int, float]:
    """Log-normal lengths, the budget that the share `quantile` ends by, and the true restricted mean."""
    lengths = stats.lognorm(0.5, scale=400)
    budget = round(float(lengths.ppf(quantile)))
    drawing = np.random.default_rng(2)
    recorded = np.ceil(400 * np.exp(0.5 * drawing.standard_normal((experiments, runs))))
    return recorded, budget, float(1 + lengths.sf(np.arange(1, budget)).sum())


@pytest.mark.parametrize("quantile", [0.4, 0.7, 0.999999])
def test_intervals_of_eight_runs_cover_the_truth(quantile: float) -> None:
    lengths, budget, mean = simulated(8, 500, quantile)
    groups = [Plateaus(np.minimum(row, budget).astype(np.int64), row <= budget) for row in lengths]
    found = [summarise(group, budget) for group in groups]
    covered = np.mean([one.restricted_mean_low <= mean <= one.restricted_mean_high for one in found])
    # Of 500, four deviations about 95 %; the exact figures are measured by benchmarks/validity.py.
    assert 0.911 <= covered <= 0.989
    median = 400 if quantile > 0.5 else math.inf
    beyond = [(one.median_low or 0, one.median_high or math.inf) for one in found]
    assert np.mean([low <= median <= high for low, high in beyond]) >= 0.911
