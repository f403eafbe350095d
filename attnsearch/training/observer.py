"""What the engine tells while it works, and to whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from attnsearch.runs.recorder import Recording
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import RunSpec


class Progress(NamedTuple):
    """Where a run in training is. `loss` is the mean over targets, in nats; `found` of `targets`.

    `chance` is the loss of the best guess without the map, in nats. `steps_per_second` counts from when this
    process took the run up.
    """

    spec: RunSpec
    step: int
    loss: float
    chance: float
    found: int
    targets: int
    steps_per_second: float


class ClusterWorker(NamedTuple):
    """A process of a cluster that trains. `name` tells its machine; the rate is of all its lanes."""

    name: str
    lanes: int
    steps_per_second: float


class Shards(NamedTuple):
    """How many shards of a sweep have ended, are sent to the cluster, or were given up."""

    ended: int
    sent: int
    given_up: int


class Observer:
    """What a runner tells while it works. Override what is wanted; by default nothing is said."""

    def planned(self, pending: Sequence[RunSpec], stored: Sequence[StoredRun]) -> None:
        """What will be trained, and what the store already holds."""

    def preparing(self, runs: Sequence[RunSpec], num_lanes: int, work: str) -> None:
        """What trains these runs, `num_lanes` at a time, is being made: `work` says how, "compiling"."""

    def begun(self, recording: Recording) -> None:
        """A run was put into a lane; `recording` grows while it trains, and is only to be read.

        Told again of the same run where its lanes had to be made anew. It then goes on from an earlier step,
        to the same points. A run on a cluster is told of at each checkpoint that comes back, and at its end:
        each time with another recording, which does not grow.
        """

    def advanced(self, running: Sequence[Progress], num_lanes: int) -> None:
        """Every running lane, of `num_lanes`, has reached its next recorded point."""

    def spread(self, workers: Sequence[ClusterWorker], shards: Shards) -> None:
        """What a cluster does now, told about once a second."""

    def finished(self, run: StoredRun) -> None:
        """A run has ended and is stored."""

    def waiting(self, held: Sequence[RunSpec]) -> None:
        """Nothing is left but these runs, which another process is training."""

    def warned(self, message: str) -> None:
        """Something the user should know, in one line."""

    def wants_to_stop(self) -> bool:
        """Asked at every recorded point; True ends the work with a KeyboardInterrupt."""
        return False


class Together(Observer):
    """Several observers as one: each is told everything, in their order. Any of them may end the work."""

    def __init__(self, *observers: Observer):
        self._observers = observers

    def planned(self, pending: Sequence[RunSpec], stored: Sequence[StoredRun]) -> None:
        for one in self._observers:
            one.planned(pending, stored)

    def preparing(self, runs: Sequence[RunSpec], num_lanes: int, work: str) -> None:
        for one in self._observers:
            one.preparing(runs, num_lanes, work)

    def begun(self, recording: Recording) -> None:
        for one in self._observers:
            one.begun(recording)

    def advanced(self, running: Sequence[Progress], num_lanes: int) -> None:
        for one in self._observers:
            one.advanced(running, num_lanes)

    def spread(self, workers: Sequence[ClusterWorker], shards: Shards) -> None:
        for one in self._observers:
            one.spread(workers, shards)

    def finished(self, run: StoredRun) -> None:
        for one in self._observers:
            one.finished(run)

    def waiting(self, held: Sequence[RunSpec]) -> None:
        for one in self._observers:
            one.waiting(held)

    def warned(self, message: str) -> None:
        for one in self._observers:
            one.warned(message)

    def wants_to_stop(self) -> bool:
        return any(one.wants_to_stop() for one in self._observers)
