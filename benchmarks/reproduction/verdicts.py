"""Comparisons, and the four verdicts that follow from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from attnsearch.base import Floats, Integers, Plateaus
from attnsearch.results.cells import Cell
from attnsearch.stats.comparison import Comparison, benjamini_hochberg, compare
from attnsearch.stats.survival import CONFIDENCE
from benchmarks.reproduction.archive import waits
from benchmarks.reproduction.writing import spanned

REPRODUCED, DIRECTION = "reproduced", "reproduced in direction"
REFUTED, OPEN = "not reproduced", "not decided"

WIDEST = 4
"""An interval over more than this factor says too little to confirm a number, or to refute it."""

WIDEST_ROWS, NEAR_ROWS = 4, 2
"""The same of rows unlearned, of 16; and how many off are still in direction."""

TOLERANCE = 1.25
"""A ratio whose interval ends below it is no growth; one that begins above its inverse, no help."""


def versus(
    candidate: Cell | None, reference: Cell | None, steps: Callable[[Cell], Plateaus] = waits
) -> Comparison | None:
    """Plateaus, or other `steps`, compared up to the shorter of two budgets; None where either has no
    runs."""
    if candidate is None or reference is None:
        return None
    horizon = min(cell.spec.budget.steps for cell in (candidate, reference))
    return compare(steps(candidate), steps(reference), horizon)


@dataclass(frozen=True)
class Judged:
    """Some comparisons of an experiment by name, None for those that could not be made, and what each says
    with p adjusted over all of the experiment."""

    comparisons: Mapping[str, Comparison | None]
    said: Mapping[str, str]

    def __str__(self) -> str:
        return "; ".join(f"{name}: {ratio(one)}" for name, one in self.comparisons.items())

    @property
    def words(self) -> list[str]:
        """What each says."""
        return [self.said.get(name, "missing") for name in self.comparisons]

    def order(self, claimed: str, *, reduced: bool = False) -> str:
        """The verdict on the claim that all candidates are "longer", or "shorter", than their references."""
        if {"longer": "shorter", "shorter": "longer"}[claimed] in self.words:
            return REFUTED
        return held(set(self.words) == {claimed}, reduced)

    def no(self, denied: str, *, reduced: bool = False) -> str:
        """The verdict on the claim that none is "longer", or "shorter", by more than `TOLERANCE`."""
        if denied in self.words:
            return REFUTED
        known = [one for one in self.comparisons.values() if one is not None]
        within = [one.high < TOLERANCE if denied == "longer" else one.low > 1 / TOLERANCE for one in known]
        return held(len(known) == len(self.comparisons) and all(within), reduced)


def judged(**groups: Mapping[str, Comparison | None]) -> dict[str, Judged]:
    """The comparisons of an experiment, with p values adjusted over all of them."""
    places = [(group, name) for group, members in groups.items() for name, one in members.items() if one]
    made = [one for group, name in places if (one := groups[group][name])]
    values = benjamini_hochberg([one.p_value for one in made]) if made else []
    said = {place: one.verdict(float(p)) for place, one, p in zip(places, made, values, strict=True)}
    return {
        group: Judged(members, {name: said[group, name] for name in members if (group, name) in said})
        for group, members in groups.items()
    }


def held(holds: bool, reduced: bool) -> str:
    """The verdict on what holds, or is open."""
    return OPEN if not holds else DIRECTION if reduced else REPRODUCED


def lower(one: Comparison | None, other: Comparison | None, *, reduced: bool = False) -> str:
    """The verdict on the claim that one ratio is below another: their intervals lie apart."""
    if one is None or other is None:
        return OPEN
    return REFUTED if one.low > other.high else held(one.high < other.low, reduced)


def ratio(comparison: Comparison | None) -> str:
    """With its interval."""
    return "missing" if comparison is None else spanned(comparison.ratio, comparison.low, comparison.high, 2)


def close(published: float, error: float, value: float, low: float, high: float) -> str:
    """The verdict on a number above 0, read off a figure to `error`, and on ours with its interval."""
    if not low > 0 or high > WIDEST * low:
        return OPEN
    if low - error <= published <= high + error:
        return REPRODUCED
    return DIRECTION if 0.5 <= value / published <= 2 else REFUTED


def near(published: float, error: float, value: float, low: float, high: float) -> str:
    """The same of a number of rows, which may be 0."""
    if not high - low <= WIDEST_ROWS:
        return OPEN
    if low - error <= published <= high + error:
        return REPRODUCED
    return DIRECTION if abs(value - published) <= NEAR_ROWS else REFUTED


def mean_interval(values: Sequence[float] | Floats) -> tuple[float, float, float]:
    """Mean with Student's interval; of one value, everything."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, -np.inf, np.inf
    width = stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * stats.sem(values)
    return mean, float(mean - width), float(mean + width)


def rank_correlation(
    one: Sequence[float] | Floats | Integers, other: Sequence[float] | Floats
) -> list[float]:
    """Spearman's, and its p value."""
    return np.asarray(stats.spearmanr(one, other), np.float64).tolist()


def sign(values: Sequence[float] | Floats, claimed: int) -> str:
    """The verdict on the claim that values of runs are positive, or negative."""
    if len(values) < 2:
        return OPEN
    _, low, high = mean_interval(claimed * np.asarray(values))
    return REPRODUCED if low > 0 else REFUTED if high < 0 else OPEN
