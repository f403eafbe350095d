"""Regression of waits in intervals, against an independent implementation and at its edges."""

from __future__ import annotations

import lifelines
import numpy as np
import pandas as pd
import pytest

from attnsearch.base import RECORDING_INTERVAL, Floats, Plateaus
from attnsearch.stats.interval_regression import Intervals, intervals_of, maximise


def waits(
    seed: int, runs: int, *, intercept: float, slope: float, sigma: float, budget: int
) -> tuple[Floats, Plateaus]:
    """`runs` waits at each of 3, 5, 7 and 9 bits, recorded and censored as runs are."""
    bits = np.repeat([3.0, 5.0, 7.0, 9.0], runs)
    noise = sigma * np.random.default_rng(seed).standard_normal(len(bits))
    steps = np.exp(intercept + slope * bits + noise)
    observed = steps <= budget
    recorded = np.ceil(np.minimum(steps, budget) / RECORDING_INTERVAL) * RECORDING_INTERVAL
    return bits, Plateaus(recorded.astype(np.int64), observed)


def line(bits: Floats) -> Floats:
    return np.column_stack([np.ones_like(bits), bits])


def test_a_wait_lies_in_the_interval_that_was_recorded() -> None:
    runs = Plateaus(np.array([RECORDING_INTERVAL, 50, 80, 0]), np.array([True, True, False, False]))
    low, high = intervals_of(runs)
    assert np.exp(low) == pytest.approx([0, 50 - RECORDING_INTERVAL, 80, 0])
    assert np.exp(high) == pytest.approx([RECORDING_INTERVAL, 50, np.inf, np.inf])


@pytest.mark.parametrize(
    ("intercept", "budget"),
    [
        (2.5, 10**6),  # from 35 steps on: the intervals matter
        (2.5, 200),
        (6.0, 10**7),
        (6.0, 4000),
    ],
)
def test_agrees_with_lifelines_on_intervals(intercept: float, budget: int) -> None:
    bits, runs = waits(1, 10, intercept=intercept, slope=0.35, sigma=0.5, budget=budget)
    low, high = intervals_of(runs)
    frame = pd.DataFrame({"low": np.exp(low), "high": np.exp(high), "bits": bits})
    oracle = lifelines.LogNormalAFTFitter().fit_interval_censoring(frame, "low", "high")
    fit = maximise(line(bits), Intervals(low, high))
    intercept_and_slope = [oracle.params_["mu_", "Intercept"], oracle.params_["mu_", "bits"]]
    assert fit.coefficients == pytest.approx(intercept_and_slope, abs=1e-3)
    assert fit.sigma == pytest.approx(np.exp(oracle.params_["sigma_", "Intercept"]), abs=1e-3)
    assert fit.log_likelihood == pytest.approx(oracle.log_likelihood_, abs=1e-3)


@pytest.mark.parametrize("budget", [10**9, 200_000])
def test_agrees_with_lifelines_on_exact_waits_where_plateaus_are_long(budget: int) -> None:
    bits, runs = waits(2, 12, intercept=9.0, slope=0.4, sigma=0.6, budget=budget)
    assert (budget == 200_000) == (not runs.observed.all())
    frame = pd.DataFrame({"steps": runs.length, "escaped": runs.observed, "bits": bits})
    oracle = lifelines.LogNormalAFTFitter().fit(frame, "steps", "escaped")
    fit = maximise(line(bits), intervals_of(runs))
    intercept_and_slope = [oracle.params_["mu_", "Intercept"], oracle.params_["mu_", "bits"]]
    assert fit.coefficients == pytest.approx(intercept_and_slope, abs=1e-3)
    assert fit.sigma == pytest.approx(np.exp(oracle.params_["sigma_", "Intercept"]), abs=1e-3)


def test_no_other_line_is_likelier() -> None:
    bits, runs = waits(3, 8, intercept=2.0, slope=0.4, sigma=0.5, budget=100)
    low, high = intervals_of(runs)
    best = maximise(line(bits), Intervals(low, high))
    # The likelihood of another line is that of shifted data with nothing to fit but the noise.
    for shift in ([0.02, 0.0], [0.0, 0.01], [-0.02, 0.0], [0.0, -0.01]):
        other = line(bits) @ (best.coefficients + shift)
        held = maximise(np.zeros((len(bits), 0)), Intervals(low - other, high - other))
        assert held.log_likelihood < best.log_likelihood
    same = line(bits) @ best.coefficients
    held = maximise(np.zeros((len(bits), 0)), Intervals(low - same, high - same))
    assert held.log_likelihood == pytest.approx(best.log_likelihood, abs=1e-6)


def test_noise_that_the_recording_hides_is_small_and_finite() -> None:
    # A line passes through every interval, and the likelihood is at its bound, 1, in a whole region.
    runs = Plateaus(np.repeat([20, 30, 50], 8), np.ones(24, bool))
    fit = maximise(line(np.repeat([3.0, 4.0, 5.0], 8)), intervals_of(runs))
    assert 0 < fit.sigma < 0.05
    assert fit.log_likelihood == pytest.approx(0, abs=0.02)
    medians = np.exp(line(np.array([3.0, 4.0, 5.0])) @ fit.coefficients)
    assert (medians > [10, 20, 40]).all()
    assert (medians < [20, 30, 50]).all()


def test_waits_that_are_far_from_any_line_are_no_trouble() -> None:
    runs = Plateaus(np.array([10, 10, 20, 10**6, 10**6, 30]), np.array([True, True, True, False, True, True]))
    fit = maximise(line(np.array([3.0, 3.0, 4.0, 4.0, 5.0, 5.0])), intervals_of(runs))
    assert np.isfinite([*fit.coefficients, fit.sigma, fit.log_likelihood]).all()
    assert fit.sigma > 1
