"""Two groups of waiting times, or many: by how much they differ, and whether that can be luck.

Groups are compared up to one horizon, the last step to which all their curves are known. So a longer budget
does not look like a difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy

from attnsearch.base import Floats, Integers, Plateaus
from attnsearch.stats.log_rank import check_groups, log_rank
from attnsearch.stats.permutation import SEED
from attnsearch.stats.survival import (
    TAIL,
    area,
    common_horizon,
    cut,
    is_open,
    kaplan_meier,
    ordered,
    restricted_mean_error,
    restricted_mean_interval,
    stretch,
)

RESAMPLES = 2_000
"""Draws of a bootstrap."""

SIGNIFICANCE = 0.05
"""A p value at or below it is called a difference."""


@dataclass(frozen=True)
class Comparison:
    """A candidate beside a reference.

    runs:      of the candidate and of the reference
    horizon:   last step that is looked at
    ratio:     restricted mean of the candidate over the restricted mean of the reference
    low, high: its bootstrap interval
    p_value, method, least: of a `LogRank`
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
        """In words, at `p_value` where it has been adjusted for many comparisons; see `verdict`."""
        return verdict(self.p_value if p_value is None else p_value, self.least, self.low, self.high)


def verdict(p_value: float, least: float, low: float, high: float) -> str:
    """A comparison in words, by its p value, the `least` that this could be, and the interval of its ratio.

    "too few data to tell", "not separable", "longer", "shorter", and "different, ratio open" where the
    curves differ but the interval of the ratio holds 1, as when they cross.
    """
    if least > SIGNIFICANCE:
        return "too few data to tell"
    if p_value > SIGNIFICANCE:
        return "not separable"
    return "longer" if low > 1 else "shorter" if high < 1 else "different, ratio open"


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
    check_groups(candidate, reference)
    groups = candidate, reference
    end = common_horizon(groups, horizon)
    limit = end if horizon is not None or any(map(is_open, groups)) else np.inf
    above, below = (
        resampled_means(group, end, limit, stream, resamples(len(group.length), stream))
        for stream, group in enumerate(groups)
    )
    low, high = np.quantile(above / below, [TAIL, 1 - TAIL])
    test = log_rank(cut(candidate, end), cut(reference, end))
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


def _restricted_mean(waiting: Plateaus, end: int) -> float:
    length, observed = ordered(waiting)
    return float(area(length, kaplan_meier(observed, np.ones_like(length)), end))


def resampled_means(waiting: Plateaus, end: int, limit: float, stream: int, counts: Integers) -> Floats:
    """`f64[RESAMPLES]`: restricted means of the group drawn again, as `compare` has them.

    counts:  `i64[RESAMPLES, N]` how often each of the `survival.ordered` runs counts
    stream:  of the numbers by which means are spread where nothing else can be drawn
    """
    length, observed = ordered(waiting)
    runs = len(length)
    mean = _restricted_mean(waiting, end)
    error = restricted_mean_error(waiting, end)
    if not error:
        low, high = restricted_mean_interval(mean, error, runs, end, limit)
        shares = np.random.default_rng([SEED, stream]).random(RESAMPLES)
        return np.interp(shares, [TAIL, 0.5, 1 - TAIL], [low, mean, high])
    drawn = area(length, kaplan_meier(observed, counts), end)
    odds = 1 / mean - 1 / limit
    # A drawn mean may be the horizon itself, whatever the rounding.
    stretched = odds * (np.maximum(1 / drawn - 1 / limit, 0) / odds) ** stretch(runs)
    return 1 / (stretched + 1 / limit)


@lru_cache(maxsize=16)
def resamples(runs: int, stream: int) -> Integers:
    """`i64[RESAMPLES, runs]`: how often each run counts when as many are drawn with replacement; another
    `stream` draws independently."""
    return np.random.default_rng([SEED, stream]).multinomial(runs, np.full(runs, 1 / runs), RESAMPLES)


def benjamini_hochberg(p_values: Sequence[float]) -> Floats:
    """`f64[N]`: p values adjusted so that calling those at or below a level different keeps the expected
    share of false calls at that level (Benjamini and Hochberg 1995)."""
    return scipy.stats.false_discovery_control(np.asarray(p_values, np.float64))
