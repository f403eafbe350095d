"""Trains the runs of one cohort: a fixed number of lanes, refilled as runs end, checkpointed as they go.

It knows no framework. A backend gives it `Lanes`, in which networks are trained.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from attnsearch.base import Floats, MapRecord, Truth
from attnsearch.runs.checkpoints import Checkpoint
from attnsearch.runs.recorder import Recording
from attnsearch.spec.run import RunSpec
from attnsearch.training.backend import Ended, Runs, TrainingSettings
from attnsearch.training.observer import Observer, Progress

Leaves = Sequence[np.ndarray]
"""The state of one run between two recorded points, in an order that only its lanes know."""


class OutOfDeviceMemory(Exception):
    """The device cannot hold so many lanes. The runs in training are in their last checkpoints."""


class Points(NamedTuple):
    """A recorded point of every lane.

    loss, accuracy:  `f32[N, Q]` means over the last `RECORDING_INTERVAL` steps; the loss in nats
    update_norm:     `f32[N]`, as in `base.Updates`
    margin:          `f32[N, P]` nats, and agreement: `f32[N]`, as in `base.Contests`
    """

    loss: Floats
    accuracy: Floats
    update_norm: Floats
    margin: Floats
    agreement: Floats


class Begun(NamedTuple):
    """A run before its first step: the truth of its task, the names of its routes, and the map of its
    untrained network."""

    truth: Truth
    route_names: tuple[str, ...]
    map: MapRecord


class Lanes(Protocol):
    """N lanes side by side, each with at most one run in training. A lane never reads another.

    Every method may raise OutOfDeviceMemory.
    """

    @property
    def count(self) -> int:
        """N."""
        ...

    @property
    def preparation(self) -> str:
        """The work before the first step, in a word or two: "compiling"."""
        ...

    @property
    def environment(self) -> Mapping[str, Any]:
        """The machine and the versions of what trains here, as JSON values."""
        ...

    def begin(self, specs: Mapping[int, RunSpec]) -> Mapping[int, Begun]:
        """Begin the run that is given for each lane; the other lanes are untouched."""
        ...

    def fits(self, lane: int, spec: RunSpec, leaves: Leaves) -> bool:
        """Whether `leaves` have the shapes and types of the run of `spec` in this version."""
        ...

    def restore(self, saved: Mapping[int, tuple[RunSpec, Leaves]]) -> None:
        """Put runs into lanes as they were set aside, bit for bit. Their leaves are known to fit."""
        ...

    def advance(self, lanes: Collection[int]) -> None:
        """Train the runs in `lanes` one recorded point further. Returns at once; `points` waits."""
        ...

    def points(self) -> Points:
        """What the last `advance` recorded; lanes that were not asked for hold anything."""
        ...

    def look(self, lanes: Collection[int]) -> Mapping[int, MapRecord]:
        """The present map of the run in each of `lanes`."""
        ...

    def leaves(self, lanes: Collection[int]) -> Mapping[int, tuple[np.ndarray, ...]]:
        """The state of the run in each of `lanes`, copied to the host."""
        ...

    def parameters(self, lanes: Collection[int]) -> Mapping[int, Mapping[str, Floats]]:
        """The parameters of the network in each of `lanes` by their names, copied to the host."""
        ...


@dataclass
class _Occupied:
    """A lane at work: its run, and when this process took it up, at which step."""

    recording: Recording
    since: float
    from_step: int

    @classmethod
    def now(cls, recording: Recording) -> _Occupied:
        return cls(recording, time.perf_counter(), recording.step)

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
        specs: Sequence[RunSpec],
        lanes: Lanes,
        runs: Runs,
        observer: Observer,
        settings: TrainingSettings,
    ):
        self._specs, self._lanes = specs, lanes
        self._runs, self._observer, self._settings = runs, observer, settings
        self._environment = lanes.environment
        self._queue = deque(specs)
        self._taken: list[RunSpec] = []
        self._occupied: dict[int, _Occupied] = {}
        self._prepared = False
        self._checkpointed = time.monotonic()

    def run(self) -> Iterator[Ended]:
        """Every run of the cohort that no other process holds, each as it ends.

        Errors: OutOfDeviceMemory; KeyboardInterrupt when the observer wants to stop, with every run
        in training checkpointed.
        """
        try:
            yield from self._run()
        finally:
            # Every claim, also on a run that never began; what has been stored is given back already.
            for spec in self._taken:
                self._runs.give_back(spec)

    def _run(self) -> Iterator[Ended]:
        ended: list[Ended] = []
        news: list[Progress] = []
        while self._fill() or ended:
            snapshot = self._snapshot() if self._checkpoint_is_due() else []
            at_work = tuple(self._occupied)
            if at_work:
                self._lanes.advance(at_work)
            # The device works from here on; drawing, storing and checkpointing happen meanwhile.
            if news:
                self._observer.advanced(news, self._lanes.count)
            yield from ended
            for checkpoint in snapshot:
                self._runs.checkpoints.save(checkpoint)
            ended, news = [], []
            if not at_work:
                continue
            over = self._take_in(self._lanes.points())
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
            kept = self._lanes.parameters(lanes)
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
            checkpoint = self._runs.checkpoints.load(spec, self._observer.warned)
            if checkpoint is not None and not self._lanes.fits(lane, spec, checkpoint.leaves):
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
        if not self._prepared:
            self._observer.preparing(self._specs, self._lanes.count, self._lanes.preparation)
            self._prepared = True
        if fresh:
            for lane, begun in self._lanes.begin(fresh).items():
                recording = Recording(fresh[lane], begun.truth, begun.route_names)
                recording.add_map(begun.map)
                self._occupy(lane, recording)
        if restored:
            self._lanes.restore({lane: (one.recording.spec, one.leaves) for lane, one in restored.items()})
            for lane, checkpoint in restored.items():
                self._occupy(lane, checkpoint.recording)
        return True

    def _occupy(self, lane: int, recording: Recording) -> None:
        self._occupied[lane] = _Occupied.now(recording)
        self._observer.begun(recording)

    def _next(self) -> RunSpec | None:
        """The next pending run that is this process's to train."""
        while self._queue:
            spec = self._queue.popleft()
            if self._runs.take(spec):
                self._taken.append(spec)
                return spec
        return None

    def _take_in(self, points: Points) -> list[int]:
        """Record a point, and measure maps where they are due; lanes that ended."""
        wanted = [
            lane
            for lane, occupied in self._occupied.items()
            if occupied.recording.add(*(field[lane] for field in points))
        ]
        if wanted:
            for lane, measured in self._lanes.look(wanted).items():
                self._occupied[lane].recording.add_map(measured)
        return [lane for lane in wanted if self._occupied[lane].recording.status is not None]

    def _checkpoint_is_due(self) -> bool:
        return time.monotonic() - self._checkpointed >= self._settings.checkpoint_every

    def _snapshot(self) -> list[Checkpoint]:
        """Every run in training that has a recorded point, copied to the host."""
        self._checkpointed = time.monotonic()
        begun = [lane for lane, occupied in self._occupied.items() if occupied.recording.step]
        if not begun:
            return []
        leaves = self._lanes.leaves(begun)
        return [Checkpoint(self._occupied[lane].recording, leaves[lane]) for lane in begun]
