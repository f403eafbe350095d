"""What a set of runs would ask of this machine, found out without training any of them.

Times are bounds: every run is taken to need its whole budget, because how much of it a run needs is what
is to be measured.
"""

from __future__ import annotations

import heapq
import time
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import cache
from typing import NamedTuple

import jax
import numpy as np

from attnsearch.base import RECORDING_INTERVAL
from attnsearch.runs.recorder import is_map_step
from attnsearch.runs.store import Store
from attnsearch.spec.run import RunSpec, Value
from attnsearch.training.jax import devices
from attnsearch.training.jax.cohorts import JaxCohort
from attnsearch.training.jax.compiled import CompiledLanes, lanes_that_pay, stacked

MEASURED_SECONDS = 2.0
"""Training that is timed for each cohort, once it is compiled."""


class Rate(NamedTuple):
    """What a cohort was measured to take on this machine, in seconds.

    lanes:        runs that were trained at once
    compilation:  of its programs; next to nothing where they were compiled before
    point:        ten steps of every lane
    map:          one measured map of every lane
    """

    lanes: int
    compilation: float
    point: float
    map: float

    @property
    def steps_per_second(self) -> float:
        """Of all lanes together."""
        return self.lanes * RECORDING_INTERVAL / self.point


@dataclass(frozen=True)
class Forecast:
    """What one cohort would do.

    cohort:   its runs, stored or not
    pending:  those that are not stored
    rate:     None where none was measured
    """

    cohort: JaxCohort
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
    def static(self) -> dict[str, Value]:
        """What all of its runs share because it fixes shapes."""
        trainer = self.cohort.trainer
        generator, network = trainer.generator, trainer.network
        assert is_dataclass(generator)
        return {
            **{field.name: getattr(generator, field.name) for field in fields(generator)},
            **dict(network.mixer_settings),
            **asdict(network.spec),
            "batch_size": trainer.batch_size,
            "map_bias": trainer.biased,
        }

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


def forecast(cohort: JaxCohort, store: Store, seconds: float) -> Forecast:
    """What `cohort` would do, with a rate measured for `seconds`, or without where that is 0.

    Whether a run is stored is asked of the folder alone; nothing is read, and nothing written.
    """
    pending = tuple(spec for spec in cohort.specs if not store.path(spec).is_dir())
    measured = pending and seconds
    return Forecast(
        cohort, pending, measure_rate(JaxCohort(cohort.trainer, pending), seconds) if measured else None
    )


def measure_rate(cohort: JaxCohort, seconds: float) -> Rate:
    """Compile `cohort` for this machine as training would, and train for about `seconds`, for nothing."""
    per_device = lanes_that_pay(cohort)
    lanes = CompiledLanes(cohort.trainer, devices.needed(len(cohort.specs), per_device), per_device)
    busy = min(lanes.count, len(cohort.specs))
    specs = [cohort.specs[min(lane, busy - 1)] for lane in range(lanes.count)]
    inputs = stacked([cohort.inputs(spec) for spec in specs])
    active = np.arange(lanes.count) < busy

    began = time.perf_counter()
    states = lanes.begin(inputs)
    lanes.look(states, active)
    states, record = lanes.advance(states, active)
    jax.block_until_ready(record)
    compiled = time.perf_counter()
    lanes.look(states, active)
    mapped = time.perf_counter()
    points = 0
    while points == 0 or time.perf_counter() - mapped < seconds:
        states, record = lanes.advance(states, active)
        # As training does, which looks at every point.
        jax.block_until_ready(record)
        points += 1
    point = (time.perf_counter() - mapped) / points
    return Rate(busy, compiled - began, point, mapped - compiled)
