"""One tracker at work in a thread of its own, so that training waits for none."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from attnsearch.runs.recorder import Recording
from attnsearch.spec.run import RunSpec
from attnsearch.training.tracking.entries import entries, subject_of
from attnsearch.training.tracking.tracker import Ending, Journal, Tracker

PATIENCE = 60.0
"""Seconds after which a tracker that has done nothing counts as failed."""

_LONGEST_QUEUE = 256


@dataclass
class _Followed:
    """A run that is open: where it is told of, and the step up to which that was done."""

    journal: Journal
    told: int = -1


class Follower:
    """Tells one tracker of runs, in the background and in order.

    A tracker that raises, or does nothing for `PATIENCE` seconds while work waits, is told nothing more;
    `failure` then says why.
    """

    def __init__(self, tracker: Tracker, patience: float = PATIENCE):
        self.name = tracker.name
        self.failure: str | None = None
        self._tracker, self._patience = tracker, patience
        self._open: dict[RunSpec, _Followed] = {}
        self._queue: queue.Queue[Callable[[], None] | None] = queue.Queue(_LONGEST_QUEUE)
        self._progress = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._work, name=f"track-{tracker.name}", daemon=True)
        self._thread.start()

    def begin(self, recording: Recording) -> None:
        """Open a tracked run for a run before its next point, with what is recorded of it so far."""
        self._ask(partial(self._begin, recording, recording.step))

    def write(self, recordings: Sequence[Recording]) -> None:
        """Tell what is new of open runs; left for the next time where there is work enough."""
        if self._queue.empty():
            self._ask(partial(self._write, [(recording, recording.step) for recording in recordings]))

    def end(self, recording: Recording, ending: Ending) -> None:
        """Tell what is new of an open run, and how it ended."""
        self._ask(partial(self._end, recording, recording.step, ending))

    def close(self) -> None:
        """Wait until all is told, or until the tracker has failed."""
        self._ask(None)
        while self.failure is None and self._thread.is_alive():
            if not self._progress.acquire(timeout=self._patience) and self._thread.is_alive():
                self._give_up()

    def _ask(self, work: Callable[[], None] | None) -> None:
        if self.failure is None:
            try:
                self._queue.put(work, timeout=self._patience)
            except queue.Full:
                self._give_up()

    def _give_up(self) -> None:
        self.failure = f"it has done nothing for {self._patience:.0f} s"

    def _work(self) -> None:
        while (work := self._queue.get()) is not None:
            if self.failure is None:
                try:
                    work()
                # Whatever goes wrong in a tool that only shows runs, they are trained.
                except Exception as error:
                    self.failure = " ".join(f"{type(error).__name__}: {error}".split())
            self._progress.release()
        self._progress.release()

    def _begin(self, recording: Recording, until: int) -> None:
        self._open[recording.spec] = _Followed(self._tracker.begin(subject_of(recording)))
        self._write([(recording, until)])

    def _write(self, recordings: Sequence[tuple[Recording, int]]) -> None:
        for recording, until in recordings:
            followed = self._open.get(recording.spec)
            if followed is not None and until > followed.told:
                followed.journal.write(entries(recording, followed.told, until))
                followed.told = until

    def _end(self, recording: Recording, until: int, ending: Ending) -> None:
        self._write([(recording, until)])
        self._open.pop(recording.spec).journal.end(ending)
