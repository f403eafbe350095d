"""Trains what is not stored yet: keeps lanes busy, and stores each run as soon as it ends.

The one bridge between the jax side and the numpy side.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import numpy as np

from attnsearch import devices
from attnsearch.base import Bools
from attnsearch.lanes import Lanes
from attnsearch.plan import Cohort, Registries, cohorts
from attnsearch.recording import Recording, measured
from attnsearch.specs import RunSpec
from attnsearch.store import Store, StoredRun
from attnsearch.train import RunInputs


class Progress(NamedTuple):
    """Where a run in training is. `loss` is the mean over targets, in nats; `found` of `targets`."""

    spec: RunSpec
    step: int
    loss: float
    found: int
    targets: int
    steps_per_second: float


class Observer:
    """What a runner tells while it works. Override what is wanted; by default nothing is said."""

    def planned(self, pending: Sequence[RunSpec], stored: Sequence[StoredRun]) -> None:
        """What will be trained, and what the store already holds."""

    def compiling(self, runs: Sequence[RunSpec]) -> None:
        """The program that trains these runs is being compiled."""

    def advanced(self, running: Sequence[Progress]) -> None:
        """Every running lane has reached its next recorded point."""

    def finished(self, run: StoredRun) -> None:
        """A run has ended and is stored."""

    def warned(self, message: str) -> None:
        """Something the user should know, in one line."""

    def wants_to_stop(self) -> bool:
        """Asked at every recorded point; True ends the work with a KeyboardInterrupt."""
        return False


def run(
    specs: Sequence[RunSpec],
    store: Store,
    registries: Registries | None = None,
    observer: Observer | None = None,
) -> list[StoredRun]:
    """Train every run of `specs` that `store` does not hold, and return all of them in order.

    Each run is stored as soon as it ends, so that an interruption loses no finished run and the same
    call goes on where it was. Errors: AttnsearchError, before anything is trained, if a specification
    cannot be met, and when a run cannot be stored; KeyboardInterrupt when `observer` wants to stop.
    """
    observer = observer or Observer()
    planned = cohorts(specs, registries or Registries())
    done: dict[RunSpec, StoredRun] = {}
    for spec in specs:
        found = store.find(spec, observer.warned)
        if found is not None:
            # Measured anew: the thresholds asked for may not be those it was stored with.
            done[spec] = measured(replace(found, spec=spec))
    observer.planned([spec for spec in specs if spec not in done], list(done.values()))
    for cohort in planned:
        pending = tuple(spec for spec in cohort.specs if spec not in done)
        for ended in _train(replace(cohort, specs=pending), observer) if pending else ():
            store.save(ended)
            done[ended.spec] = ended
            observer.finished(ended)
    return [done[spec] for spec in specs]


def _train(cohort: Cohort, observer: Observer) -> Iterator[StoredRun]:
    """Every run of `cohort`, each as it ends."""
    available = jax.local_devices()
    per_device = devices.lanes_per_device(available[0].platform)
    lanes = Lanes(cohort.trainer, available[: -(-len(cohort.specs) // per_device)], per_device)
    environment = devices.describe(lanes.count)
    observer.compiling(cohort.specs)

    queue = deque(cohort.specs)
    inputs = [cohort.inputs(queue[0])] * lanes.count  # idle lanes need some, of the right shapes
    recordings: dict[int, Recording] = {}
    started: dict[int, float] = {}
    states = lanes.begin(_stacked(inputs))
    while queue or recordings:
        fresh = {lane: queue.popleft() for lane in range(lanes.count) if lane not in recordings and queue}
        if fresh:
            for lane, spec in fresh.items():
                inputs[lane] = cohort.inputs(spec)
            states = lanes.refill(states, _stacked(inputs), _mask(fresh, lanes.count))
            maps = lanes.influence(states, _mask(fresh, lanes.count))
            for lane, spec in fresh.items():
                recordings[lane] = Recording(spec, cohort.trainer.generator.truth(_lane(states.rule, lane)))
                recordings[lane].add_map(maps[lane])
                started[lane] = time.perf_counter()

        states, record = lanes.advance(states, _mask(recordings, lanes.count))
        loss, accuracy = np.asarray(record.loss), np.asarray(record.accuracy)
        wanted = [lane for lane, recording in recordings.items() if recording.add(loss[lane], accuracy[lane])]
        if wanted:
            maps = lanes.influence(states, _mask(wanted, lanes.count))
            for lane in wanted:
                recordings[lane].add_map(maps[lane])
        observer.advanced([_progress(recordings[lane], started[lane]) for lane in sorted(recordings)])
        for lane in wanted:
            if recordings[lane].status is not None:
                yield recordings.pop(lane).stored(environment)
        if observer.wants_to_stop():
            raise KeyboardInterrupt


def _progress(recording: Recording, started: float) -> Progress:
    return Progress(
        recording.spec,
        recording.step,
        float(recording.target_loss.mean()),
        recording.found,
        len(recording.target_loss),
        recording.step / (time.perf_counter() - started),
    )


def _mask(lanes: Collection[int], count: int) -> Bools:
    """`bool[N]`: True at `lanes`."""
    mask = np.zeros(count, dtype=bool)
    mask[list(lanes)] = True
    return mask


def _lane(values: Any, lane: int) -> Any:
    """One lane's part of a pytree with a leading lane axis, on the host."""
    return jax.tree.map(lambda array: np.asarray(array)[lane], values)


def _stacked(inputs: Sequence[RunInputs]) -> RunInputs:
    return jax.tree.map(lambda *scalars: np.stack(scalars), *inputs)
