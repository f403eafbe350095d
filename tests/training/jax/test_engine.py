"""The engine: lanes that are always busy, checkpoints and disks that fail, other devices."""

import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.sweeps import Undisturbed, Watcher, all_the_same, same, stored, sweep
from helpers.worker import worker

from attnsearch.backends import run
from attnsearch.base import AttnsearchError, MapRecord
from attnsearch.runs.checkpoints import Checkpoint
from attnsearch.runs.claims import SharedRuns
from attnsearch.runs.recorder import Recording
from attnsearch.runs.store import Store
from attnsearch.spec.run import RunSpec
from attnsearch.training import runner
from attnsearch.training.backend import TrainingSettings
from attnsearch.training.jax import backend as jax_backend
from attnsearch.training.jax.backend import JaxBackend

TWO_LANES = TrainingSettings(lanes=2, checkpoint_every=1e9)


def test_every_lane_is_refilled_while_runs_are_pending(tmp_path: Path, backend: JaxBackend):
    """Two lanes, eight runs of very different lengths: no lane is empty before the queue is."""
    busy: list[tuple[int, int]] = []

    class Counter(Watcher):
        def advanced(self, running, num_lanes):
            busy.append((len(running), len(self.pending) - len(self.finished_runs)))

    run(sweep(range(4)), Store.open(tmp_path), backend=backend, observer=Counter(), settings=TWO_LANES)
    assert {lanes for lanes, left in busy if left > 2} == {2}


def test_lanes_are_chosen_once_however_often_held_runs_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Choosing may compile; a process that waits for another must not do so at every look."""
    chosen: list[int] = []
    wanted = sweep(range(1))
    rival = SharedRuns(Store.open(tmp_path), pytest.fail)
    assert all(rival.take(spec) for spec in wanted)

    class Patient(Watcher):
        looks = 0

        def waiting(self, held: Sequence[RunSpec]):
            self.looks += 1
            if self.looks == 3:
                for spec in wanted:
                    rival.give_back(spec)

    def choose(_: object) -> int:
        chosen.append(1)
        return 2

    monkeypatch.setattr(jax_backend, "lanes_that_pay", choose)
    monkeypatch.setattr(runner, "POLLING_INTERVAL", 0.01)
    observer = Patient()
    assert len(run(wanted, Store.open(tmp_path), observer=observer)) == 2
    assert observer.looks == 3
    assert len(chosen) == 1


def test_lanes_that_are_given_are_those_of_this_call(tmp_path: Path, backend: JaxBackend):
    for lanes in (1, 2):
        made = run(
            sweep([lanes]), Store.open(tmp_path), backend=backend, settings=TrainingSettings(lanes=lanes)
        )
        assert {one.environment["lanes"] for one in made} == {lanes}


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Stands in for a full disk: every larger write of this process fails, as there."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_told_and_resumed_when_there_is_room(
    tmp_path: Path, backend: JaxBackend, undisturbed: Undisturbed
):
    store = Store.open(tmp_path)
    first = run(sweep(range(1)), store, backend=backend, settings=TWO_LANES)
    with largest_file(2_000), pytest.raises(AttnsearchError, match="stored runs stay readable") as caught:
        run(sweep(range(4)), store, backend=backend, settings=TWO_LANES)
    assert "File too large" in str(caught.value)
    assert "make room" in str(caught.value)
    found = stored(tmp_path)
    assert set(found) == {one.spec for one in first}
    for one in first:
        same(found[one.spec], one)
    run(sweep(range(4)), store, backend=backend, settings=TWO_LANES)
    all_the_same(tmp_path, undisturbed)


def test_a_damaged_checkpoint_is_told_and_the_run_begins_anew(
    tmp_path: Path, backend: JaxBackend, undisturbed: Undisturbed
):
    wanted, store = sweep(range(4)), Store.open(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(wanted, store, backend=backend, observer=Watcher(points=3), settings=TWO_LANES)
    left = list(tmp_path.glob("runs/.checkpoint-*.npz"))
    assert len(left) == 2
    for path in left:
        path.write_bytes(path.read_bytes()[:-100])
    watcher = Watcher()
    run(wanted, store, backend=backend, observer=watcher, settings=TWO_LANES)
    assert len(watcher.warnings) == 2
    for path in left:
        assert sum(path.name in line for line in watcher.warnings) == 1
    all_the_same(tmp_path, undisturbed)


def test_a_checkpoint_of_another_network_is_told_and_the_run_begins_anew(
    tmp_path: Path, backend: JaxBackend, undisturbed: Undisturbed
):
    wanted = sweep(range(1))
    known = undisturbed[wanted[0]]
    shared = SharedRuns(Store.open(tmp_path), pytest.fail)
    recording = Recording(known.spec, known.truth)
    recording.add_map(MapRecord.of(known.maps.influence[0], known.maps.mass[0]))
    recording.add(known.curves.loss[0], known.curves.accuracy[0])
    shared.checkpoints.save(Checkpoint(recording, (np.zeros(3, np.float32),)))
    watcher = Watcher()
    found = run(wanted, Store.open(tmp_path), backend=backend, observer=watcher, settings=TWO_LANES)
    (line,) = watcher.warnings
    assert "another version" in line
    for one in found:
        same(one, undisturbed[one.spec])


def test_a_checkpoint_left_by_a_kill_after_storing_is_removed(tmp_path: Path, undisturbed: Undisturbed):
    store = Store.open(tmp_path)
    one = next(iter(undisturbed.values()))
    store.save(one)
    shared = SharedRuns(store, pytest.fail)
    shared.checkpoints.path(one.spec).write_bytes(b"stale")
    assert shared.find(one.spec) is not None
    assert not shared.checkpoints.path(one.spec).exists()


def test_eight_devices_give_the_results_of_one(tmp_path: Path, backend: JaxBackend):
    """Sharded over eight virtual devices of one lane each, against one device with one lane.

    The same to rounding: products are split over threads differently where there are more devices.
    """
    with worker(tmp_path, lanes=1, XLA_FLAGS="--xla_force_host_platform_device_count=8") as process:
        _, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    many = stored(tmp_path)
    one_lane = replace(TWO_LANES, lanes=1)
    for one in run(sweep(range(4)), Store.open(tmp_path / "one"), backend=backend, settings=one_lane):
        other = many[one.spec]
        points = min(len(one.curves.step), len(other.curves.step))
        assert abs(len(one.curves.step) - len(other.curves.step)) <= 1
        for ours, theirs in zip(one.curves, other.curves, strict=True):
            np.testing.assert_allclose(ours[:points], theirs[:points], rtol=1e-2, atol=1e-3)
        assert one.status == other.status
        assert [(run.environment["devices"], run.environment["lanes"]) for run in (one, other)] == [
            (1, 1),
            (8, 8),
        ]
