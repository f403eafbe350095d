"""Trains the runs of one cohort: a fixed number of lanes, refilled as runs end, checkpointed as they go."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from attnsearch.base import Bools, Floats, MapRecord
from attnsearch.runs.checkpoints import Checkpoint
from attnsearch.runs.claims import SharedRuns
from attnsearch.runs.recorder import Recording
from attnsearch.spec.run import RunSpec
from attnsearch.training.backend import Ended, TrainingSettings
from attnsearch.training.jax import devices
from attnsearch.training.jax.cohorts import JaxCohort
from attnsearch.training.jax.lanes import Lanes, is_out_of_memory, stacked
from attnsearch.training.jax.trainer import RunState
from attnsearch.training.observer import Observer, Progress


class OutOfDeviceMemory(Exception):
    """The device cannot hold so many lanes. The runs in training are in their last checkpoints."""


@dataclass
class _Occupied:
    """A lane at work: its run, and when this process took it up, at which step."""

    recording: Recording
    since: float
    from_step: int

    def progress(self) -> Progress:
        recording = self.recording
        return Progress(
            recording.spec,
            recording.step,
            float(recording.target_loss.mean()),
            float(recording.truth.chance_loss),
            recording.found,
            len(recording.target_loss),
            (recording.step - self.from_step) / max(time.perf_counter() - self.since, 1e-9),
        )


class Engine:
    """The lanes of one cohort and what is in them.

    `run` yields each ended run once the device is busy again, so that storing it costs no training
    time. A run that another process holds is left out.
    """

    def __init__(
        self,
        cohort: JaxCohort,
        lanes: Lanes,
        runs: SharedRuns,
        observer: Observer,
        settings: TrainingSettings,
    ):
        self._cohort, self._lanes = cohort, lanes
        self._runs, self._observer, self._settings = runs, observer, settings
        self._environment = devices.describe(self._lanes.count)
        self._queue = deque(cohort.specs)
        self._taken: list[RunSpec] = []
        self._occupied: dict[int, _Occupied] = {}
        self._inputs = [cohort.inputs(cohort.specs[0])] * self._lanes.count
        self._states: Any = None  # a RunState, once there is a run to begin
        self._checkpointed = time.monotonic()

    def run(self) -> Iterator[Ended]:
        """Every run of the cohort that no other process holds, each as it ends.

        Errors: OutOfDeviceMemory; KeyboardInterrupt when the observer wants to stop, with every run
        in training checkpointed.
        """
        try:
            yield from self._run()
        except jax.errors.JaxRuntimeError as error:
            if is_out_of_memory(error):
                raise OutOfDeviceMemory from error
            raise
        finally:
            # Every claim, also on a run that never began; what has been stored is given back already.
            for spec in self._taken:
                self._runs.give_back(spec)

    def _run(self) -> Iterator[Ended]:
        ended: list[Ended] = []
        news: list[Progress] = []
        while self._fill() or ended:
            snapshot = self._snapshot() if self._checkpoint_is_due() else []
            record = None
            if self._occupied:
                self._states, record = self._lanes.advance(self._states, self._mask(self._occupied))
            # The device works from here on; drawing, storing and checkpointing happen meanwhile.
            if news:
                self._observer.advanced(news, self._lanes.count)
            yield from ended
            for checkpoint in snapshot:
                self._runs.checkpoints.save(checkpoint)
            ended, news = [], []
            if record is None:
                continue
            over = self._take_in(np.asarray(record.loss), np.asarray(record.accuracy))
            news = [occupied.progress() for _, occupied in sorted(self._occupied.items())]
            ended = self._taken_out(over)
            if self._observer.wants_to_stop():
                yield from ended
                for checkpoint in self._snapshot():
                    self._runs.checkpoints.save(checkpoint)
                raise KeyboardInterrupt

    def _taken_out(self, lanes: Sequence[int]) -> list[Ended]:
        """The runs that ended in `lanes`, which are free from now on."""
        kept: Mapping[int, Mapping[str, Floats]] = {}
        if lanes and self._settings.save_parameters:
            kept = self._lanes.parameters(self._states, lanes)
        return [
            Ended(self._occupied.pop(lane).recording.stored(self._environment), kept.get(lane))
            for lane in lanes
        ]

    def _fill(self) -> bool:
        """Put pending runs into empty lanes; False when no lane has a run any more."""
        fresh: dict[int, RunSpec] = {}
        restored: dict[int, Checkpoint] = {}
        for lane in range(self._lanes.count):
            if lane in self._occupied:
                continue
            spec = self._next()
            if spec is None:
                break
            self._inputs[lane] = self._cohort.inputs(spec)
            checkpoint = self._runs.checkpoints.load(spec, self._observer.warned)
            if checkpoint is not None and not self._lanes.fits(self._inputs[lane], checkpoint.leaves):
                self._observer.warned(
                    f"the checkpoint of run {spec.digest[:12]} is of another version: it begins anew"
                )
                checkpoint = None
            if checkpoint is None:
                fresh[lane] = spec
            else:
                restored[lane] = checkpoint
        if not (fresh or restored):
            return bool(self._occupied)
        if self._states is None:
            self._observer.compiling(self._cohort.specs, self._lanes.count)
        states: RunState = self._states or self._lanes.begin(stacked(self._inputs))
        if fresh:
            states = self._lanes.refill(states, stacked(self._inputs), self._mask(fresh))
            maps = self._lanes.look(states, self._mask(fresh))
            for lane, spec in fresh.items():
                rule = jax.tree.map(lambda array, lane=lane: np.array(array)[lane], states.rule)
                recording = Recording(
                    spec, self._cohort.trainer.generator.truth(rule, self._inputs[lane].knobs)
                )
                recording.add_map(MapRecord(*(field[lane] for field in maps)))
                self._occupied[lane] = _Occupied(recording, time.perf_counter(), 0)
        if restored:
            leaves = {lane: checkpoint.leaves for lane, checkpoint in restored.items()}
            states = self._lanes.restore(states, leaves)
            for lane, checkpoint in restored.items():
                recording = checkpoint.recording
                self._occupied[lane] = _Occupied(recording, time.perf_counter(), recording.step)
        self._states = states
        return True

    def _next(self) -> RunSpec | None:
        """The next pending run that is this process's to train."""
        while self._queue:
            spec = self._queue.popleft()
            if self._runs.take(spec):
                self._taken.append(spec)
                return spec
        return None

    def _take_in(self, loss: Floats, accuracy: Floats) -> list[int]:
        """Record a point, `f32[N, Q]` each, and measure maps where they are due; lanes that ended."""
        wanted = [
            lane
            for lane, occupied in self._occupied.items()
            if occupied.recording.add(loss[lane], accuracy[lane])
        ]
        if wanted:
            maps = self._lanes.look(self._states, self._mask(wanted))
            for lane in wanted:
                self._occupied[lane].recording.add_map(MapRecord(*(field[lane] for field in maps)))
        return [lane for lane in wanted if self._occupied[lane].recording.status is not None]

    def _checkpoint_is_due(self) -> bool:
        return time.monotonic() - self._checkpointed >= self._settings.checkpoint_every

    def _snapshot(self) -> list[Checkpoint]:
        """Every run in training, copied to the host: the device's own arrays are about to be reused."""
        self._checkpointed = time.monotonic()
        leaves = [np.array(leaf) for leaf in jax.tree.leaves(self._states)]
        return [
            Checkpoint(occupied.recording, tuple(leaf[lane] for leaf in leaves))
            for lane, occupied in self._occupied.items()
            if occupied.recording.step
        ]

    def _mask(self, lanes: Collection[int]) -> Bools:
        """`bool[N]`: True at `lanes`."""
        mask = np.zeros(self._lanes.count, dtype=bool)
        mask[list(lanes)] = True
        return mask
