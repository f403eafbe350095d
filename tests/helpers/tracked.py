"""Runs that train again as they are stored, a tracker that remembers what it is told, and one that fails."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from attnsearch.base import MapRecord
from attnsearch.runs.recorder import Recording
from attnsearch.runs.store import StoredRun
from attnsearch.training.observer import Progress
from attnsearch.training.tracking.observer import Tracking
from attnsearch.training.tracking.tracker import Ending, Entry, Subject, Tracker
from helpers.hand_made import run_of, spec_of

TWO = (
    run_of(spec_of(seed=0), [100, 110, 120, 130], heads=3),
    run_of(spec_of(seed=1), [100, 110, 120, None], heads=3, diverges=400),
)
"""One that masters at step 160, and one that diverges at step 400."""


def begun(run: StoredRun) -> Recording:
    """`run` before its first step."""
    recording = Recording(run.spec, run.truth)
    _add_map(recording, run)
    return recording


def grow(recording: Recording, run: StoredRun, steps: int) -> None:
    """Record the points of `run` after the present one up to `steps`."""
    for point in range(len(recording.loss), min(steps // 10, len(run.curves.step))):
        recording.add(run.curves.loss[point], run.curves.accuracy[point])
        _add_map(recording, run)


def _add_map(recording: Recording, run: StoredRun) -> None:
    for at in np.flatnonzero(run.maps.step == recording.step):
        recording.add_map(
            MapRecord(
                run.maps.influence[at],
                run.maps.mass[at],
                run.maps.later[at],
                np.zeros((0, len(run.maps.mass[at])), np.float32),
                run.heads.weights[at] / 255,
                run.heads.mass[at],
                run.heads.entropy[at],
            )
        )


def train(tracking: Tracking, runs: Sequence[StoredRun], steps: int = 10_000, since: int = 0) -> None:
    """Train `runs` side by side, as the engine would: each to its end, or as far as `steps`.

    since:  the step of the checkpoints that they go on from
    """
    lanes = {run.spec: (begun(run), run) for run in runs}
    for recording, run in lanes.values():
        grow(recording, run, since)
        tracking.begun(recording)
    for step in range(since + 10, steps + 10, 10):
        if not lanes:
            return
        news = []
        for recording, run in lanes.values():
            grow(recording, run, step)
            news.append(Progress(run.spec, recording.step, 0.0, 0.0, 0, 0, 0.0))
        tracking.advanced(news, len(runs))
        for recording, run in list(lanes.values()):
            if recording.step == run.curves.step[-1]:
                del lanes[run.spec]
                tracking.finished(run)


def track(tracker: Tracker, runs: Sequence[StoredRun] = TWO) -> None:
    """Let `tracker` follow `runs` while they train, at every point, and expect no warning."""
    warnings: list[str] = []
    with Tracking([tracker], warnings.append, interval=0) as tracking:
        train(tracking, runs)
    assert not warnings, warnings


class Remembering:
    """A tracker that remembers every run that it is told of, in the order in which they began."""

    name = "remembering"

    def __init__(self) -> None:
        self.runs: list[Remembered] = []

    def begin(self, subject: Subject) -> Remembered:
        self.runs.append(Remembered(subject))
        return self.runs[-1]


class Remembered:
    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.entries: list[Entry] = []
        self.ending: Ending | None = None

    def write(self, entries: Sequence[Entry]) -> None:
        assert self.ending is None
        self.entries += entries

    def end(self, ending: Ending) -> None:
        assert self.ending is None
        self.ending = ending

    @property
    def steps(self) -> list[int]:
        return [entry.step for entry in self.entries]


class Failing(Remembering):
    """Begins runs, and fails at the first entry."""

    name = "failing"

    def begin(self, subject: Subject) -> Remembered:
        return _FailingRun(subject)


class _FailingRun(Remembered):
    def write(self, entries: Sequence[Entry]) -> None:
        raise OSError("the disk\nis full")
