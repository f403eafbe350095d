"""What a set of runs would ask of this machine, found out without training any of them.

Times are bounds: every run is taken to need its whole budget, because how much of it a run needs is what
is to be measured.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Generic

from attnsearch.base import RECORDING_INTERVAL
from attnsearch.runs.recorder import is_map_step
from attnsearch.runs.store import Store
from attnsearch.spec.run import RunSpec, Value
from attnsearch.training.backend import Backend, CohortKind, Rate
from attnsearch.training.engine import Lanes

MEASURED_SECONDS = 2.0
"""Training that is timed for each cohort, once it is compiled."""


@dataclass(frozen=True)
class Forecast(Generic[CohortKind]):
    """What one cohort would do.

    cohort:   its runs, stored or not
    pending:  those that are not stored
    rate:     None where none was measured
    """

    cohort: CohortKind
    pending: tuple[RunSpec, ...]
    rate: Rate | None

    @property
    def task(self) -> str:
        """Its tasks; more than one where they differ in nothing that fixes shapes."""
        return ", ".join(dict.fromkeys(spec.cell.task.name for spec in self.cohort.specs))

    @property
    def mixer(self) -> str:
        """Its mixer."""
        return self.cohort.specs[0].cell.mixer.name

    @property
    def static(self) -> Mapping[str, Value]:
        """What all of its runs share because it fixes shapes."""
        return self.cohort.static

    @property
    def cells(self) -> int:
        """Rows it adds to a table."""
        return len({spec.cell for spec in self.cohort.specs})

    @property
    def compilations(self) -> int:
        """One, unless all is stored."""
        return int(bool(self.pending))

    @property
    def steps(self) -> int:
        """Of all pending runs together, at most."""
        return sum(spec.cell.budget.steps for spec in self.pending)

    @property
    def seconds(self) -> float | None:
        """To train the pending runs, at most; None where nothing was measured."""
        if not self.pending:
            return 0.0
        if self.rate is None:
            return None
        # Each run goes into the lane that is free first, as the engine does it.
        lanes = [0.0] * self.rate.lanes
        for spec in self.pending:
            steps = spec.cell.budget.steps
            needed = steps / RECORDING_INTERVAL * self.rate.point + _maps_within(steps) * self.rate.map
            heapq.heapreplace(lanes, lanes[0] + needed)
        return self.rate.compilation + max(lanes)


@cache
def _maps_within(steps: int) -> int:
    """Maps of a run of so many steps: those that every run has, and one at the escape."""
    return sum(map(is_map_step, range(0, steps + 1, RECORDING_INTERVAL))) + 1


def forecast(
    cohort: CohortKind, store: Store, backend: Backend[CohortKind], seconds: float
) -> Forecast[CohortKind]:
    """What `cohort` would do, with a rate measured for `seconds`, or without where that is 0.

    Whether a run is stored is asked of the folder alone; nothing is read, and nothing written.
    """
    stored = store.held(cohort.specs)
    pending = tuple(spec for spec in cohort.specs if spec not in stored)
    measured = pending and seconds
    return Forecast(cohort, pending, backend.rate(cohort, pending, seconds) if measured else None)


def measure(lanes: Lanes, specs: Sequence[RunSpec], seconds: float) -> Rate:
    """Train `specs` in `lanes` for about `seconds`, for nothing, as the engine would."""
    busy = dict(enumerate(specs[: lanes.count]))
    began = time.perf_counter()
    lanes.begin(busy)
    lanes.advance(busy)
    lanes.points()
    prepared = time.perf_counter()
    lanes.look(busy)
    mapped = time.perf_counter()
    points = 0
    while points == 0 or time.perf_counter() - mapped < seconds:
        lanes.advance(busy)
        # As training does, which looks at every point.
        lanes.points()
        points += 1
    point = (time.perf_counter() - mapped) / points
    return Rate(len(busy), prepared - began, point, mapped - prepared)
