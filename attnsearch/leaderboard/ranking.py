"""Which mixers are better than which, and how sure that is. Numpy side; never imports jax.

The runs of one seed are one observation: they share the hidden rule, the data and the initialisation key, and
across cells their supports are nested. So seeds are drawn again, or dealt out again, as wholes: all cells
and both mixers at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np

from attnsearch.base import Bools, Floats, Integers
from attnsearch.stats.comparison import RESAMPLES, SIGNIFICANCE, benjamini_hochberg
from attnsearch.stats.permutation import ALL_TIES, SEED, p_value, swaps
from attnsearch.stats.survival import ROUNDING, TAIL, stretch

Ground = Literal["frontier", "plateau"]
"""What separates two mixers: the largest search space that they master, or how long they wait."""


class Scores(NamedTuple):
    """What one mixer did in the C cells of a table; cells and seeds stand in one order for all mixers.

    waited:    `f64[C, N]` steps until escape, the whole budget where there was none
    mastered:  `bool[C, N]`
    """

    waited: Floats
    mastered: Bools


@dataclass(frozen=True)
class Ratio:
    """Restricted mean plateau lengths of one mixer over another's: geometric mean over cells, and its
    bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Pair:
    """Two mixers side by side, by their numbers in a table.

    ratio:       of the first over the second; None where no run of any mixer escapes, or there is one seed
    frontier_p, plateau_p:  that the two are alike, adjusted for all pairs of the table
    better:      the number of the better one, None where they are not separated
    ground:      what separates them
    """

    first: int
    second: int
    ratio: Ratio | None
    frontier_p: float
    plateau_p: float
    better: int | None
    ground: Ground | None


def ratio(candidate: Scores, reference: Scores, cells: Bools) -> Ratio | None:
    """The candidate's restricted means over the reference's, in `cells`, `bool[C]`; None without any,
    and for a single seed.

    Seeds are drawn again in both at once, and drawn values taken away from the one seen by the factor
    `survival.stretch`, as `comparison.compare` does it.
    """
    waits = candidate.waited[cells], reference.waited[cells]
    seeds = waits[0].shape[1]
    if not cells.any() or seeds < 2:
        return None
    seen = _log_ratio(*(wait.sum(axis=1) for wait in waits))
    counts = np.random.default_rng(SEED).multinomial(seeds, np.full(seeds, 1 / seeds), RESAMPLES)
    drawn = seen + stretch(seeds) * (_log_ratio(*(counts @ wait.T for wait in waits)) - seen)
    low, high = np.quantile(drawn, [TAIL, 1 - TAIL])
    return Ratio(*(float(np.exp(value)) for value in (seen, low, high)))


def _log_ratio(candidate: Floats, reference: Floats) -> Floats:
    """`f64[...]`: mean over the last axis, the cells."""
    return np.log(candidate / reference).mean(axis=-1)


def pairs(scores: Sequence[Scores], bits: Sequence[float], cells: Bools) -> list[Pair]:
    """Every pair of mixers; `bits` of all cells, and the `cells`, `bool[C]`, in which anyone escapes.

    Two tests ask whether the two could be exchanged: one by how many more runs the one masters of the search
    spaces between their frontiers, one by the ratio of their restricted means. In each, the two are swapped
    seed by seed, frontiers included, which is exact for any distribution of plateau lengths (Edgington and
    Onghena, Randomization Tests, 2007, chapter 6). All p values together are adjusted (Benjamini and
    Hochberg). Two mixers are separated by their frontiers where that test says so, and otherwise by their
    plateaus where that one does and the interval of the ratio does not hold 1.
    """
    tested = list(combinations(range(len(scores)), 2))
    if not tested:
        return []
    ways = swaps(scores[0].waited.shape[1])
    rungs = _Rungs(bits)
    raw = [_p_values(scores[a], scores[b], cells, rungs, ways) for a, b in tested]
    adjusted = benjamini_hochberg([p for both in raw for p in both]).reshape(-1, 2)
    found = []
    for (a, b), (frontier_p, plateau_p) in zip(tested, adjusted.tolist(), strict=True):
        between = ratio(scores[a], scores[b], cells)
        better, ground = None, None
        if frontier_p <= SIGNIFICANCE:
            first, second = (scores[number].mastered.sum(axis=1) for number in (a, b))
            better, ground = (a if rungs.gap(first, second, ways.shape[1]) > 0 else b), "frontier"
        elif plateau_p <= SIGNIFICANCE and between and not between.low <= 1 <= between.high:
            better, ground = (a if between.value < 1 else b), "plateau"
        found.append(Pair(a, b, between, frontier_p, plateau_p, better, ground))
    return found


def ranks(count: int, pairs: Sequence[Pair]) -> list[int]:
    """Each mixer's rank: one more than the mixers that are better and separated from it, directly or through
    others, so that two that are separated never share a rank. Mixers of a circle share one."""
    better = np.zeros((count, count), bool)
    for pair in pairs:
        if pair.better is not None:
            better[pair.better, pair.second if pair.better == pair.first else pair.first] = True
    for through in range(count):
        better |= np.outer(better[:, through], better[through])
    return (1 + np.sum(better & ~better.T, axis=0)).tolist()


def least_p(seeds: int) -> float:
    """The smallest p value that swapping so many seeds can give; above `SIGNIFICANCE` nothing separates."""
    return 2.0 ** (1 - seeds)


class _Rungs:
    """The search spaces of a table as rungs of a ladder, counted from 1; cells of equal ones share one."""

    def __init__(self, bits: Sequence[float]):
        sizes, rung = np.unique(np.round(bits, 6), return_inverse=True)
        self._rung = rung + 1
        self._members = (np.arange(1, len(sizes) + 1)[:, None] == self._rung).astype(np.float64)

    def frontier(self, mastered: Floats | Integers, seeds: int) -> Integers:
        """`i64[...]`: the highest rung that at least half of the runs master, of the counts `mastered`,
        `[..., C]`; 0 where there is none."""
        share = mastered @ self._members.T / (seeds * self._members.sum(axis=1))
        reached = share >= 0.5 - ROUNDING
        return (reached * np.arange(1, len(self._members) + 1)).max(axis=-1)

    def gap(self, first: Floats | Integers, second: Floats | Integers, seeds: int) -> Floats:
        """`f64[...]`: by how many more runs the first masters, of the counts `[..., C]`, the cells above the
        lower of the two frontiers, up to the higher one; 0 where these are equal."""
        one, other = self.frontier(first, seeds)[..., None], self.frontier(second, seeds)[..., None]
        between = (self._rung > np.minimum(one, other)) & (self._rung <= np.maximum(one, other))
        return ((first - second) * between).sum(axis=-1).astype(np.float64)


def _p_values(
    first: Scores, second: Scores, cells: Bools, rungs: _Rungs, ways: Floats
) -> tuple[float, float]:
    """Of the frontiers and of the restricted means."""
    frontier_p = _extreme(rungs.gap(*_swapped(first.mastered, second.mastered, ways), ways.shape[1]))
    if not cells.any():
        return frontier_p, 1.0
    return frontier_p, _extreme(_log_ratio(*_swapped(first.waited[cells], second.waited[cells], ways)))


def _swapped(first: Floats | Bools, second: Floats | Bools, ways: Floats) -> tuple[Floats, Floats]:
    """`f64[K, C]` each: sums over the seeds of either after each of the `ways`."""
    moved = ways @ (second.astype(np.float64) - first).T
    return first.sum(axis=1) + moved, second.sum(axis=1) - moved


def _extreme(statistic: Floats | Integers) -> float:
    """How often a swap looks at least as different as what was seen, the first."""
    different = np.abs(statistic)
    return p_value(float(different[0]), different, ALL_TIES)
