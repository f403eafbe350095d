"""One-sided tests of a candidate against a reference, each with the least p value it could give.

Nothing is assumed but that without any change the runs of a cell could as well be dealt out otherwise
between the two. Numpy side; never imports jax.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from typing import NamedTuple

import scipy

from attnsearch.base import Plateaus
from attnsearch.stats.log_rank import log_rank_scores
from attnsearch.stats.permutation import Stratum, least_p_value, p_value_by_draws
from attnsearch.stats.survival import pool

RESOLUTION = 5
"""Draws go on until a p value so many times smaller than the level could be told."""


class OneSided(NamedTuple):
    """A one-sided test.

    p_value: how often no change would look at least as extreme
    least:   the smallest p value that the same outcomes could have given, dealt out otherwise
    """

    p_value: float
    least: float


class Waits(NamedTuple):
    """The waiting times of one cell, of the candidate and of the reference."""

    candidate: Plateaus
    reference: Plateaus


def longer(cells: Sequence[Waits], level: float) -> OneSided:
    """Whether the candidate waits longer: a log-rank test stratified by cell, permuted within each.

    p values far above `level` cost little. Those far below it are told only as well as it takes to compare.
    """
    return _permuted([Stratum(log_rank_scores(pool(waits)), _size(waits)) for waits in cells], level)


def shorter(cells: Sequence[Waits], level: float) -> OneSided:
    """Whether the candidate waits less long, by the same test."""
    return _permuted([Stratum(-log_rank_scores(pool(waits)), _size(waits)) for waits in cells], level)


def rarer(waits: Waits) -> OneSided:
    """Whether the event happens to fewer of the candidate's runs: Fisher's exact test."""
    count, of = int(waits.candidate.observed.sum()), _size(waits)
    both = pool(waits).observed
    happened = scipy.stats.hypergeom(len(both), int(both.sum()), of)
    fewest = max(0, of - int((~both).sum()))
    return OneSided(float(happened.cdf(count)), float(happened.cdf(fewest)))


def ways(cells: Sequence[Waits]) -> int:
    """In how many ways the runs can be dealt out: 1 over the least p value of all."""
    number = 1
    for waits in cells:
        number *= comb(sum(len(group.length) for group in waits), _size(waits))
    return number


def _size(waits: Waits) -> int:
    return len(waits.candidate.length)


def _permuted(strata: Sequence[Stratum], level: float) -> OneSided:
    return OneSided(p_value_by_draws(strata, RESOLUTION / level), least_p_value(strata))
