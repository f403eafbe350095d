"""Permutation tests: what was seen, beside what would be seen had the same outcomes come otherwise.

Nothing is assumed but that without any difference every arrangement of the outcomes is as likely. Outcomes
are dealt out between two groups, or swapped within pairs. Numpy side; never imports jax.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import combinations, product
from math import comb
from typing import NamedTuple

import numpy as np

from attnsearch.base import Floats, Integers
from attnsearch.stats.survival import ROUNDING

ALL_UP_TO = 20_000
"""Up to so many arrangements, all are gone through; beyond, `DRAWS` are drawn."""

DRAWS = 9_999

SEED = 0
"""Of every resampling: the same runs give the same numbers."""

ALL_TIES = 1.0
"""The share of ties that count in an exact test, which never rejects too often (Phipson and Smyth 2010)."""

HALF_OF_TIES = 0.5
"""The same of the mid-p value (Lancaster 1961). Where ties are many, the exact test rejects too rarely."""

HITS = 20
"""Draws that look at least as extreme as what was seen, after which `p_value_by_draws` draws no more."""

_AT_ONCE = 2_000


class Stratum(NamedTuple):
    """Outcomes that are dealt out among themselves.

    scores: `f64[N]`, one an outcome
    group:  the first so many were seen in the group that is tested
    """

    scores: Floats
    group: int


@lru_cache(maxsize=16)
def deals(runs: int, group: int) -> Integers:
    """`i64[K, group]`: places of the runs that are dealt to the group, in each of all ways or of `DRAWS`."""
    if comb(runs, group) <= ALL_UP_TO:
        return np.array(list(combinations(range(runs), group)))
    dealt = np.tile(np.arange(runs), (DRAWS, 1))
    return np.random.default_rng(SEED).permuted(dealt, axis=1)[:, :group].copy()


def swaps(pairs: int) -> Floats:
    """`f64[K, pairs]`: 1 where a pair changes sides, in each of all ways or of `DRAWS`.

    The first way swaps nothing. To swap all pairs is to swap none, for whoever asks how different the sides
    are: of such two ways one is listed.
    """
    if 2 ** (pairs - 1) <= ALL_UP_TO:
        return np.array(list(product([0.0], *([[0.0, 1.0]] * (pairs - 1)))))
    drawn = np.random.default_rng(SEED).integers(0, 2, (DRAWS, pairs)).astype(np.float64)
    return np.concatenate([np.zeros((1, pairs)), drawn])


def p_value(seen: float, arranged: Floats, ties: float) -> float:
    """The share of `arranged`, `f64[K]`, that is more extreme than `seen`. Larger is more extreme.

    ties: the share of equal ones that counts too, `ALL_TIES` or `HALF_OF_TIES`

    `seen` must be among `arranged`.
    """
    more, equal = arranged > seen + ROUNDING, np.abs(arranged - seen) <= ROUNDING
    return float(more.mean() + ties * equal.mean())


def p_value_by_draws(strata: Sequence[Stratum], draws: float) -> float:
    """An exact p value of the sum of scores of the tested groups, by at least `draws` arrangements.

    Drawing stops when the answer is clear (Besag and Clifford 1991, Biometrika 78(2)).
    """
    seen, drawn, hits = sum(scores[:group].sum() for scores, group in strata) - ROUNDING, 0, 0
    for dealt in _sums(strata):
        places = np.flatnonzero(dealt >= seen)
        if hits + len(places) >= HITS:
            return HITS / (drawn + int(places[HITS - hits - 1]) + 1)
        drawn, hits = drawn + len(dealt), hits + len(places)
        if drawn >= draws:
            break
    return (hits + 1) / (drawn + 1)


def least_p_value(strata: Iterable[Stratum]) -> float:
    """The share of all arrangements whose sum is largest: what no exact p value goes below."""
    return float(np.prod([_most_extreme(*stratum) for stratum in strata]))


def _sums(strata: Sequence[Stratum]) -> Iterator[Floats]:
    """Without end: sums over the tested groups, `_AT_ONCE` arrangements at a time."""
    drawing = np.random.default_rng(SEED)
    while True:
        dealt = np.zeros(_AT_ONCE)
        for scores, group in strata:
            shuffled = drawing.permuted(np.tile(scores, (_AT_ONCE, 1)), axis=1)
            dealt += shuffled[:, :group].sum(axis=1)
        yield dealt


def _most_extreme(scores: Floats, group: int) -> float:
    """The share of all ways to choose `group` of `scores` that have the largest sum."""
    edge = np.sort(scores)[-group]
    tied, above = np.sum(np.abs(scores - edge) < ROUNDING), np.sum(scores > edge + ROUNDING)
    return comb(int(tied), group - int(above)) / comb(len(scores), group)
