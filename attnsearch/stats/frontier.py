"""The frontier: the largest search space that is mastered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attnsearch.base import Floats
from attnsearch.stats.survival import Proportion, proportion


@dataclass(frozen=True)
class Size:
    """The runs of one search space, and how many of them master it."""

    bits: float
    mastered: Proportion


@dataclass(frozen=True)
class Frontier:
    """The largest search space that at least half of the runs master within the budget, with its bracket.

    reached:  that search space; None where none is mastered by half
    beyond:   the next larger one that was tried, or the smallest where none is reached; None where the
              largest is
    missed:   bits of smaller ones that fewer than half master: then the frontier is not a clear edge
    """

    reached: Size | None
    beyond: Size | None
    missed: tuple[float, ...]

    @property
    def settled(self) -> bool:
        """Whether the intervals of both mastery rates stay on their sides of one half."""
        return (self.reached is None or self.reached.mastered.low >= 0.5) and (
            self.beyond is None or self.beyond.mastered.high < 0.5
        )


def frontier(bits: Sequence[float], mastered: Sequence[int], runs: Sequence[int]) -> Frontier:
    """The frontier of some cells: the search space of each, its runs, and how many mastered every target.

    Cells of equal search space count as one. A smaller one that is missed moves nothing: it is reported.
    """
    grouped: dict[float, tuple[int, int]] = {}
    for size, count, of in zip(rounded(bits), mastered, runs, strict=True):
        before = grouped.get(float(size), (0, 0))
        grouped[float(size)] = (before[0] + count, before[1] + of)
    sizes = [Size(size, proportion(*grouped[size])) for size in sorted(grouped)]
    reached = [size for size in sizes if 2 * size.mastered.count >= size.mastered.of]
    largest = reached[-1] if reached else None
    larger = [size for size in sizes if largest is None or size.bits > largest.bits]
    smaller = sizes[: len(sizes) - len(larger)]
    return Frontier(
        reached=largest,
        beyond=larger[0] if larger else None,
        missed=tuple(size.bits for size in smaller if size not in reached),
    )


def rounded(bits: Sequence[float]) -> Floats:
    """`f64[N]`: search spaces, those that are equal but for rounding made equal."""
    # Means over runs of the same number differ in their last digits.
    return np.round(np.asarray(bits, np.float64), 6)
