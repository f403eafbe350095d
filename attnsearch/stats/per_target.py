"""When each target is found, within runs and between them.

The targets of one run are not independent: they share a network, and one that is found helps the next.
What varies between runs is therefore resampled by runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from scipy import special

from attnsearch.base import Bools, Floats, Integers, Plateaus
from attnsearch.stats.comparison import resamples
from attnsearch.stats.survival import (
    FEWEST_FOR_A_MEDIAN,
    ROUNDING,
    TAIL,
    first_at,
    kaplan_meier,
    ordered,
    pool,
    stretch,
    summarise,
    unseen,
)

_AT_ONCE = 100
"""Draws whose curves are computed together: their numbers fit into the cache of a core."""

LEVELS = (0.9, 0.5, 0.1)
"""Shares of targets still to be found that have a step: of the early, the middle and the late ones."""


@dataclass(frozen=True)
class FoundStep:
    """First step at which no more than the share `waiting` of all targets is still to be found, by the
    Kaplan-Meier curve of the targets of all runs; None where not reached.

    low, high: the same of the curve's limits (Woodruff 1952, J. Am. Stat. Assoc. 47: 635-646), Student's on
               its log odds with the deviation of the curves of runs drawn again; None where not reached.
               Below `FEWEST_FOR_A_MEDIAN` runs 0 and None: so few bound nothing
    """

    waiting: float
    step: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class TargetSpread:
    """The steps at which the targets of a group of runs are found.

    runs, targets, found: how many runs, targets of all runs, and targets found
    steps:   at the shares `LEVELS`
    within:  last over first target of a run, Kaplan-Meier median over runs: where not all targets are
             found, the last takes at least as long as was watched. None where not reached
    between: 90 % over 10 % quantile, over runs, of the step at which half of a run's targets are found;
             None where it cannot be estimated
    """

    runs: int
    targets: int
    found: int
    steps: tuple[FoundStep, ...]
    within: float | None
    between: float | None


def target_spread(found: Sequence[Plateaus]) -> TargetSpread:
    """The spread of the found steps of some runs, `[R]` each, which may differ in R."""
    step, curve, error = _pooled(found)
    low, high = _limits(curve, error, len(found))
    return TargetSpread(
        runs=len(found),
        targets=sum(len(run.length) for run in found),
        found=int(sum(run.observed.sum() for run in found)),
        steps=tuple(
            FoundStep(level, *(first_at(step, line, level) for line in (curve, low, high)))
            for level in LEVELS
        ),
        within=_within(found),
        between=_between(found),
    )


def _pooled(found: Sequence[Plateaus]) -> tuple[Integers, Floats, Floats]:
    """Distinct steps, `[K]`, the curve of all targets after each, and its bootstrap error over runs.

    The error of fewer runs than have limits is 0.
    """
    pooled = pool([Plateaus(np.zeros(0, np.int64), np.zeros(0, bool)), *found])
    step = np.unique(np.append(pooled.length, 0))
    runs = np.repeat(np.arange(len(found)), [len(run.length) for run in found])
    places, shape = (runs, np.searchsorted(step, pooled.length)), (len(found), len(step))
    # A run has few of all steps: of most products one side is 0. Counts are whole, and their sums exact.
    ended = scipy.sparse.csc_array((pooled.observed.astype(np.float64), places), shape)
    left = scipy.sparse.csc_array((np.ones(len(runs)), places), shape)
    (curve,) = _curves(np.ones((1, len(found))), ended, left)
    if len(found) < FEWEST_FOR_A_MEDIAN:
        return step, curve, np.zeros_like(curve)
    counts = resamples(len(found), 0).astype(np.float64)
    drawn = np.empty((len(counts), len(step)))
    for first in range(0, len(counts), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        drawn[some] = _curves(counts[some], ended, left)
    return step, curve, drawn.std(axis=0)


def _curves(counts: Floats, ended: Any, left: Any) -> Floats:
    """`f64[D, K]`: Kaplan-Meier curves where run n counts `counts[d, n]` times.

    ended, left:  sparse `f64[N, K]`: how many targets of each run are found, and how many leave, at each step
    """
    leaving, ending = (np.ascontiguousarray(counts @ some) for some in (left, ended))
    at_risk = np.cumsum(leaving[:, ::-1], axis=1)[:, ::-1]
    return np.cumprod(1 - ending / np.maximum(at_risk, 1), axis=1)


def _limits(curve: Floats, error: Floats, runs: int) -> tuple[Floats, Floats]:
    if runs < FEWEST_FOR_A_MEDIAN:
        return np.zeros_like(curve), np.ones_like(curve)
    inside = (curve > ROUNDING) & (curve < 1 - ROUNDING)
    share = curve[inside]
    width = special.ndtri(1 - TAIL) * stretch(runs) * error[inside] / (share * (1 - share))
    low, high = curve.copy(), np.where(curve > ROUNDING, curve, unseen(runs))
    low[inside] = special.expit(special.logit(share) - width)
    high[inside] = special.expit(special.logit(share) + width)
    return low, high


def _within(found: Sequence[Plateaus]) -> float | None:
    some = [run for run in found if run.observed.any()]
    ratio = np.array([run.length.max() / run.length[run.observed].min() for run in some])
    known: Bools = np.array([bool(run.observed.all()) for run in some], bool)
    order = np.lexsort((~known, ratio))
    return first_at(ratio[order], kaplan_meier(known[order], np.ones(len(some), np.int64)), 0.5)


def _between(found: Sequence[Plateaus]) -> float | None:
    return summarise(middle(found)).spread


def middle(found: Sequence[Plateaus]) -> Plateaus:
    """`[N]`: the step at which half of the targets of each run are found, of runs with `[R]` targets each."""
    # The targets of a run are all watched equally long, so that the middle one is their median.
    ranked = [ordered(run) for run in found]
    places = [(len(run.length) - 1) // 2 for run in ranked]
    return Plateaus(
        np.array([run.length[k] for run, k in zip(ranked, places, strict=True)], np.int64),
        np.array([run.observed[k] for run, k in zip(ranked, places, strict=True)], bool),
    )
