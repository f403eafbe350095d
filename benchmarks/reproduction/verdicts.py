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
"""An interval that spans more than this factor neither confirms a number nor refutes it."""

NEAR = 2
"""A number within this factor of the published one still has its direction."""

WIDEST_ROWS, NEAR_ROWS = 4, 2
"""`WIDEST` and `NEAR` of rows left unlearned, of 16: differences in place of factors."""

TOLERANCE = 1.25
"""A ratio whose interval ends below it did not get longer; above its inverse, it did not get shorter."""


def versus(
    candidate: Cell | None, reference: Cell | None, steps: Callable[[Cell], Plateaus] = waits
) -> Comparison | None:
    """Plateaus, or other `steps`, compared up to the shorter of two budgets; None where runs are missing."""
    if candidate is None or reference is None:
        return None
    horizon = min(cell.spec.budget.steps for cell in (candidate, reference))
    return compare(steps(candidate), steps(reference), horizon)


@dataclass(frozen=True)
class Judged:
    """Some comparisons of an experiment.

    comparisons:  by name; None where runs are missing
    said:         what each one says, with p adjusted over all comparisons of the experiment
    """

    comparisons: Mapping[str, Comparison | None]
    said: Mapping[str, str]

    def __str__(self) -> str:
        return "; ".join(f"{name}: {ratio(one)}" for name, one in self.comparisons.items())

    @property
    def words(self) -> list[str]:
        """What each comparison says."""
        return [self.said.get(name, "missing") for name in self.comparisons]

    def order(self, claimed: str, *, reduced: bool = False) -> str:
        """The verdict on the claim that all candidates are "longer", or "shorter", than their references."""
        if {"longer": "shorter", "shorter": "longer"}[claimed] in self.words:
            return REFUTED
        return held(set(self.words) == {claimed}, reduced)

    def no(self, denied: str, *, reduced: bool = False) -> str:
        """The verdict on the claim that nothing gets "longer", or "shorter", by more than `TOLERANCE`."""
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
    """The verdict on a claim that holds, or is open."""
    return OPEN if not holds else DIRECTION if reduced else REPRODUCED


def lower(one: Comparison | None, other: Comparison | None, *, reduced: bool = False) -> str:
    """The verdict on the claim that `one` ratio is below the `other`: their intervals lie apart."""
    if one is None or other is None:
        return OPEN
    return REFUTED if one.low > other.high else held(one.high < other.low, reduced)


def ratio(comparison: Comparison | None) -> str:
    """A ratio with its interval."""
    return "missing" if comparison is None else spanned(comparison.ratio, comparison.low, comparison.high, 2)


def close(published: float, error: float, value: float, low: float, high: float) -> str:
    """The verdict on our number above 0, with its interval; the published one was read to `error`."""
    if not low > 0 or high > WIDEST * low:
        return OPEN
    if low - error <= published <= high + error:
        return REPRODUCED
    return DIRECTION if 1 / NEAR <= value / published <= NEAR else REFUTED


def near(published: float, error: float, value: float, low: float, high: float) -> str:
    """The verdict on a number of rows, which may be 0."""
    if not high - low <= WIDEST_ROWS:
        return OPEN
    if low - error <= published <= high + error:
        return REPRODUCED
    return DIRECTION if abs(value - published) <= NEAR_ROWS else REFUTED


def mean_interval(values: Sequence[float] | Floats) -> tuple[float, float, float]:
    """The mean with Student's interval, which is infinite for one value."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, -np.inf, np.inf
    width = stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * stats.sem(values)
    return mean, float(mean - width), float(mean + width)


def rank_correlation(
    one: Sequence[float] | Floats | Integers, other: Sequence[float] | Floats
) -> list[float]:
    """Spearman's rank correlation, and its p value."""
    return np.asarray(stats.spearmanr(one, other), np.float64).tolist()


def sign(values: Sequence[float] | Floats, claimed: int) -> str:
    """The verdict on the claim that the values of runs are positive (`claimed` is 1) or negative (-1)."""
    if len(values) < 2:
        return OPEN
    _, low, high = mean_interval(claimed * np.asarray(values))
    return REPRODUCED if low > 0 else REFUTED if high < 0 else OPEN
