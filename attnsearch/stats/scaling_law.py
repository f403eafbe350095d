"""The law: how the plateau length grows with the search space, and the largest one that is mastered.

An accelerated-failure-time model (Kalbfleisch and Prentice, The Statistical Analysis of Failure Time Data,
2002, chapters 2 and 3): log plateau = intercept + slope x bits + sigma x noise, the noise standard normal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from attnsearch.base import RECORDING_INTERVAL, Floats, Integers, Plateaus
from attnsearch.stats.interval_regression import Fit, Intervals, intervals_of, maximise
from attnsearch.stats.survival import CONFIDENCE, Proportion, pool, proportion

MISFIT = 0.01
"""The law does not fit where data that follow it would look so bad more rarely than this."""

FEWEST_ESCAPED = 3
"""Runs that a slope takes, with one to spare for the noise."""

WORST = 3
"""Cells that are named where the law does not fit."""

LARGEST = math.log(1e100)
"""A line that says more steps than this, or multiplies them by more with a bit, is arbitrary: data that leave
one open are fitted by any."""


@dataclass(frozen=True)
class Residual:
    """A cell beside the law. Lengths are medians, in steps.

    runs, observed:  how many, and how many of them escaped
    waited:          the longest time in the cell, until escape or in vain
    length:          by the cell's runs alone, with the noise that all cells have in common; None where they
                     only bound it, since none escaped, or each within the first recorded interval
    by_law:          by the law
    """

    bits: float
    runs: int
    observed: int
    waited: int
    length: float | None
    by_law: float

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
        place = f"at {self.bits:.1f} bits"
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
        slope, _, _, _, error = stats.linregress([cell.bits for cell in self.residuals], np.log(lengths))
        width = stats.t.ppf((1 + CONFIDENCE) / 2, len(lengths) - 2) * error
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
        return len(np.unique(_rounded([cell.bits for cell in self.residuals])))

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
            return "two search spaces cannot show whether the law fits"
        if self.fits is None:
            return f"{self.observed} escapes are too few to show whether the law fits"
        if self.fits:
            return f"nothing speaks against the law (p = {self.p_value:.2g})"
        if self.curvature is None or self.curvature * self._tests >= MISFIT:
            how = "cells lie off the line by more than their runs scatter"
        else:
            how = f"plateaus grow {'faster' if self.bends_up else 'more slowly'} at large search spaces"
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
    missed:   bits of smaller ones that fewer than half master: then the frontier is no clear edge
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


def fit(bits: Sequence[float], cells: Sequence[Plateaus]) -> Law | NoLaw:
    """The law of some cells, given the search space of each.

    Their runs count as independent. Nothing about them is an error; where they hold no law, a reason says so.
    """
    counts = [len(cell.length) for cell in cells]
    if not sum(counts):
        return NoLaw("there are no runs")
    runs, cell_of = pool(cells), np.repeat(np.arange(len(cells)), counts)
    size, data = _rounded(bits)[cell_of], intervals_of(runs)
    if reason := _obstacle(size, runs, data):
        return NoLaw(reason)

    # In centred and scaled units every coefficient is of order one.
    middle = float(np.log(runs.length[runs.observed]).mean())
    data = Intervals(data.low - middle, data.high - middle)
    centre, scale = float(size.mean()), float(size.std())
    scaled = (size - centre) / scale
    line = np.column_stack([np.ones_like(scaled), scaled])
    law = maximise(line, data)
    slope = float(law.coefficients[1]) / scale
    intercept = middle + float(law.coefficients[0]) - slope * centre
    if reason := _arbitrary(intercept, slope, law.sigma, np.unique(size)):
        return NoLaw(reason)
    free, locations = _free(cell_of, data)
    # Two sizes have no curvature, nor have three of which two are all but one.
    bent = np.column_stack([line, scaled**2])
    curve = maximise(bent, data) if np.linalg.matrix_rank(bent) == 3 else None
    slope_low, slope_high = _slope_interval(scaled, data, law)

    escaped = int(runs.observed.sum())
    return Law(
        runs=len(size),
        observed=escaped,
        intercept=intercept,
        slope=slope,
        slope_low=slope_low / scale,
        slope_high=slope_high / scale,
        sigma=law.sigma,
        residuals=tuple(
            Residual(
                bits=float(at),
                runs=len(cell.length),
                observed=int(cell.observed.sum()),
                waited=int(cell.length.max()),
                length=_steps(middle + locations[number]) if number in locations else None,
                by_law=math.exp(intercept + slope * at),
            )
            for number, (at, cell) in enumerate(zip(bits, cells, strict=True))
            if len(cell.length)
        ),
        lack_of_fit=_p_value(law, free, escaped, sum(map(bool, counts))),
        curvature=_p_value(law, curve, escaped, 3) if curve else None,
        bends_up=curve is not None and bool(curve.coefficients[2] > 0),
    )


def frontier(bits: Sequence[float], mastered: Sequence[int], runs: Sequence[int]) -> Frontier:
    """The frontier of some cells: the search space of each, its runs, and how many mastered every target.

    Cells of equal search space count as one. A smaller one that is missed moves nothing: it is reported.
    """
    grouped: dict[float, tuple[int, int]] = {}
    for size, count, of in zip(_rounded(bits), mastered, runs, strict=True):
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


def _rounded(bits: Sequence[float]) -> Floats:
    # Means over runs of the same number differ in their last digits.
    return np.round(np.asarray(bits, np.float64), 6)


def _obstacle(size: Floats, runs: Plateaus, data: Intervals) -> str | None:
    """Why no line can be drawn."""
    located = _located(size, data)
    if len(np.unique(size)) < 2:
        return f"there is one search space only ({size[0]:.1f} bits), and a slope takes two"
    if not (escaped := np.count_nonzero(runs.observed)):
        return f"none of {len(size)} runs escaped"
    if not len(located):
        return f"every escape fell within the first {RECORDING_INTERVAL} steps, one recorded point"
    if len(located) < 2:
        return f"escapes can be timed at one search space only ({located[0]:.1f} bits), and a slope takes two"
    if escaped < FEWEST_ESCAPED:
        return f"{escaped} runs escaped, and a slope with its noise takes {FEWEST_ESCAPED}"
    return None


def _arbitrary(intercept: float, slope: float, sigma: float, sizes: Floats) -> str | None:
    """Why the likeliest line is not to be believed."""
    lines = {float(at): intercept + slope * float(at) for at in sizes}
    bits, steps = max(lines.items(), key=lambda point: abs(point[1]))
    for number, words in (
        (slope, "multiplies plateaus by {} with each bit"),
        (steps, f"says {{}} steps at {bits:.1f} bits"),
        (sigma, "lets runs of a cell differ by a factor of {}"),
    ):
        if not abs(number) <= LARGEST:
            power = f"10^{number / math.log(10):.0f}"
            return f"the runs leave the line open: the likeliest {words.format(power)}"
    return None


def _steps(logarithm: float) -> float | None:
    """The number of steps, or None where it is arbitrary."""
    return math.exp(logarithm) if abs(logarithm) <= LARGEST else None


def _located(group_of: Floats | Integers, data: Intervals) -> Floats | Integers:
    """The groups whose runs bound their median on both sides; another is fitted perfectly by an infinity."""
    return np.intersect1d(group_of[np.isfinite(data.low)], group_of[np.isfinite(data.high)])


def _free(cell_of: Integers, data: Intervals) -> tuple[Fit, dict[int, float]]:
    """The fit with a median of its own for each cell, and these, in log steps, by number."""
    located = _located(cell_of, data)
    kept = np.isin(cell_of, located)
    design = (cell_of[kept, None] == located).astype(np.float64)
    free = maximise(design, Intervals(data.low[kept], data.high[kept]))
    return free, dict(zip(located.tolist(), free.coefficients.tolist(), strict=True))


def _p_value(law: Fit, wider: Fit, escaped: int, parameters: int) -> float | None:
    """Of the law against a `wider` model with that many coefficients; None where nothing is left over.

    The likelihood ratio, read as the F ratio that it is a function of where nothing is censored and nothing
    rounded: exact there, where the asymptotic chi-square is too ready to say that a law does not fit.
    Censored runs count for nothing here, else it would be so again (benchmarks/law_validity.py).
    """
    extra, left = parameters - len(law.coefficients), escaped - parameters
    if extra < 1 or left < 1:
        return None
    ratio = 2 * max(0.0, wider.log_likelihood - law.log_likelihood)
    return float(stats.f.sf(math.expm1(ratio / escaped) * left / extra, extra, left))


def _slope_interval(scaled: Floats, data: Intervals, law: Fit) -> tuple[float, float]:
    """The slopes that the likelihood ratio does not reject, in scaled units.

    It is calibrated as `_p_value` is, but censored runs count: without them it covers too much.
    """
    left = len(scaled) - 2
    allowed = len(scaled) / 2 * math.log1p(float(stats.f.ppf(CONFIDENCE, 1, left)) / left)
    level = np.ones((len(scaled), 1))

    def excess(slope: float) -> float:
        shift = slope * scaled
        fixed = maximise(level, Intervals(data.low - shift, data.high - shift))
        return law.log_likelihood - fixed.log_likelihood - allowed

    best, width = float(law.coefficients[1]), 2 * law.sigma / math.sqrt(len(scaled))
    if not excess(best) < 0:
        # The likelihood is so flat that its maximum was missed: nothing bounds the slope.
        return -math.inf, math.inf

    def end(side: int) -> float:
        reach = width
        while excess(best + side * reach) < 0:
            reach *= 2
            if reach > 1e3:
                return math.inf
        root = optimize.root_scalar(
            lambda r: excess(best + side * r), bracket=(0.0, reach), xtol=1e-4 * width, method="brentq"
        )
        return root.root

    low, high = (best + side * end(side) for side in (-1, 1))
    return low, high


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf
