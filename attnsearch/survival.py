"""Waiting times of several runs, some of which never ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from attnsearch.base import Plateaus


@dataclass(frozen=True)
class Waiting:
    """A group of waiting times, in steps.

    runs, observed:    how many, and how many of them ended
    median:            first time at which the Kaplan-Meier curve is at or below one half; None where it
                       stays above
    shortest, longest: of those that ended; None where none did
    """

    runs: int
    observed: int
    median: float | None
    shortest: int | None
    longest: int | None

    @property
    def censored(self) -> int:
        """Runs that ended their budget still waiting."""
        return self.runs - self.observed


def pool(groups: Iterable[Plateaus]) -> Plateaus:
    """All waiting times of `groups` in one."""
    collected = list(groups)
    return Plateaus(
        np.concatenate([group.length for group in collected]),
        np.concatenate([group.observed for group in collected]),
    )


def summarise(waiting: Plateaus) -> Waiting:
    """`waiting` in a few numbers; censored runs count as still waiting, never as values."""
    length, observed = waiting
    ended = length[observed]
    if not len(ended):
        return Waiting(len(length), 0, None, None, None)
    data = stats.CensoredData(uncensored=ended, right=length[~observed])
    survival = stats.ecdf(data).sf
    # Products of fractions miss one half by rounding; no survival lies so near it otherwise.
    reached = survival.probabilities <= 0.5 + 1e-9
    median = float(survival.quantiles[reached.argmax()]) if reached.any() else None
    return Waiting(len(length), len(ended), median, int(ended.min()), int(ended.max()))
