"""The scaling law: how the plateau length grows with the search space, as it was fitted.

An accelerated-failure-time model (Kalbfleisch and Prentice, The Statistical Analysis of Failure Time Data,
2002, chapters 2 and 3): log plateau = intercept + slope x bits + sigma x noise, the noise standard normal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy
from scipy import special

from attnsearch.stats.axis import SEARCH_SPACE, Axis
from attnsearch.stats.frontier import rounded
from attnsearch.stats.survival import CONFIDENCE

MISFIT = 0.01
"""The law does not fit where data that follow it would look so bad more rarely than this."""

DOUBT = 0.1
"""Below this p, data speak against the law, though above `MISFIT` too weakly to refuse it."""

WORST = 3
"""Cells that are named where the law does not fit."""


@dataclass(frozen=True)
class Residual:
    """A cell beside the law. Lengths are medians, in steps.

    runs, observed:  how many, and how many of them escaped
    waited:          the longest time in the cell, until escape or in vain
    length:          by the cell's runs alone, with the noise that all cells have in common; None where they
                     only bound it, since none escaped, or each within the first recorded interval
    by_law:          by the law
    axis:            what `bits` are log2 of
    """

    bits: float
    runs: int
    observed: int
    waited: int
    length: float | None
    by_law: float
    axis: Axis = SEARCH_SPACE

    @property
    def factor(self) -> float | None:
        """The cell's plateau over the law's."""
        return None if self.length is None else self.length / self.by_law

    @property
    def bound(self) -> float | None:
        """In place of the factor where there is none: what it is above, or below if any run escaped. None
        where that says nothing, because the law is on the same side."""
        if self.length is not None:
            return None
        bound = self.waited / self.by_law
        return bound if (bound < 1) == (self.observed > 0) else None

    @property
    def reason(self) -> str:
        """In words."""
        place = f"at {self.axis.place(self.bits)}"
        if self.factor is not None:
            return f"{self.factor:.2f} times the law {place}"
        if self.observed:
            return f"{self.waited:,} steps at most {place}, where the law says {self.by_law:,.0f}"
        return f"no escape in {self.waited:,} steps {place}, where the law says {self.by_law:,.0f}"


@dataclass(frozen=True)
class Law:
    """log plateau = intercept + slope x bits + sigma x noise, in nats of steps, as fitted.

    slope_low, slope_high:  95 % interval, from the profile of the likelihood; it takes the law for granted
    residuals:              cell by cell
    lack_of_fit:            p-value against a median of its own for each cell; None for two cells, and where
                            no more runs escaped than there are cells
    curvature:              p-value against a term in bits squared; None for two sizes, and where no more
                            than three runs escaped
    bends_up:               whether that term is positive
    axis:                   what bits are log2 of
    """

    runs: int
    observed: int
    intercept: float
    slope: float
    slope_low: float
    slope_high: float
    sigma: float
    residuals: tuple[Residual, ...]
    lack_of_fit: float | None
    curvature: float | None
    bends_up: bool
    axis: Axis = SEARCH_SPACE

    @property
    def factors(self) -> tuple[float, float, float]:
        """By what each added bit multiplies the plateau, and the ends of the interval."""
        return math.exp(self.slope), _exp(self.slope_low), _exp(self.slope_high)

    @property
    def factors_over_cells(self) -> tuple[float, float] | None:
        """95 % interval of the same, of a straight line through the cells, each a single point.

        It counts how the cells scatter about the line, hence holds where the law does not fit, as long as
        cells do not lie off it for a common reason. None for two cells, and where one has no length.
        """
        lengths = [cell.length for cell in self.residuals if cell.length is not None]
        if len(lengths) < max(3, len(self.residuals)):
            return None
        bits = [cell.bits for cell in self.residuals]
        slope, _, _, _, error = scipy.stats.linregress(bits, np.log(lengths))
        width = special.stdtrit(len(lengths) - 2, (1 + CONFIDENCE) / 2) * error
        return _exp(float(slope - width)), _exp(float(slope + width))

    @property
    def p_value(self) -> float | None:
        """Of the worse of the two tests, corrected for their number; None where there is none."""
        tests = [p for p in (self.lack_of_fit, self.curvature) if p is not None]
        return min(1.0, min(tests) * self._tests) if tests else None

    @property
    def _tests(self) -> int:
        # With three cells the two are one test under two names.
        return 2 if self._sizes > 2 and len(self.residuals) > 3 else 1

    @property
    def _sizes(self) -> int:
        return len(np.unique(rounded([cell.bits for cell in self.residuals])))

    @property
    def fits(self) -> bool | None:
        """None where it cannot be told, because there are two sizes, or because too few runs escaped."""
        if self.p_value is None:
            return None
        return False if self.p_value < MISFIT else True if self._sizes > 2 else None

    @property
    def reason(self) -> str:
        """Why it fits or does not, or cannot be told to, in words."""
        if self.fits is None and self._sizes < 3:
            return f"two {self.axis.several} cannot show whether the law fits"
        if self.fits is None:
            return f"{self.observed} escapes are too few to show whether the law fits"
        if self.fits and self.p_value is not None and self.p_value < DOUBT:
            return (
                "the data speak against the law, but too weakly to refuse it"
                f" (p = {self.p_value:.2g}; below {MISFIT:g} it is refused)"
            )
        if self.fits:
            return f"nothing speaks against the law (p = {self.p_value:.2g})"
        if self.curvature is None or self.curvature * self._tests >= MISFIT:
            how = "cells lie off the line by more than their runs scatter"
        else:
            faster = "faster" if self.bends_up else "more slowly"
            how = f"plateaus grow {faster} at large {self.axis.several}"
        off = [cell for cell in self.residuals if cell.factor or cell.bound]
        off.sort(key=lambda cell: -abs(math.log(cell.factor or cell.bound or 1.0)))
        return f"{how} (p = {self.p_value:.1g}): " + "; ".join(cell.reason for cell in off[:WORST])

    def median(self, bits: float) -> float:
        """Steps until half of the runs have escaped."""
        return math.exp(self.intercept + self.slope * bits)


@dataclass(frozen=True)
class NoLaw:
    """Why there is none, in words."""

    reason: str


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf
