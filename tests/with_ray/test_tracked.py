"""Trackers of a sweep on a cluster: the same tracked runs as here, and failures that disturb no training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from helpers.made_trainer import FAILS_AT, FAULTY, MadeTrainer, made_specs, on_worker
from helpers.sweeps import Watcher, stored
from helpers.tracked import Failing, Remembering

from attnsearch.backends import run
from attnsearch.base import AttnsearchError
from attnsearch.runs.store import Store
from attnsearch.spec.run import RunSpec
from attnsearch.training.backend import TrainingSettings, Trains
from attnsearch.training.observer import Together
from attnsearch.training.ray.backend import RayBackend
from attnsearch.training.ray.cluster import Failed, Over
from attnsearch.training.ray.messages import Message, unpacked
from attnsearch.training.ray.settings import ClusterSettings
from attnsearch.training.ray.worker import trained
from attnsearch.training.tracking.observer import Tracking
from attnsearch.training.tracking.tracker import Tracker


class Here:
    """A cluster of one worker in this process, which sends a checkpoint of every point."""

    room = 1

    def __init__(self, settings: ClusterSettings):
        self.settings = settings

    def send(
        self,
        specs: Sequence[RunSpec],
        checkpoints: Sequence[bytes],
        on_worker: Callable[[int], Trains[Any]],
        settings: TrainingSettings,
    ) -> Iterator[bytes]:
        return trained(specs, checkpoints, on_worker, 1, TrainingSettings(checkpoint_every=0))

    def received(
        self, streams: Sequence[Iterator[bytes]], seconds: float
    ) -> list[tuple[Iterator[bytes], Message | Failed | Over]]:
        try:
            return [(streams[0], unpacked(next(streams[0])))]
        except StopIteration:
            return [(streams[0], Over())]
        except ValueError as error:
            return [(streams[0], Failed(str(error)))]

    def cancel(self, stream: Iterator[bytes]) -> None:
        pass


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> RayBackend:
    monkeypatch.setattr("attnsearch.training.ray.backend.Cluster", Here)
    return RayBackend(MadeTrainer(), on_worker, ClusterSettings())


def track(specs: Sequence[RunSpec], root: Path, backend: Trains[Any], *trackers: Tracker) -> Watcher:
    """Train and track `specs`, every point as soon as it is known; what was told meanwhile."""
    watcher = Watcher()
    with Tracking(trackers, watcher.warned, interval=0) as tracking:
        run(specs, Store.open(root), backend=backend, observer=Together(watcher, tracking))
    return watcher


def told(tracker: Remembering) -> dict[RunSpec, Any]:
    """All that a tracker was told, by run: each is one tracked run."""
    runs = {
        one.subject.spec: (
            one.subject,
            [(*entry[:2], list(entry.images)) for entry in one.entries],
            one.ending,
        )
        for one in tracker.runs
    }
    assert len(runs) == len(tracker.runs)
    return runs


@pytest.fixture
def local(tmp_path: Path) -> dict[RunSpec, Any]:
    """What a tracker is told of three runs that are trained here."""
    tracker = Remembering()
    track(made_specs(range(3)), tmp_path / "local", MadeTrainer(), tracker)
    return told(tracker)


def test_runs_of_a_cluster_are_tracked_as_runs_of_this_machine(
    nodes: Callable[[int], Any], tmp_path: Path, local: dict[RunSpec, Any]
):
    cluster, _ = nodes(1)
    tracker, backend = Remembering(), RayBackend(MadeTrainer(), on_worker, ClusterSettings(cluster.address))
    assert not track(list(local), tmp_path, backend, tracker).warnings
    assert told(tracker) == local


def test_checkpoints_that_come_back_double_no_point(
    here: RayBackend, tmp_path: Path, local: dict[RunSpec, Any]
):
    tracker = Remembering()
    track(list(local), tmp_path, here, tracker)
    assert told(tracker) == local


def test_a_run_in_training_is_told_up_to_its_last_checkpoint(here: RayBackend, tmp_path: Path):
    tracker, (spec,) = Remembering(), made_specs([FAULTY])
    with pytest.raises(AttnsearchError, match="cannot train 1 of the runs"):
        track([spec], tmp_path, here, tracker)
    _, entries, ending = told(tracker)[spec]
    # It was sent three times, and goes on from the point before it fails.
    assert [step for step, *_ in entries] == list(range(0, FAILS_AT, 10))
    assert (ending.status, ending.step) == ("interrupted", FAILS_AT - 10)


def test_a_tracker_that_fails_is_told_of_once_and_stops_no_training(
    here: RayBackend, tmp_path: Path, local: dict[RunSpec, Any]
):
    tracker = Remembering()
    watcher = track(list(local), tmp_path, here, Failing(), tracker)
    assert watcher.warnings == [
        "tracking with failing failed: OSError: the disk is full; training is untouched"
    ]
    assert set(stored(tmp_path)) == set(local)
    assert told(tracker) == local
