"""The law on simulated plateaus, where the truth is known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from helpers.waiting import simulated, waiting
from scipy import stats

from attnsearch.base import Floats, Plateaus
from attnsearch.stats.law_fit import fit
from attnsearch.stats.scaling_law import MISFIT, Law, Residual

BITS = [3.0, 4.5, 6.0, 7.5, 9.0]


def law_of(bits: Sequence[float], cells: Sequence[Plateaus]) -> Law:
    law = fit(bits, cells)
    assert isinstance(law, Law)
    return law


def on_a_line(intercept: float = 4.0, slope: float = 0.35) -> list[float]:
    return [intercept + slope * bits for bits in BITS]


# The law itself.


@pytest.mark.parametrize("budget", [math.inf, 600.0, 300.0])
def test_a_known_law_is_recovered(budget: float) -> None:
    cells = simulated(np.random.default_rng(0), on_a_line(), 400, budget=budget)
    law = law_of(BITS, cells)
    censored = law.runs - law.observed
    assert (law.runs, censored) == (2000, sum(int((~cell.observed).sum()) for cell in cells))
    assert (censored > 600) == (budget < math.inf)
    assert law.slope == pytest.approx(0.35, abs=0.02)
    assert law.intercept == pytest.approx(4.0, abs=0.1)
    assert law.sigma == pytest.approx(0.5, abs=0.03)
    assert law.slope_low < 0.35 < law.slope_high
    assert law.factors == pytest.approx(tuple(map(math.exp, (law.slope, law.slope_low, law.slope_high))))
    assert law.median(6.0) == pytest.approx(math.exp(law.intercept + 6 * law.slope))
    assert law.fits


def test_short_plateaus_are_not_taken_for_the_ends_of_their_intervals() -> None:
    # Medians from 8 to 66 steps, recorded as 10 to 70: read as values, the slope would come out too small.
    cells = simulated(np.random.default_rng(1), on_a_line(1.0), 400, sigma=0.3)
    law = law_of(BITS, cells)
    assert law.slope == pytest.approx(0.35, abs=0.02)
    assert law.intercept == pytest.approx(1.0, abs=0.1)
    assert law.sigma == pytest.approx(0.3, abs=0.03)
    recorded = np.log(np.concatenate([cell.length for cell in cells]))
    slope, *_ = np.polyfit(np.repeat(BITS, 400), recorded, 1)
    assert slope < 0.32


def test_without_censoring_and_rounding_the_interval_is_that_of_least_squares() -> None:
    cells = simulated(np.random.default_rng(2), on_a_line(11.0), 8)
    law = law_of(BITS, cells)
    bits = np.repeat(BITS, 8)
    slope, intercept, _, _, error = stats.linregress(
        bits, np.log(np.concatenate([cell.length for cell in cells]))
    )
    width = stats.t.ppf(0.975, len(bits) - 2) * error
    assert law.slope == pytest.approx(slope, abs=1e-4)
    assert law.intercept == pytest.approx(intercept, abs=1e-3)
    assert (law.slope_low, law.slope_high) == pytest.approx((slope - width, slope + width), abs=1e-4)


def test_without_censoring_and_rounding_the_tests_of_fit_are_those_of_least_squares() -> None:
    cells = simulated(np.random.default_rng(3), on_a_line(11.0), 8)
    law = law_of(BITS, cells)
    bits, logs = np.repeat(BITS, 8), np.log(np.concatenate([cell.length for cell in cells]))

    def squares(design: Floats) -> float:
        return float(np.sum((logs - design @ np.linalg.lstsq(design, logs, rcond=None)[0]) ** 2))

    powers = np.vander(bits, 3, increasing=True)
    line, curve = squares(powers[:, :2]), squares(powers)
    free = squares((bits[:, None] == BITS).astype(float))
    assert law.curvature == pytest.approx(stats.f.sf((line - curve) / (curve / 37), 1, 37), rel=1e-3)
    assert law.lack_of_fit == pytest.approx(stats.f.sf((line - free) / 3 / (free / 35), 3, 35), rel=1e-3)
    assert law.p_value == pytest.approx(min(1, 2 * min(law.curvature or 0, law.lack_of_fit or 0)))


def test_the_order_of_cells_and_runs_is_no_matter() -> None:
    cells = simulated(np.random.default_rng(4), on_a_line(), 6, budget=500)
    backwards = [Plateaus(cell.length[::-1], cell.observed[::-1]) for cell in cells[::-1]]
    law, turned = law_of(BITS, cells), law_of(BITS[::-1], backwards)
    for name in ("intercept", "slope", "slope_low", "slope_high", "sigma", "lack_of_fit", "curvature"):
        assert getattr(turned, name) == pytest.approx(getattr(law, name), rel=1e-3)
    assert [cell.bits for cell in turned.residuals] == BITS[::-1]


def test_a_longer_budget_of_runs_that_never_escape_makes_the_slope_steeper() -> None:
    short = [waiting([60, 80, 70]), waiting([100, 150, 120]), waiting([200], [300, 300])]
    longer = [*short[:2], waiting([200], [3000, 3000])]
    assert law_of([3, 4, 5], longer).slope > law_of([3, 4, 5], short).slope


# Residuals.


def test_residuals_are_medians_over_the_law() -> None:
    cells = simulated(np.random.default_rng(5), [*on_a_line()[:4], 8.5], 50, sigma=0.3)
    law = law_of(BITS, cells)
    for bits, cell, residual in zip(BITS, cells, law.residuals, strict=True):
        assert (residual.bits, residual.runs, residual.observed) == (bits, 50, 50)
        assert residual.waited == cell.length.max()
        assert residual.by_law == pytest.approx(law.median(bits))
        assert residual.length == pytest.approx(np.median(cell.length) - 5, rel=0.2)
        assert residual.factor == pytest.approx((residual.length or 0) / residual.by_law)
        assert residual.bound is None
    assert (law.residuals[-1].factor or 0) > 1.3
    assert (law.residuals[-2].factor or 9) < 1


def test_cells_that_bound_their_median_on_one_side_have_no_length() -> None:
    cells = [
        waiting([10] * 4),
        waiting([40, 50, 50, 60]),
        waiting([80, 100, 100, 120]),
        waiting([], [110] * 4),
    ]
    early, *timed, never = law_of([1, 5, 6, 7], cells).residuals
    assert early.length is early.factor is never.length is never.factor is None
    assert all(cell.length for cell in timed)
    assert (early.waited, never.waited) == (10, 110)


@pytest.mark.parametrize(
    ("observed", "waited", "by_law", "bound", "reason"),
    [
        (0, 5000, 100.0, 50, "no escape in 5,000 steps at 7.0 bits, where the law says 100"),
        (4, 10, 40.0, 0.25, "10 steps at most at 7.0 bits, where the law says 40"),
        # On the side of the law, they say nothing against it.
        (0, 5000, 8000.0, None, "no escape in 5,000 steps at 7.0 bits, where the law says 8,000"),
        (4, 10, 5.0, None, "10 steps at most at 7.0 bits, where the law says 5"),
    ],
)
def test_what_they_say_is_a_bound(
    observed: int, waited: int, by_law: float, bound: float | None, reason: str
) -> None:
    residual = Residual(7.0, 4, observed, waited, None, by_law)
    assert residual.bound == bound
    assert residual.reason == reason


# Whether it fits.


def test_a_true_law_is_refused_as_rarely_as_promised() -> None:
    generator = np.random.default_rng(6)
    laws = [law_of(BITS, simulated(generator, on_a_line(), 8, budget=800)) for _ in range(60)]
    # One is expected at most. More than three would happen once in 300 times.
    assert sum(law.fits is False for law in laws) <= 3
    # And the tests say something: their p-values are spread, not all near 1.
    assert sum((law.lack_of_fit or 0) < 0.5 for law in laws) > 18
    assert sum((law.curvature or 0) < 0.5 for law in laws) > 18
    # Of the intervals, 57 should hold the truth.
    assert sum(law.slope_low < 0.35 < law.slope_high for law in laws) >= 52


@pytest.mark.parametrize(
    ("bend", "words"),
    [
        (0.08, "plateaus grow faster at large search spaces"),
        (-0.08, "plateaus grow more slowly at large search spaces"),
    ],
)
def test_curvature_is_seen_and_named(bend: float, words: str) -> None:
    bent = [middle + bend * (bits - 6) ** 2 for bits, middle in zip(BITS, on_a_line(), strict=True)]
    law = law_of(BITS, simulated(np.random.default_rng(7), bent, 16))
    assert law.fits is False
    assert (law.p_value or 1) < MISFIT
    assert law.bends_up == (bend > 0)
    assert law.reason.startswith(words)
    assert "times the law at" in law.reason


def test_cells_that_scatter_without_a_bend_are_no_law() -> None:
    off = [0.0, 0.6, 0.0, -0.6, 0.0]
    scattered = [middle + by for middle, by in zip(on_a_line(), off, strict=True)]
    law = law_of(BITS, simulated(np.random.default_rng(8), scattered, 16, sigma=0.3))
    assert law.fits is False
    assert law.reason.startswith("cells lie off the line by more than their runs scatter")
    # The worst first.
    assert {4.5, 7.5} == {float(part.split(" at ")[1].split()[0]) for part in law.reason.split("; ")[:2]}
    # Runs that agree with one another are sure of a line that cells do not lie on.
    low, high = law.factors_over_cells or (0, 0)
    assert low < law.factors[1]
    assert law.factors[2] < high


def test_a_plateau_that_outlasts_the_budget_is_seen() -> None:
    cells = [waiting([60, 70, 80, 70] * 2), waiting([130, 140, 160, 150] * 2), waiting([], [10_000] * 8)]
    law = law_of([3, 4, 5], cells)
    assert law.fits is False
    assert law.bends_up
    assert law.residuals[-1].length is None
    # A cell without a length is no point of a line.
    assert law.factors_over_cells is None


def test_two_sizes_cannot_show_whether_it_fits() -> None:
    law = law_of([3, 5], [waiting([60, 70, 80, 70]), waiting([130, 140, 160, 150])])
    assert law.fits is law.lack_of_fit is law.curvature is law.p_value is law.factors_over_cells is None
    assert law.reason == "two search spaces cannot show whether the law fits"
    # Two cells of one size can speak against it, but not for it.
    same = waiting([130, 150, 140, 140])
    agreeing = law_of([3, 5, 5], [waiting([60, 70, 80, 70]), waiting([130, 140, 160, 150]), same])
    assert agreeing.fits is agreeing.curvature is None
    assert (agreeing.p_value or 0) > 0.1
    other = waiting([530, 550, 540, 540])
    law = law_of([3, 5, 5], [waiting([60, 70, 80, 70]), waiting([130, 140, 160, 150]), other])
    assert law.fits is False
    assert law.reason.startswith("cells lie off the line")


def test_as_many_escapes_as_cells_cannot_show_it_either() -> None:
    law = law_of([3, 4, 5], [waiting([60], [500]), waiting([140]), waiting([300])])
    assert law.fits is law.p_value is None
    assert law.reason == "3 escapes are too few to show whether the law fits"


@pytest.mark.parametrize(
    ("p", "fits", "words"),
    [
        (0.4, True, "nothing speaks against the law (p = 0.4)"),
        (
            0.016,
            True,
            "the data speak against the law, but too weakly to refuse it"
            " (p = 0.016; below 0.01 it is refused)",
        ),
        (0.002, False, "cells lie off the line by more than their runs scatter (p = 0.002): "),
    ],
)
def test_words_fit_the_p(p: float, fits: bool, words: str) -> None:
    cells = tuple(Residual(bits, 8, 8, 100, 100.0, 100.0) for bits in (3.0, 4.0, 5.0))
    law = Law(24, 24, 1.0, 1.0, 0.5, 1.5, 0.3, cells, lack_of_fit=p, curvature=None, bends_up=False)
    assert (law.fits, law.p_value) == (fits, p)
    assert law.reason.startswith(words)
