"""Waits that are known only to lie in intervals, regressed on what they depend on.

The model is log-normal: log steps = design @ coefficients + sigma x noise, the noise standard normal. A wait
recorded as t steps ended in one of the `RECORDING_INTERVAL` steps up to t, and a censored one is longer than
t. The likelihood is the probability of these intervals. It is concave in coefficients / sigma and 1 / sigma
(Burridge 1981, J. R. Statist. Soc. B 43: 41-45), so that Newton's method finds its one maximum.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import scipy
from scipy import special

from attnsearch.base import RECORDING_INTERVAL, Floats, Plateaus

FAINTEST = 0.002
"""Where the recording hides the noise, ever less of it is ever more likely. The likelihood is therefore
lowered by (FAINTEST / sigma)² / 2: by 2e-4 where sigma is 0.1, and without end as it vanishes."""

LOUDEST = 1e4
"""Bound of sigma. Newton's method tries noise without end, and beyond it, on its way."""


NARROWEST = 1e-7
"""Log steps. Beyond 10^8 steps a recorded interval is narrower, and rounding would leave nothing of it."""


class Intervals(NamedTuple):
    """The log steps, `f64[N]`, between which each wait ended; minus and plus infinity where open."""

    low: Floats
    high: Floats


class Fit(NamedTuple):
    """A maximum of the likelihood, `coefficients` `f64[P]`."""

    coefficients: Floats
    sigma: float
    log_likelihood: float


def intervals_of(runs: Plateaus) -> Intervals:
    """Where each of `runs` ended, or would have: a recorded interval, or beyond the steps trained."""
    length, observed = runs
    started = np.where(observed, np.maximum(length - RECORDING_INTERVAL, 0), length)
    with np.errstate(divide="ignore"):
        low, high = np.log(started), np.where(observed, np.log(length), np.inf)
    return Intervals(np.where(observed, np.minimum(low, high - NARROWEST), low), high)


def maximise(design: Floats, data: Intervals) -> Fit:
    """The maximum likelihood fit of `design`, `f64[N, P]`, of full rank.

    Coefficients that only an infinity would fit come out large and arbitrary.
    """
    bounded = [np.isfinite(end) for end in data]
    ends = [np.where(there, end, 0.0) for there, end in zip(bounded, data, strict=True)]
    infinities = [np.where(there, 0.0, end) for there, end in zip(bounded, data, strict=True)]
    # An end of an interval, standardised, is linear in theta = (coefficients, 1) / sigma.
    below, above = (np.column_stack([-design, end]) for end in ends)
    ridge = np.zeros((below.shape[1],) * 2)
    ridge[-1, -1] = FAINTEST**2

    def standardised(theta: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        low, high = below @ theta + infinities[0], above @ theta + infinities[1]
        mass = _log_mass(low, high)
        return low, high, mass, np.exp(_log_density(low) - mass), np.exp(_log_density(high) - mass)

    def loss(theta: Floats) -> tuple[float, Floats]:
        if theta[-1] < 1 / LOUDEST:
            return math.inf, np.zeros_like(theta)
        _, _, mass, low_rate, high_rate = standardised(theta)
        return -float(mass.sum() - theta @ ridge @ theta / 2), (
            below.T @ low_rate - above.T @ high_rate + ridge @ theta
        )

    def curvature(theta: Floats) -> Floats:
        if theta[-1] < 1 / LOUDEST:
            return np.eye(len(theta))
        low, high, _, low_rate, high_rate = standardised(theta)
        slopes = above * high_rate[:, None] - below * low_rate[:, None]
        low_bend, high_bend = (
            np.where(there, end, 0.0) * rate
            for there, end, rate in zip(bounded, (low, high), (low_rate, high_rate), strict=True)
        )
        return slopes.T @ slopes + (above.T * high_bend) @ above - (below.T * low_bend) @ below + ridge

    guess = np.where(bounded[0] & bounded[1], (ends[0] + ends[1]) / 2, ends[0] + ends[1])
    start = np.linalg.lstsq(design, guess, rcond=None)[0]
    noise = min(max(float(np.std(guess - design @ start)), 0.02), LOUDEST / 2)
    found = scipy.optimize.minimize(
        loss,
        np.append(start, 1.0) / noise,
        jac=True,
        hess=curvature,
        method="trust-exact",
        options={"gtol": 1e-6},
    )
    return Fit(found.x[:-1] / found.x[-1], 1 / float(found.x[-1]), -float(found.fun))


def _log_mass(low: Floats, high: Floats) -> Floats:
    """log of the standard normal probability between `low` and `high`, exact in both tails."""
    upper = low > 0
    low, high = np.where(upper, -high, low), np.where(upper, -low, high)
    below_low, below_high = special.log_ndtr(low), special.log_ndtr(high)
    # Where the two are equal but for rounding, the density times the width; it is never nothing.
    narrow = below_high - below_low < 1e-10
    share = np.where(narrow, 0.5, np.exp(below_low - below_high))
    width = np.where(narrow, np.maximum(high - low, 1e-300), 1.0)
    return np.where(narrow, _log_density(high) + np.log(width), below_high + np.log1p(-share))


def _log_density(at: Floats) -> Floats:
    return -0.5 * at**2 - 0.5 * math.log(2 * math.pi)
