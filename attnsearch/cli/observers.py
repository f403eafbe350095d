"""What training tells on standard error where nobody looks at a terminal: lines, or warnings alone."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import Self

from attnsearch.cli.output import note
from attnsearch.cli.work import Work, outcome, subject
from attnsearch.runs.ended import ended
from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec.names import Names
from attnsearch.spec.run import RunSpec
from attnsearch.training.observer import ClusterWorker, Observer, Progress, Shards

PLAIN_INTERVAL = 10.0
"""Seconds between two plain lines about runs that go on."""


_MOST_RUNS = 8
"""Runs in training that a plain report lists."""


class Interruptible(Observer):
    """Tells warnings alone, and stops the work when it is interrupted.

    It stops at the next recorded point, and at once after a second interrupt. One that struck anywhere would
    now and then strike inside compiled code, which reports it as a failure of its own. A context manager, for
    the main thread.
    """

    _interrupted = False

    def wants_to_stop(self) -> bool:
        return self._interrupted

    def warned(self, message: str) -> None:
        note(f"warning: {message}")

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._note_interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _note_interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._interrupted:
            raise KeyboardInterrupt
        self._interrupted = True


class PlainProgress(Interruptible):
    """A line when something happens, and every `PLAIN_INTERVAL` seconds one for each of the first runs.

    store:  where runs of other seeds may lie, from which the time left is estimated; None for nowhere
    """

    def __init__(self, store: Store | None = None, tell: Callable[[str], None] = note):
        self._store, self._tell = store, tell
        self._work, self._names = Work(), Names(())
        self._last = time.monotonic()

    def planned(self, pending: Sequence[RunSpec], stored: Sequence[StoredRun]) -> None:
        runs = [*pending, *(run.spec for run in stored)]
        earlier = ended(self._store, pending, runs) if self._store else ()
        self._work, self._names = Work(pending, stored, earlier), Names(spec.cell for spec in runs)
        self._tell(subject(self._names, len(runs)))
        if stored:
            self._tell(f"{len(stored)} of {len(runs)} runs answered from the store")

    def preparing(self, runs: Sequence[RunSpec], num_lanes: int, work: str) -> None:
        self._tell(self._preparing(runs, num_lanes, work))

    def advanced(self, running: Sequence[Progress], num_lanes: int) -> None:
        self._work.advanced(running, num_lanes)
        if time.monotonic() - self._last < PLAIN_INTERVAL:
            return
        self._last = time.monotonic()
        for at in running[:_MOST_RUNS]:
            self._tell(
                f"{self._names.short(at.spec)}: step {at.step:,}, loss {at.loss:.3f}, chance {at.chance:.3f},"
                f" found {at.found}/{at.targets}, {at.steps_per_second:.0f} steps/s"
            )
        if len(running) > _MOST_RUNS:
            self._tell(f"and {len(running) - _MOST_RUNS} more")
        self._tell(self._work.describe())

    def spread(self, workers: Sequence[ClusterWorker], shards: Shards) -> None:
        self._work.spread(workers, shards)
        if not workers and time.monotonic() - self._last >= PLAIN_INTERVAL:
            self._last = time.monotonic()
            self._tell(self._work.describe())

    def finished(self, run: StoredRun) -> None:
        self._work.finished(run)
        name = self._names.short(run.spec)
        self._tell(f"[{self._work.done}/{self._work.total}] {name}: {outcome(run)}")

    def waiting(self, held: Sequence[RunSpec]) -> None:
        if time.monotonic() - self._last >= PLAIN_INTERVAL:
            self._last = time.monotonic()
            self._tell(self._waiting(held))

    def warned(self, message: str) -> None:
        self._tell(f"warning: {message}")

    def _preparing(self, runs: Sequence[RunSpec], num_lanes: int, work: str) -> str:
        return f"{work} for {len(runs)} runs like {self._names.short(runs[0])}, {num_lanes} at a time"

    def _waiting(self, held: Sequence[RunSpec]) -> str:
        return f"waiting for {len(held)} runs that another process is training"
