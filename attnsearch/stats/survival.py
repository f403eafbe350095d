"""One group of waiting times, some of which never ended: its curve and its few numbers.

Lengths are steps. A censored length says that its run was still waiting then, and is never used as a
value. Methods: Klein and Moeschberger, Survival Analysis, 2nd edition (2003), chapter 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy
from scipy import special

from attnsearch.base import RECORDING_INTERVAL, Bools, Floats, Integers, Plateaus

CONFIDENCE = 0.95
"""Of every interval."""

TAIL = (1 - CONFIDENCE) / 2

FEWEST_FOR_A_MEDIAN = 6
"""With fewer runs, all of them lie on one side of the median more often than `TAIL` (half to the power of
their number), so that no run bounds it."""

ROUNDING = 1e-9
"""Products of fractions miss a level by rounding; no survival lies so near one otherwise."""


@dataclass(frozen=True)
class Proportion:
    """`count` runs `of` so many, with a Wilson score interval (Wilson 1927).

    Of no runs, the rate is 0 and the interval everything.
    """

    count: int
    of: int
    low: float
    high: float

    @property
    def rate(self) -> float:
        """Share in [0, 1]."""
        return self.count / self.of if self.of else 0.0


class SurvivalCurve(NamedTuple):
    """Kaplan-Meier estimate of the share still waiting after each step at which a run ended, all `[K]`.

    step:      distinct steps, ascending
    survival:  the share, in [0, 1]; 1 before the first step
    low, high: log-log interval (Kalbfleisch and Prentice, section 1.4). Where survival is 0 it does not
               exist: `low` is 0, and `high` the share that the runs that ended may have left `unseen`,
               or the limit of the step before if it is smaller
    at_risk:   runs still waiting and watched just before the step
    """

    step: Integers
    survival: Floats
    low: Floats
    high: Floats
    at_risk: Integers


@dataclass(frozen=True)
class Waiting:
    """A group of waiting times, in steps.

    runs, observed:    how many, and how many of them ended
    median:            first step at which the Kaplan-Meier curve is at or below one half; None where it
                       stays above: not reached
    median_low, median_high: the same of the curve's limits (Brookmeyer and Crowley 1982); None where not
                       reached, 0 and None below `FEWEST_FOR_A_MEDIAN` runs
    restricted_mean:   mean number of steps waited up to `horizon`: the area under the curve
    restricted_mean_error: its standard error (Greenwood). 0 where all runs waited equally long, as they do
                       if all are censored: it then says that nothing varied, not that all is known
    restricted_mean_low, restricted_mean_high: see `restricted_mean_interval`
    horizon:           last step that is looked at
    spread:            90 % over 10 % quantile of the Kaplan-Meier curve; None where one is not reached and
                       for a single run. Below ten runs that is the longest over the shortest
    shortest, longest: of those that ended; None where none did
    """

    runs: int
    observed: int
    median: float | None
    median_low: float | None
    median_high: float | None
    restricted_mean: float
    restricted_mean_error: float
    restricted_mean_low: float
    restricted_mean_high: float
    horizon: int
    spread: float | None
    shortest: int | None
    longest: int | None

    @property
    def censored(self) -> int:
        """Runs that ended their budget still waiting."""
        return self.runs - self.observed

    @property
    def ended(self) -> Proportion:
        """The runs that ended, as a proportion: escape rate or mastery rate."""
        return proportion(self.observed, self.runs)


def proportion(count: int, of: int) -> Proportion:
    """`count` successes `of` so many trials, with their interval."""
    if not of:
        return Proportion(0, 0, 0.0, 1.0)
    interval = scipy.stats.binomtest(count, of).proportion_ci(CONFIDENCE, method="wilson")
    return Proportion(count, of, float(interval.low), float(interval.high))


def pool(groups: Iterable[Plateaus]) -> Plateaus:
    """All waiting times of `groups` in one."""
    collected = list(groups)
    return Plateaus(
        np.concatenate([group.length for group in collected]),
        np.concatenate([group.observed for group in collected]),
    )


def order(waiting: Plateaus) -> Integers:
    """`i64[N]`: the places of runs by length; of equal ones those that ended come first, as whoever is
    censored at a step was still waiting after it."""
    return np.lexsort((~waiting.observed, waiting.length))


def ordered(waiting: Plateaus) -> Plateaus:
    """`waiting` in its `order`."""
    places = order(waiting)
    return Plateaus(waiting.length[places], waiting.observed[places])


def kaplan_meier(observed: Bools, weights: Integers) -> Floats:
    """`f64[..., N]`: the Kaplan-Meier curve after each of the `ordered` waiting times, of which
    `weights`, `i64[..., N]`, says how often each counts.

    Equal lengths are taken one after another: their product is the factor of the one step.
    """
    at_risk = np.flip(np.cumsum(np.flip(weights, -1), axis=-1), -1)
    return np.cumprod(1 - weights * observed / np.maximum(at_risk, 1), axis=-1)


def area(steps: Floats | Integers, curve: Floats, horizon: float) -> Floats:
    """`f64[...]`: the restricted mean, the area up to `horizon` under the `curve`, `f64[..., N]`, of
    `ordered` waiting times of lengths `steps`, `[N]`."""
    edges = np.concatenate([np.minimum(steps, horizon), [horizon]])
    return edges[0] + curve @ np.diff(edges)


def first_at(steps: Floats | Integers, curve: Floats, level: float) -> float | None:
    """First of `steps` after which `curve` is at or below `level`; None where it never is."""
    reached = curve <= level + ROUNDING
    return float(steps[reached.argmax()]) if reached.any() else None


def survival_curve(waiting: Plateaus) -> SurvivalCurve:
    """The Kaplan-Meier curve of `waiting`; empty where no run ended."""
    length, observed = ordered(waiting)
    at_risk = np.arange(len(length), 0, -1)
    # Greenwood's sum; a last run that ends adds no finite term, and its survival of 0 has no interval.
    hazard = np.cumsum(observed / (at_risk * np.maximum(at_risk - 1, 1)))
    share = kaplan_meier(observed, np.ones_like(at_risk))
    # The last of equal lengths that ended knows all of them; the first, who was at risk.
    step, first = np.unique(length[observed], return_index=True)
    places = np.flatnonzero(observed)
    last = places[np.append(first[1:], len(places)) - 1] if len(places) else places
    low, high = _log_log(share[last], hazard[last])
    if len(step) and share[last[-1]] < ROUNDING:
        high[-1] = min(unseen(len(places)), *high[-2:-1], 1.0)
    return SurvivalCurve(step, share[last], low, high, at_risk[places[first]])


def _log_log(share: Floats, hazard: Floats) -> tuple[Floats, Floats]:
    inside = share > ROUNDING
    log = np.log(share[inside])
    width = special.ndtri(1 - TAIL) * np.sqrt(hazard[inside]) / -log
    low, high = np.zeros_like(share), np.ones_like(share)
    low[inside], high[inside] = np.exp(log * np.exp(width)), np.exp(log * np.exp(-width))
    return low, high


def common_horizon(groups: Sequence[Plateaus], horizon: int | None = None) -> int:
    """The last step up to which the curve of every group is known, and not beyond `horizon`.

    A curve is known up to the group's longest length and, where a run ended there and no other was censored
    there, for ever: it is 0. Where all are known for ever and no `horizon` is given, it is the longest
    length of all. At least one step, also where every run diverged at once.
    """
    lengths = [int(group.length.max()) for group in groups if len(group.length)]
    known = [int(group.length.max()) for group in groups if len(group.length) and is_open(group)]
    if horizon is not None:
        known.append(horizon)
    return max(1, min(known or [max(lengths, default=1)]))


def is_open(group: Plateaus) -> bool:
    """Whether a run still waits where the curve of the group, which has runs, ends."""
    return not group.observed[group.length == group.length.max()].all()


def cut(waiting: Plateaus, horizon: int) -> Plateaus:
    """`waiting` as it would have been seen with a budget of `horizon` steps."""
    return Plateaus(np.minimum(waiting.length, horizon), waiting.observed & (waiting.length <= horizon))


def restricted_mean_error(waiting: Plateaus, horizon: float) -> float:
    """Standard error, in steps, of the restricted mean at `horizon` (Klein and Moeschberger, 4.5.2)."""
    length, observed = ordered(waiting)
    at_risk = np.arange(len(length), 0, -1)
    edges = np.concatenate([np.minimum(length, horizon), [horizon]])
    beyond = np.cumsum((kaplan_meier(observed, np.ones_like(at_risk)) * np.diff(edges))[::-1])[::-1]
    return float(np.sqrt(np.sum(observed * beyond**2 / (at_risk * np.maximum(at_risk - 1, 1)))))


def unseen(runs: int) -> float:
    """Largest share of outcomes that `runs` runs miss altogether with probability `TAIL`."""
    return 1 - TAIL ** (1 / runs)


def stretch(runs: int) -> float:
    """By how much a normal interval round a mean of `runs` values has to be wider, because their
    deviation is estimated and, with the divisor `runs`, too small: Student's quantile over the normal one,
    times √(n / (n - 1))."""
    student = special.stdtrit(runs - 1, 1 - TAIL) / special.ndtri(1 - TAIL)
    return float(student * np.sqrt(runs / (runs - 1)))


def restricted_mean_interval(
    mean: float, error: float, runs: int, horizon: float, limit: float
) -> tuple[float, float]:
    """Interval of a restricted mean at `horizon`, in steps.

    Student's, on the log odds of `mean` as a share of `limit`: waits are skewed towards the long where
    few are censored and towards the short where many are, and no mean exceeds the horizon. `limit` is the
    horizon, or infinite where that is only the longest length of a group that ended altogether; the
    log odds are then a logarithm. Runs that all ended at one recorded step differ by less than its
    interval; they are given the error of that rounding.

    A single run shows no spread at all, and runs that are all censored nothing of it: there, a share of
    `unseen` outcomes may lie anywhere between no wait and the horizon.
    """
    if runs == 1 or mean >= limit * (1 - ROUNDING):
        return mean * (1 - unseen(runs)), mean + unseen(runs) * (horizon - mean)
    error = max(error, RECORDING_INTERVAL / np.sqrt(12 * runs))
    # Of 1 / mean - 1 / limit, the odds over the mean; the derivative of its logarithm divides the error.
    odds = 1 / mean - 1 / limit
    width = special.ndtri(1 - TAIL) * stretch(runs) * error / (mean**2 * odds)
    # Two runs far apart know next to nothing: the width is kept from overflowing.
    low, high = odds * np.exp(np.minimum([width, -width], 500.0))
    return float(1 / (low + 1 / limit)), float(min(1 / (high + 1 / limit), horizon))


def summarise(waiting: Plateaus, horizon: int | None = None) -> Waiting:
    """`waiting` in a few numbers, the restricted mean up to the `common_horizon`.

    Give the budget as `horizon` where it is known: without it, the horizon of a group that ended
    altogether is its longest length. No runs have a restricted mean of 0 in an interval of
    everything.
    """
    runs = len(waiting.length)
    end = common_horizon([waiting], horizon)
    if not runs:
        return Waiting(0, 0, None, None, None, 0.0, 0.0, 0.0, float(end), end, None, None, None)
    length, observed = ordered(waiting)
    share = kaplan_meier(observed, np.ones(runs, np.int64))
    mean = float(area(length, share, end))
    error = restricted_mean_error(waiting, end)
    limit = np.inf if horizon is None and not is_open(waiting) else end
    low, high = restricted_mean_interval(mean, error, runs, end, limit)
    curve = survival_curve(waiting)
    few = runs < FEWEST_FOR_A_MEDIAN
    early, late = (first_at(curve.step, curve.survival, level) for level in (0.9, 0.1))
    return Waiting(
        runs=runs,
        observed=int(observed.sum()),
        median=first_at(curve.step, curve.survival, 0.5),
        median_low=0.0 if few else first_at(curve.step, curve.low, 0.5),
        median_high=None if few else first_at(curve.step, curve.high, 0.5),
        restricted_mean=mean,
        restricted_mean_error=error,
        restricted_mean_low=low,
        restricted_mean_high=high,
        horizon=end,
        spread=late / early if early and late and runs > 1 else None,
        shortest=int(curve.step[0]) if len(curve.step) else None,
        longest=int(curve.step[-1]) if len(curve.step) else None,
    )
