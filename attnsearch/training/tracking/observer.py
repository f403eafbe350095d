"""Tells trackers of the runs that this process trains, or lets a cluster train: one tracked run a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from attnsearch.runs.recorder import Recording
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import RunSpec
from attnsearch.training.observer import Observer, Progress
from attnsearch.training.tracking.entries import ending_of
from attnsearch.training.tracking.follower import Follower
from attnsearch.training.tracking.tracker import Ending, Tracker

WRITING_INTERVAL = 5.0
"""Seconds between two times at which the runs in training are told of."""


class Tracking(Observer):
    """Tells each of some trackers of every run from its beginning in a lane to its end.

    A run that another process trains is left to that process. A run that goes on from a checkpoint is told
    from its first step, as a new tracked run. A context manager: what has not ended when it is left is
    interrupted.

    warn:  told once of each tracker that failed
    """

    def __init__(
        self,
        trackers: Sequence[Tracker],
        warn: Callable[[str], None],
        interval: float = WRITING_INTERVAL,
    ):
        self._followers = [Follower(tracker) for tracker in trackers]
        self._warn, self._interval = warn, interval
        self._running: dict[RunSpec, Recording] = {}
        self._written = time.monotonic()

    def begun(self, recording: Recording) -> None:
        # A run whose lanes were made anew, or that a cluster trains, comes to the same points: it stays one
        # tracked run.
        known = recording.spec in self._running
        self._running[recording.spec] = recording
        if not known:
            for follower in self._followers:
                follower.begin(recording)

    def advanced(self, running: Sequence[Progress], num_lanes: int) -> None:
        if time.monotonic() - self._written >= self._interval:
            self._written = time.monotonic()
            for follower in self._followers:
                follower.write(list(self._running.values()))
            self._tell_failures()

    def finished(self, run: StoredRun) -> None:
        recording = self._running.pop(run.spec, None)
        if recording is not None:
            for follower in self._followers:
                follower.end(recording, ending_of(run))
            self._tell_failures()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for follower in self._followers:
            for recording in self._running.values():
                follower.end(recording, Ending("interrupted", recording.step, {}))
        for follower in self._followers:
            follower.close()
        self._tell_failures()

    def _tell_failures(self) -> None:
        for follower in self._followers:
            if follower.failure is not None:
                self._warn(f"tracking with {follower.name} failed: {follower.failure}; training is untouched")
        self._followers = [follower for follower in self._followers if follower.failure is None]
