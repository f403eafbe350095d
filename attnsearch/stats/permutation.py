"""One-sided permutation tests of a candidate against a reference, each with the least p value it could give.

Nothing is assumed but that without any change the runs of a cell could as well be dealt out otherwise
between the two. Numpy side; never imports jax.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from typing import NamedTuple

import numpy as np
from scipy import stats

from attnsearch.base import Floats, Plateaus
from attnsearch.stats.comparison import log_rank_scores
from attnsearch.stats.survival import ROUNDING, pool

HITS = 20
"""Draws at least as extreme as what was seen, after which no more are drawn."""

RESOLUTION = 5
"""Draws go on until a p value so many times smaller than the level could be told."""

_AT_ONCE = 2_000


class Test(NamedTuple):
    """p_value: how often no change would look at least as extreme.

    least: the smallest p value that the same outcomes could have given, dealt out otherwise
    """

    __test__ = False  # for pytest, which collects what is called so

    p_value: float
    least: float


class Waits(NamedTuple):
    """The waiting times of one cell: those of the candidate and those of the reference."""

    candidate: Plateaus
    reference: Plateaus


def longer(cells: Sequence[Waits], level: float) -> Test:
    """Whether the candidate waits longer: a log-rank test stratified by cell, permuted within each.

    Draws stop when the answer is clear (Besag and Clifford 1991, Biometrika 78(2)): p values far above any
    `level` cost little, and those far below it are told only as well as it takes to compare them.
    """
    strata = [(log_rank_scores(pool(waits)), len(waits.candidate.length)) for waits in cells]
    return _permuted(strata, RESOLUTION / level)


def shorter(cells: Sequence[Waits], level: float) -> Test:
    """The same of waiting less long."""
    strata = [(-log_rank_scores(pool(waits)), len(waits.candidate.length)) for waits in cells]
    return _permuted(strata, RESOLUTION / level)


def rarer(waits: Waits) -> Test:
    """Whether the event happens to fewer of the candidate's runs: Fisher's exact test."""
    count, of = int(waits.candidate.observed.sum()), len(waits.candidate.observed)
    both = pool(waits).observed
    happened = stats.hypergeom(len(both), int(both.sum()), of)
    fewest = max(0, of - int((~both).sum()))
    return Test(float(happened.cdf(count)), float(happened.cdf(fewest)))


def ways(cells: Sequence[Waits]) -> int:
    """In how many ways the runs can be dealt out: 1 over the least p value of all."""
    number = 1
    for waits in cells:
        number *= comb(sum(len(group.length) for group in waits), len(waits.candidate.length))
    return number


def _permuted(strata: Sequence[tuple[Floats, int]], draws: float) -> Test:
    """The test of the sum of the first so many scores of every stratum, `f64[N]`, against it if all are
    permuted at least `draws` times."""
    least = float(np.prod([_least(scores, count) for scores, count in strata]))
    seen = sum(scores[:count].sum() for scores, count in strata) - ROUNDING
    resampling = np.random.default_rng(0)
    drawn = hits = 0
    while drawn < draws:
        dealt = np.zeros(_AT_ONCE)
        for scores, count in strata:
            shuffled = resampling.permuted(np.tile(scores, (_AT_ONCE, 1)), axis=1)
            dealt += shuffled[:, :count].sum(axis=1)
        places = np.flatnonzero(dealt >= seen)
        if hits + len(places) >= HITS:
            return Test(HITS / (drawn + int(places[HITS - hits - 1]) + 1), least)
        drawn, hits = drawn + _AT_ONCE, hits + len(places)
    return Test((hits + 1) / (drawn + 1), least)


def _least(scores: Floats, count: int) -> float:
    """The share of all ways to choose `count` of `scores` that have the largest sum."""
    edge = np.sort(scores)[-count]
    tied, above = np.sum(np.abs(scores - edge) < ROUNDING), np.sum(scores > edge + ROUNDING)
    return comb(int(tied), count - int(above)) / comb(len(scores), count)
