"""Fits the scaling law to what was recorded, or says why there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy
from scipy import special

from attnsearch.base import RECORDING_INTERVAL, Floats, Integers, Plateaus
from attnsearch.stats.axis import SEARCH_SPACE, Axis
from attnsearch.stats.frontier import rounded
from attnsearch.stats.interval_regression import Fit, Intervals, intervals_of, maximise
from attnsearch.stats.scaling_law import Law, NoLaw, Residual
from attnsearch.stats.survival import CONFIDENCE, pool

FEWEST_ESCAPED = 3
"""Runs that a slope takes, with one to spare for the noise."""

WORST_CONDITION = 1e4
"""Of a design with a bend, which search spaces that are all but alike tell from a line by rounding alone."""

LARGEST = math.log(1e100)
"""A line that says more steps than this, or multiplies them by more with a bit, is arbitrary: data that leave
one open are fitted by any."""


def fit(bits: Sequence[float], cells: Sequence[Plateaus], axis: Axis = SEARCH_SPACE) -> Law | NoLaw:
    """The law of some cells, given the search space of each, or log2 of what another `axis` counts.

    Their runs count as independent. Nothing about them is an error; where they hold no law, a reason says so.
    """
    counts = [len(cell.length) for cell in cells]
    if not sum(counts):
        return NoLaw("not one run was given")
    runs, cell_of = pool(cells), np.repeat(np.arange(len(cells)), counts)
    size, data = rounded(bits)[cell_of], intervals_of(runs)
    if reason := _obstacle(size, runs, data, axis):
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
    if reason := _arbitrary(intercept, slope, law.sigma, np.unique(size), axis):
        return NoLaw(reason)
    free, locations = _free(cell_of, data)
    # Two sizes have no curvature, nor have three if two of them are all but alike.
    bent = np.column_stack([line, scaled**2])
    curve = maximise(bent, data) if np.linalg.cond(bent) < WORST_CONDITION else None
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
                axis=axis,
            )
            for number, (at, cell) in enumerate(zip(bits, cells, strict=True))
            if len(cell.length)
        ),
        lack_of_fit=_p_value(law, free, escaped, sum(map(bool, counts))),
        curvature=_p_value(law, curve, escaped, 3) if curve else None,
        bends_up=curve is not None and bool(curve.coefficients[2] > 0),
        axis=axis,
    )


def _obstacle(size: Floats, runs: Plateaus, data: Intervals, axis: Axis) -> str | None:
    """Why no line can be drawn."""
    located = _located(size, data)
    if len(np.unique(size)) < 2:
        return f"there is one {axis.one} only ({axis.place(size[0])}), and a slope takes two"
    if not (escaped := np.count_nonzero(runs.observed)):
        return f"none of {len(size)} runs escaped"
    if not len(located):
        return f"every escape fell within the first {RECORDING_INTERVAL} steps, one recorded point"
    if len(located) < 2:
        return (
            f"escapes can be timed at one {axis.one} only ({axis.place(located[0])}), and a slope takes two"
        )
    if escaped < FEWEST_ESCAPED:
        return f"{escaped} runs escaped, and a slope with its noise takes {FEWEST_ESCAPED}"
    return None


def _arbitrary(intercept: float, slope: float, sigma: float, sizes: Floats, axis: Axis) -> str | None:
    """Why the likeliest line is not to be believed."""
    lines = {float(at): intercept + slope * float(at) for at in sizes}
    bits, steps = max(lines.items(), key=lambda point: abs(point[1]))
    for number, words in (
        (slope, f"multiplies plateaus by {{}} with each {axis.each}"),
        (steps, f"says {{}} steps at {axis.place(bits)}"),
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
    return float(special.fdtrc(extra, left, math.expm1(ratio / escaped) * left / extra))


def _slope_interval(scaled: Floats, data: Intervals, law: Fit) -> tuple[float, float]:
    """The slopes that the likelihood ratio does not reject, in scaled units.

    It is calibrated as `_p_value` is, but censored runs count: without them it covers too much.
    """
    left = len(scaled) - 2
    allowed = len(scaled) / 2 * math.log1p(float(special.fdtri(1, left, CONFIDENCE)) / left)
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
        root = scipy.optimize.root_scalar(
            lambda r: excess(best + side * r), bracket=(0.0, reach), xtol=1e-4 * width, method="brentq"
        )
        return root.root

    low, high = (best + side * end(side) for side in (-1, 1))
    return low, high
