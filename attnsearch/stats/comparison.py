"""Two groups of waiting times, or many: by how much they differ, and whether that can be luck.

Both are looked at up to one horizon, the last step to which both curves are known, so that a longer budget
is no difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb
from typing import Literal

import numpy as np
from scipy import stats

from attnsearch.base import AttnsearchError, Floats, Integers, Plateaus
from attnsearch.stats.survival import (
    ROUNDING,
    TAIL,
    area,
    common_horizon,
    cut,
    is_open,
    kaplan_meier,
    ordered,
    pool,
    restricted_mean_error,
    restricted_mean_interval,
    stretch,
)

Alternative = Literal["two-sided", "longer"]
"""What is tested against no difference: any, or that the candidate waits longer."""

RESAMPLES = 2_000
"""Of a bootstrap."""

SPLITS = 20_000
"""Up to so many ways to deal the runs out again, all are gone through; beyond, `DRAWS` are drawn."""

DRAWS = 9_999

ASYMPTOTIC_FROM = 20
"""Runs on each side from which a log-rank test takes its normal limit."""

SIGNIFICANCE = 0.05
"""A p value at or below it is called a difference."""

TICKS = 1_000
"""To a step: so finely a tolerance is told apart."""

SEED = 0
"""Of every resampling: the same runs give the same numbers."""


@dataclass(frozen=True)
class LogRank:
    """A log-rank test.

    p_value:   how often no difference would look more different, equally different counting half
    method:    "permutation" below `ASYMPTOTIC_FROM` runs on either side, else "asymptotic"
    statistic: standard normal in the limit; positive where the candidate waits longer
    least:     how often these lengths would be dealt out in their most different way; 1 where no run ended.
               Above `SIGNIFICANCE`, no difference however large could have shown
    """

    p_value: float
    method: str
    statistic: float
    least: float


@dataclass(frozen=True)
class Comparison:
    """A candidate beside a reference.

    runs:      of the candidate and of the reference
    horizon:   last step that is looked at
    ratio:     restricted mean of the candidate over that of the reference
    low, high: its bootstrap interval
    p_value, method, least: of a two-sided `LogRank`
    """

    runs: tuple[int, int]
    horizon: int
    ratio: float
    low: float
    high: float
    p_value: float
    method: str
    least: float

    def verdict(self, p_value: float | None = None) -> str:
        """In words, at `p_value` where it has been adjusted for many comparisons.

        "too few data to tell", "not separable", "longer", "shorter", and "different, ratio open" where the
        curves differ but the interval of the ratio holds 1, as when they cross.
        """
        if self.least > SIGNIFICANCE:
            return "too few data to tell"
        if (self.p_value if p_value is None else p_value) > SIGNIFICANCE:
            return "not separable"
        return "longer" if self.low > 1 else "shorter" if self.high < 1 else "different, ratio open"


def compare(candidate: Plateaus, reference: Plateaus, horizon: int | None = None) -> Comparison:
    """`candidate` over `reference`, both up to their `survival.common_horizon`.

    Give the budget as `horizon` where it is known, as for `survival.summarise`.

    The interval is an expanded percentile bootstrap (Hesterberg 2015, The American Statistician 69(4)): runs
    are drawn again within each group, and each drawn mean is taken away from the group's own by the factor
    `survival.stretch`, on the scale of `survival.restricted_mean_interval`, so that it stays within the
    horizon. Of a group whose runs waited equally long nothing else can be drawn; its means are spread over
    that interval. Two groups that never ended have a ratio of 1, and an interval as wide as what so few
    runs may have missed.

    Errors: AttnsearchError where a group has no runs.
    """
    _check(candidate, reference)
    groups = candidate, reference
    end = common_horizon(groups, horizon)
    limit = end if horizon is not None or any(map(is_open, groups)) else np.inf
    above, below = (_resampled_means(group, end, limit, stream) for stream, group in enumerate(groups))
    low, high = np.quantile(above / below, [TAIL, 1 - TAIL])
    test = log_rank(candidate, reference, horizon=end)
    return Comparison(
        runs=(len(candidate.length), len(reference.length)),
        horizon=end,
        ratio=_restricted_mean(candidate, end) / _restricted_mean(reference, end),
        low=float(low),
        high=float(high),
        p_value=test.p_value,
        method=test.method,
        least=test.least,
    )


def _check(candidate: Plateaus, reference: Plateaus) -> None:
    for name, group in (("candidate", candidate), ("reference", reference)):
        if not len(group.length):
            raise AttnsearchError(f"nothing to compare: the {name} has no runs; give it at least one")
        if (group.length[group.observed] <= 0).any():
            raise AttnsearchError(
                f"a run of the {name} ended after 0 steps; an event takes at least one step"
            )


def _restricted_mean(waiting: Plateaus, end: int) -> float:
    length, observed = ordered(waiting)
    return float(area(length, kaplan_meier(observed, np.ones_like(length)), end))


def _resampled_means(waiting: Plateaus, end: int, limit: float, stream: int) -> Floats:
    """`f64[RESAMPLES]`: restricted means of the group drawn again, as `compare` has them."""
    length, observed = ordered(waiting)
    runs = len(length)
    mean = _restricted_mean(waiting, end)
    error = restricted_mean_error(waiting, end)
    if not error:
        low, high = restricted_mean_interval(mean, error, runs, end, limit)
        shares = np.random.default_rng([SEED, stream]).random(RESAMPLES)
        return np.interp(shares, [TAIL, 0.5, 1 - TAIL], [low, mean, high])
    drawn = area(length, kaplan_meier(observed, resamples(runs, stream)), end)
    odds = 1 / mean - 1 / limit
    # A drawn mean may be the horizon itself, whatever the rounding.
    stretched = odds * (np.maximum(1 / drawn - 1 / limit, 0) / odds) ** stretch(runs)
    return 1 / (stretched + 1 / limit)


@lru_cache(maxsize=16)
def resamples(runs: int, stream: int) -> Integers:
    """`i64[RESAMPLES, runs]`: how often each run counts when as many are drawn with replacement; another
    `stream` draws independently."""
    return np.random.default_rng([SEED, stream]).multinomial(runs, np.full(runs, 1 / runs), RESAMPLES)


def log_rank(
    candidate: Plateaus,
    reference: Plateaus,
    *,
    alternative: Alternative = "two-sided",
    scale: float = 1.0,
    horizon: int | None = None,
) -> LogRank:
    """Whether the candidate's waits differ from `scale` times those of the reference.

    With the alternative "longer" and a tolerance as `scale`, a small p value says that the candidate waits
    more than so many times as long. `horizon` is the budget of both, as trained; times 1.25, a reference
    watched for 10,000 steps stands for one of 12,500, and both are cut where the shorter of the two ends.
    Without it both are cut at their `survival.common_horizon`. Either way their censoring is the same, as
    dealing runs out again between the groups requires.

    Below `ASYMPTOTIC_FROM` runs on either side the p value is that of permutations of observed minus expected
    ends: all of them where they are at most `SPLITS`, else `DRAWS` and the one seen (Phipson and Smyth 2010).
    It is the mid-p value (Lancaster 1961): of those that tie with what was seen, half count. Where few
    runs ended, ties are many, and the test that counts them all rejects at 3 % where it means 5 %. From
    `ASYMPTOTIC_FROM` runs on, it is the normal limit. Where no order shows, as when none ended, all at one
    step, or there is one run on each side, it is 1.

    Errors: AttnsearchError where a group has no runs.
    """
    _check(candidate, reference)
    # In whole ticks, or products that are equal would be no ties.
    ticks = TICKS, round(TICKS * scale)
    groups = [Plateaus(g.length * t, g.observed) for g, t in zip((candidate, reference), ticks, strict=True)]
    end = common_horizon(groups, None if horizon is None else horizon * min(ticks))
    first, second = (cut(group, end) for group in groups)
    scores = log_rank_scores(pool([first, second]))
    runs = len(first.length), len(second.length)
    ways = comb(sum(runs), min(runs))
    permuted = min(runs) < ASYMPTOTIC_FROM
    if not (np.abs(scores) > ROUNDING).any():
        ended = first.observed.any() or second.observed.any()
        return LogRank(1.0, "permutation" if permuted else "asymptotic", 0.0, 1 / ways if ended else 1.0)
    if not permuted:
        test = stats.logrank(
            _censored(first), _censored(second), "less" if alternative == "longer" else "two-sided"
        )
        return LogRank(float(test.pvalue), "asymptotic", -float(test.statistic), 0.0)
    # The scores sum to zero, so that those of either group say it all; fewer are summed sooner.
    sign = 1 if runs[0] <= runs[1] else -1
    seen = scores[: runs[0]].sum()
    dealt = sign * np.sort(scores)[_splits(sum(runs), min(runs))].sum(axis=1)
    variance = runs[0] * runs[1] * np.square(scores).sum() / (sum(runs) * (sum(runs) - 1))
    statistic = float(seen / np.sqrt(variance))
    if alternative == "two-sided":
        seen, dealt = abs(seen), np.abs(dealt)
    if len(dealt) < ways:
        dealt = np.append(dealt, seen)
    least = float((dealt >= dealt.max() - ROUNDING).mean())
    more, ties = dealt > seen + ROUNDING, np.abs(dealt - seen) <= ROUNDING
    p_value = float(more.mean() + ties.mean() / 2) if least < 1 else 1.0
    return LogRank(p_value, "permutation", statistic, least)


def log_rank_scores(waiting: Plateaus) -> Floats:
    """`f64[N]`: ends expected of each run by the time it left, less the one it had or not. They sum to
    zero; their sum over a group is expected minus observed ends of the log-rank test."""
    step, ends = np.unique(waiting.length[waiting.observed], return_counts=True)
    at_risk = len(waiting.length) - np.searchsorted(np.sort(waiting.length), step)
    expected = np.concatenate([[0.0], np.cumsum(ends / at_risk)])
    return expected[np.searchsorted(step, waiting.length, side="right")] - waiting.observed


@lru_cache(maxsize=16)
def _splits(runs: int, group: int) -> Integers:
    """`i64[?, group]`: places of the runs that are dealt to a group, all ways or `DRAWS` of them."""
    if comb(runs, group) <= SPLITS:
        return np.array(list(combinations(range(runs), group)))
    dealt = np.tile(np.arange(runs), (DRAWS, 1))
    return np.random.default_rng(SEED).permuted(dealt, axis=1)[:, :group].copy()


def _censored(waiting: Plateaus) -> stats.CensoredData:
    length, observed = waiting
    return stats.CensoredData(uncensored=length[observed], right=length[~observed])


def benjamini_hochberg(p_values: Sequence[float]) -> Floats:
    """`f64[N]`: p values adjusted so that calling those at or below a level different keeps the expected
    share of false calls at that level (Benjamini and Hochberg 1995)."""
    return stats.false_discovery_control(np.asarray(p_values, np.float64))
