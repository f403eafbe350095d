"""Groups of waiting times, made up."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from attnsearch.base import RECORDING_INTERVAL, Plateaus


def waiting(ended: Sequence[int], censored: Sequence[int] = ()) -> Plateaus:
    lengths = np.array([*ended, *censored], np.int64)
    return Plateaus(lengths, np.arange(len(lengths)) < len(ended))


def drawn(seed: int, runs: int, median: float = 400, budget: int = 600, step: int = 10) -> Plateaus:
    """Log-normal lengths, sigma 0.5, recorded every `step` steps and censored at `budget`."""
    exact = median * np.exp(0.5 * np.random.default_rng(seed).standard_normal(runs))
    lengths = np.ceil(exact / step).astype(np.int64) * step
    return Plateaus(np.minimum(lengths, budget), lengths <= budget)


def simulated(
    generator: np.random.Generator,
    log_median: Sequence[float],
    runs: int,
    *,
    sigma: float = 0.5,
    budget: float = math.inf,
) -> list[Plateaus]:
    """A cell for each of `log_median`, recorded and censored as runs are."""
    cells = []
    for middle in log_median:
        steps = np.exp(middle + sigma * generator.standard_normal(runs))
        recorded = np.ceil(np.minimum(steps, budget) / RECORDING_INTERVAL) * RECORDING_INTERVAL
        cells.append(Plateaus(recorded.astype(np.int64), steps <= budget))
    return cells


NEVER = waiting([], [1000] * 8)
TOGETHER = waiting([200] * 8)
ODD = [
    waiting([200]),
    waiting([], [1000]),
    waiting([], [0]),
    waiting([], [0, 0, 500]),
    waiting([200, 200]),
    waiting([10], [10_000_000]),
    waiting([1, 10_000_000]),
    waiting([200, 300], [1000]),
    waiting([1000] * 3, [1000]),
    waiting([990], [1000] * 7),
    waiting(range(10, 400, 10)),
    NEVER,
    TOGETHER,
]
"""Groups with little to go by."""
