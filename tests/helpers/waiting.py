"""Groups of waiting times, made up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from attnsearch.base import Plateaus


def waiting(ended: Sequence[int], censored: Sequence[int] = ()) -> Plateaus:
    lengths = np.array([*ended, *censored], np.int64)
    return Plateaus(lengths, np.arange(len(lengths)) < len(ended))


def drawn(seed: int, runs: int, median: float = 400, budget: int = 600, step: int = 10) -> Plateaus:
    """Log-normal lengths, sigma 0.5, recorded every `step` steps and censored at `budget`."""
    exact = median * np.exp(0.5 * np.random.default_rng(seed).standard_normal(runs))
    lengths = np.ceil(exact / step).astype(np.int64) * step
    return Plateaus(np.minimum(lengths, budget), lengths <= budget)


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
