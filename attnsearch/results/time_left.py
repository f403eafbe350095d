"""How long the runs that have not ended will still take: an estimate with its range.

What is not known is where runs end. It is learnt from the runs of the same cell that have ended. With n of
them, one part in n + 1 is a guess: about as long as one of them, give or take some doublings. A cell of which
none has ended yet is given one end for all its runs, anywhere up to its budget, each doubling as likely as
the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from attnsearch.base import RECORDING_INTERVAL, Floats
from attnsearch.runs.store import StoredRun
from attnsearch.spec.names import duration
from attnsearch.spec.run import CellSpec, RunSpec

_DRAWS = 100
"""Futures of which the estimate is made."""

_DRAWN_ALONE = 50
"""Runs of a cell whose ends are drawn one by one. Of more, the sum is scaled."""

_SHORTEST = 1 / 100
"""Share of its budget that a run trains at least, where nothing is known of its cell."""

_RANGE = (10, 50, 90)
"""Percentiles: the range holds four futures of five."""


class TimeLeft(NamedTuple):
    """Seconds: the middle of what may come, and the range that holds four futures of five."""

    low: float
    middle: float
    high: float

    def __str__(self) -> str:
        low, middle, high = map(duration, self)
        return f"about {middle} left" + (f" ({low} to {high})" if low != high else "")


class Ends:
    """The steps at which runs ended, by cell."""

    def __init__(self, stored: Sequence[StoredRun] = ()):
        self._known: dict[CellSpec, list[int]] = {}
        for run in stored:
            self.add(run)

    def add(self, run: StoredRun) -> None:
        """Take in a run that has ended."""
        self.learn(run.spec.cell, run.summary.steps_trained)

    def learn(self, cell: CellSpec, step: int) -> None:
        """Take in that a run of `cell` ended at `step`."""
        self._known.setdefault(cell, []).append(step)

    def time_left(
        self,
        running: Mapping[RunSpec, int],
        waiting: Counter[CellSpec],
        rates: Mapping[CellSpec, float],
        lanes: int,
    ) -> TimeLeft | None:
        """The estimate; None before any speed is known.

        running:  runs in training, each with the step that it has reached
        waiting:  how many runs of each cell have not begun
        rates:    steps/s of a lane with a run of the cell. A cell that has none is as fast as the mean
        lanes:    runs that train at once
        """
        if not rates:
            return None
        drawn = np.random.default_rng(0)
        mean = sum(rates.values()) / len(rates)
        # Seconds of one lane: f64[draws], the sum of all runs and the longest of them.
        total, longest = np.zeros(_DRAWS), np.zeros(_DRAWS)
        steps: dict[CellSpec, list[int]] = {cell: [] for cell in waiting}
        for spec, step in running.items():
            steps.setdefault(spec.cell, []).append(step)
        for cell, reached in steps.items():
            alone = min(waiting[cell], _DRAWN_ALONE)
            started = self._remaining(cell, reached, drawn)
            fresh = self._remaining(cell, [0] * alone, drawn)
            rate = rates.get(cell, mean)
            scale = waiting[cell] / alone if alone else 0.0
            total += (started.sum(0) + fresh.sum(0) * scale) / rate
            longest = np.maximum(longest, np.concatenate([started, fresh]).max(0, initial=0) / rate)
        # Lanes that take the next run as they get free end soon after one another, unless one run is longer.
        seconds = np.maximum(total / lanes, longest)
        low, middle, high = np.percentile(seconds, _RANGE)
        return TimeLeft(float(low), float(middle), float(high))

    def _remaining(self, cell: CellSpec, reached: Sequence[int], drawn: np.random.Generator) -> Floats:
        """Steps that each run of `cell` still needs that has `reached` so many: f64[runs, draws]."""
        budget, count = cell.budget.steps, len(reached)
        step = np.array(reached, dtype=np.float64).reshape(count, 1)
        if not cell.budget.early_stopping:
            return np.broadcast_to(np.maximum(budget - step, 0), (count, _DRAWS))
        known = np.array(self._known.get(cell, []), dtype=np.float64)
        if not len(known):
            # One guess for the cell in each future, and one beyond what a run has reached.
            one = budget * _SHORTEST ** drawn.random((1, _DRAWS))
            least = np.maximum(step, budget * _SHORTEST)
            own = least * (budget / least) ** drawn.random((count, _DRAWS))
            return np.maximum(np.where(one > step, one, own) - step, RECORDING_INTERVAL)
        chosen = drawn.choice(known, (count, _DRAWS))
        later = (known > step).sum(1, keepdims=True)
        # Of the ends that are known, only those count that the run has not passed.
        for row in np.flatnonzero((later[:, 0] > 0) & (later[:, 0] < len(known))):
            chosen[row] = drawn.choice(known[known > step[row]], _DRAWS)
        told = (later > 0) & (drawn.random((count, _DRAWS)) >= 1 / (later + 1))
        # The guess: about as long as one of them, or where that has passed, some doublings more.
        doublings = drawn.exponential(size=(count, _DRAWS))
        near = chosen * 2.0 ** (doublings * drawn.choice([-1, 1], doublings.shape))
        guess = np.minimum(np.where(near > step, near, np.maximum(step, 1) * 2.0**doublings), budget)
        return np.maximum(np.where(told, chosen, guess) - step, RECORDING_INTERVAL)
