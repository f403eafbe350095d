"""What a set of runs would ask of this machine, found out without training any of them.

Times are bounds: every run is taken to need its whole budget, because how much of it a run needs is what
is to be measured.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import cache
from typing import Any, NamedTuple

import jax
import numpy as np
from rich.table import Table

from attnsearch.base import RECORDING_INTERVAL
from attnsearch.runs.recorder import is_map_step
from attnsearch.runs.store import Store
from attnsearch.spec.names import duration
from attnsearch.spec.run import FORMAT_VERSION, RunSpec, Value
from attnsearch.training.jax import devices
from attnsearch.training.jax.calibration import lanes_that_pay
from attnsearch.training.jax.cohorts import Cohort
from attnsearch.training.jax.lanes import Lanes, stacked

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


@dataclass(frozen=True)
class Forecast:
    """What one cohort would do.

    cohort:   its runs, stored or not
    pending:  those that are not stored
    rate:     None where none was measured
    """

    cohort: Cohort
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


def forecast(cohort: Cohort, store: Store, seconds: float) -> Forecast:
    """What `cohort` would do, with a rate measured for `seconds`, or without where that is 0.

    Whether a run is stored is asked of the folder alone; nothing is read, and nothing written.
    """
    pending = tuple(spec for spec in cohort.specs if not store.path(spec).is_dir())
    measured = pending and seconds
    return Forecast(
        cohort, pending, measure_rate(Cohort(cohort.trainer, pending), seconds) if measured else None
    )


def measure_rate(cohort: Cohort, seconds: float) -> Rate:
    """Compile `cohort` for this machine as training would, and train for about `seconds`, for nothing."""
    per_device = lanes_that_pay(cohort)
    lanes = Lanes(cohort.trainer, devices.needed(len(cohort.specs), per_device), per_device)
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


def table(forecasts: Sequence[Forecast]) -> Table:
    """One row a cohort, for a terminal."""
    shown = Table(title="What would be done", title_justify="left")
    for name in ("task", "mixer", "static"):
        shown.add_column(name, overflow="fold")
    for name in (
        "cells",
        "runs",
        "already\nstored",
        "compilations",
        "steps\nat most",
        "steps/s",
        "time\nat most",
    ):
        shown.add_column(name, justify="right")
    for row, static in zip(forecasts, _worth_showing(forecasts), strict=True):
        runs = len(row.cohort.specs)
        shown.add_row(
            row.task,
            row.mixer,
            " ".join(f"{name}={value}" for name, value in static.items()),
            str(row.cells),
            str(runs),
            str(runs - len(row.pending)),
            str(row.compilations),
            f"{row.steps:,}",
            "" if row.rate is None else f"{_steps_per_second(row.rate):,.0f}",
            "" if row.seconds is None else duration(row.seconds),
        )
    return shown


def summary(forecasts: Sequence[Forecast]) -> str:
    """All cohorts in one line."""
    total = _totals(forecasts)
    seconds = total["seconds_at_most"]
    needed = "" if seconds is None else f", at most {duration(seconds)}"
    return (
        f"Total: {total['cells']} cells, {total['runs']} runs, {total['stored']} of them stored;"
        f" {total['compilations']} compilations, at most {total['steps_at_most']:,} steps{needed}"
    )


def document(forecasts: Sequence[Forecast], suite: str, store: str) -> dict[str, Any]:
    """The same as JSON values. Steps and seconds are bounds; null where no time was measured."""
    return {
        "format_version": FORMAT_VERSION,
        "suite": suite,
        "store": store,
        "cohorts": [
            {
                "task": row.task,
                "mixer": row.mixer,
                "static": row.static,
                **_totals([row]),
                **_measured(row.rate),
            }
            for row in forecasts
        ],
        "total": _totals(forecasts),
    }


def _measured(rate: Rate | None) -> dict[str, Any]:
    return {
        "lanes": None if rate is None else rate.lanes,
        "compilation_seconds": None if rate is None else rate.compilation,
        "steps_per_second": None if rate is None else _steps_per_second(rate),
        "seconds_per_map": None if rate is None else rate.map,
    }


def _totals(forecasts: Sequence[Forecast]) -> dict[str, Any]:
    runs = sum(len(row.cohort.specs) for row in forecasts)
    seconds = [row.seconds for row in forecasts]
    return {
        "cells": sum(row.cells for row in forecasts),
        "runs": runs,
        "stored": runs - sum(len(row.pending) for row in forecasts),
        "compilations": sum(row.compilations for row in forecasts),
        "steps_at_most": sum(row.steps for row in forecasts),
        "seconds_at_most": _sum_of_known(seconds),
    }


def _sum_of_known(numbers: Iterable[float | None]) -> float | None:
    """None where one of them is."""
    known = list(numbers)
    return None if None in known else sum(number for number in known if number is not None)


def _steps_per_second(rate: Rate) -> float:
    """Of all lanes together."""
    return rate.lanes * RECORDING_INTERVAL / rate.point


def _worth_showing(forecasts: Sequence[Forecast]) -> list[dict[str, Value]]:
    """Of each cohort's static settings those of its task, and those in which cohorts differ."""
    every = [row.static for row in forecasts]
    of_tasks = {name for row in forecasts for name, _ in row.cohort.specs[0].cell.task.knobs}
    shown = {
        name
        for static in every
        for name in static
        if name in of_tasks or len({other[name] for other in every if name in other}) > 1
    }
    return [
        {name: value for name, value in static.items() if name in shown and value is not None}
        for static in every
    ]
