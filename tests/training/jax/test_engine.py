"""The engine under trouble: killed, full disks, damaged files, rivals, many devices, too little memory."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from helpers.tiny import VALUES

from attnsearch.base import AttnsearchError, MapRecord
from attnsearch.runs.checkpoints import Checkpoint
from attnsearch.runs.claims import SharedRuns
from attnsearch.runs.recorder import Recording
from attnsearch.runs.store import Store, StoredRun, read
from attnsearch.spec.run import RunSpec
from attnsearch.training import runner
from attnsearch.training.backend import TrainingSettings
from attnsearch.training.jax import backend, engine
from attnsearch.training.jax.backend import run as train
from attnsearch.training.jax.backend import specify
from attnsearch.training.jax.lanes import Lanes
from attnsearch.training.observer import Observer

BOTH = {**VALUES, "support_size": [1, 2]}

# Checkpoints at every recorded point, so that a process killed at any moment has some to go on from.
WORKER = """
import json, resource, signal, sys
from pathlib import Path
from attnsearch.training.backend import TrainingSettings
from attnsearch.training.jax.backend import specify
from attnsearch.training.jax.backend import run
from attnsearch.runs.store import Store
from attnsearch.training.observer import Observer

class Log(Observer):
    trained = set()
    def advanced(self, running, num_lanes):
        for digest in {at.spec.digest for at in running} - self.trained:
            print(digest, flush=True)
            self.trained.add(digest)
    def warned(self, message):
        print(message, file=sys.stderr, flush=True)

root, values, seeds, every, lanes = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:6]
if len(sys.argv) > 6:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[6]), resource.RLIM_INFINITY))
specs = specify(["linear_map"], ["attention"], values, seeds=range(seeds))
run(specs, Store.open(Path(root)), observer=Log(), settings=TrainingSettings(int(lanes), float(every)))
"""


def worker(
    root: Path,
    seeds: int,
    every: float = 0.0,
    lanes: int = 2,
    values: dict[str, list[Any]] = BOTH,
    largest_file: int | None = None,
    **environment: str,
) -> subprocess.Popen[str]:
    numbers = [str(number) for number in (seeds, every, lanes, largest_file) if number is not None]
    arguments = [sys.executable, "-c", WORKER, str(root), json.dumps(values), *numbers]
    return subprocess.Popen(
        arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def specs(seeds: int, **changes: list[Any]) -> list[RunSpec]:
    return specify(["linear_map"], ["attention"], {**BOTH, **changes}, seeds=range(seeds))


def same(one: StoredRun, other: StoredRun) -> None:
    """Equal bit for bit in everything that training makes."""
    for ours, theirs in zip((*one.curves, *one.maps), (*other.curves, *other.maps), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert one.status == other.status
    assert one.measures.to_json() == other.measures.to_json()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[RunSpec, StoredRun]:
    root = tmp_path_factory.mktemp("undisturbed")
    process = worker(root, seeds=4, every=1e9)
    _, err = process.communicate()
    assert process.returncode == 0, err
    found = stored(root)
    assert set(found) == set(specs(4))
    return found


def stored(root: Path) -> dict[RunSpec, StoredRun]:
    return {run.spec: run for run in Store.open(root).runs(pytest.fail)}


def compare(root: Path, undisturbed: dict[RunSpec, StoredRun]) -> None:
    found = stored(root)
    assert set(found) == set(undisturbed)
    for spec, run in found.items():
        same(run, undisturbed[spec])
    assert not [path.name for path in (root / "runs").iterdir() if path.name.startswith(".check")]


def test_killed_twenty_times_at_random_moments(tmp_path: Path):
    """Some die while they import, some while they compile, most while they train or store."""
    long = {**BOTH, "steps": [800], "early_stopping": [False]}
    reference, root = tmp_path / "reference", tmp_path / "killed"
    _, err = worker(reference, seeds=4, every=1e9, values=long).communicate()
    assert err == ""
    chance, kills = random.Random(0), 0
    while kills < 20:
        process = worker(root, seeds=4, values=long)
        try:
            process.wait(timeout=chance.uniform(0.5, 2.5))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            kills += 1
        _, err = process.communicate()
        assert err == ""
        if process.returncode == 0:
            # All done before the twentieth kill: the rest of them strike a new sweep.
            compare(root, stored(reference))
            root = tmp_path / f"killed-{kills}"
    _, err = worker(root, seeds=4, values=long).communicate()
    assert err == ""
    compare(root, stored(reference))


def test_a_run_goes_on_from_its_checkpoint_bit_for_bit(tmp_path: Path, undisturbed: dict[RunSpec, StoredRun]):
    """Interrupted in the middle of runs, again and again: no step is trained twice."""

    class Impatient(Observer):
        def __init__(self):
            self.steps: list[int] = []
            self.points = 0

        def advanced(self, running, num_lanes):
            self.points += 1
            self.steps.append(min(at.step for at in running))

        def wants_to_stop(self):
            return self.points >= 7

    wanted = specs(4)
    store, starts = Store.open(tmp_path), []
    settings = TrainingSettings(lanes=2, checkpoint_every=1e9)
    for _ in range(100):
        observer = Impatient()
        try:
            train(wanted, store, observer=observer, settings=settings)
        except KeyboardInterrupt:
            starts.append(observer.steps[0])
            continue
        break
    else:
        pytest.fail("never finished")
    assert max(starts) > 10, "no run was ever taken up in the middle"
    compare(tmp_path, undisturbed)


def test_two_processes_share_one_folder(tmp_path: Path, undisturbed: dict[RunSpec, StoredRun]):
    both = [worker(tmp_path, seeds=4, every=1e9, lanes=1) for _ in range(2)]
    outputs = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert all(err == "" for _, err in outputs)
    trained = [
        (root / "run.json").stat().st_mtime_ns for root in (tmp_path / "runs").iterdir() if root.is_dir()
    ]
    assert len(trained) == len(undisturbed)
    compare(tmp_path, undisturbed)


def test_what_a_killed_process_held_is_taken_over(tmp_path: Path, undisturbed: dict[RunSpec, StoredRun]):
    victim, heir = worker(tmp_path, seeds=4), worker(tmp_path, seeds=4)
    assert victim.stdout is not None
    victim.stdout.readline()
    victim.send_signal(signal.SIGKILL)
    victim.communicate()
    _, err = heir.communicate()
    assert heir.returncode == 0, err
    compare(tmp_path, undisturbed)


def test_a_full_disk_is_told_and_resumed_when_there_is_room(
    tmp_path: Path, undisturbed: dict[RunSpec, StoredRun]
):
    """The limit on a file's size stands in for the disk: every larger write fails, as on a full one."""

    first = worker(tmp_path, seeds=1, every=1e9)
    first.communicate()
    before = {path.parent.name: path.read_bytes() for path in tmp_path.glob("runs/[!.]*/curves.npz")}
    assert len(before) == 2
    full = worker(tmp_path, seeds=4, every=1e9, largest_file=2_000, JAX_ENABLE_COMPILATION_CACHE="false")
    _, err = full.communicate()
    assert full.returncode == 1
    complaint = err.strip().splitlines()[-1]
    assert "AttnsearchError" in complaint
    assert "what is stored already stays readable" in complaint
    assert "make room" in complaint
    for name, curves in before.items():
        assert read(tmp_path / "runs" / name).curves is not None
        assert (tmp_path / "runs" / name / "curves.npz").read_bytes() == curves
    assert worker(tmp_path, seeds=4).communicate()[1] == ""
    compare(tmp_path, undisturbed)


def test_a_damaged_checkpoint_is_told_and_the_run_begins_anew(
    tmp_path: Path, undisturbed: dict[RunSpec, StoredRun]
):
    process = worker(tmp_path, seeds=4)
    limit = time.monotonic() + 120
    while not (checkpoints := list(tmp_path.glob("runs/.checkpoint-*.npz"))):
        assert time.monotonic() < limit
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    checkpoints = list(tmp_path.glob("runs/.checkpoint-*.npz"))
    for path in checkpoints:
        path.write_bytes(path.read_bytes()[:-100])
    again = worker(tmp_path, seeds=4)
    _, err = again.communicate()
    assert again.returncode == 0
    assert len(err.splitlines()) == len(checkpoints)
    assert all(any(path.name in line for path in checkpoints) for line in err.splitlines())
    compare(tmp_path, undisturbed)


def test_a_checkpoint_of_another_network_is_told_and_the_run_begins_anew(
    tmp_path: Path, undisturbed: dict[RunSpec, StoredRun]
):
    spec = specs(1)[0]
    shared = SharedRuns(Store.open(tmp_path), pytest.fail)
    truth = undisturbed[spec].truth
    recording = Recording(spec, truth)
    recording.add_map(MapRecord.of(undisturbed[spec].maps.influence[0], undisturbed[spec].maps.mass[0]))
    recording.add(undisturbed[spec].curves.loss[0], undisturbed[spec].curves.accuracy[0])
    shared.checkpoints.save(Checkpoint(recording, (np.zeros(3, np.float32),)))
    warnings: list[str] = []

    class Listener(Observer):
        def warned(self, message: str):
            warnings.append(message)

    found = train(specs(4), Store.open(tmp_path), observer=Listener(), settings=TrainingSettings(lanes=2))
    assert len(warnings) == 1
    assert "another version" in warnings[0]
    for one in found:
        same(one, undisturbed[one.spec])


def test_a_checkpoint_left_by_a_kill_after_storing_is_removed(tmp_path: Path):
    store = Store.open(tmp_path)
    (stored, *_) = train(specs(1), store)
    shared = SharedRuns(store, pytest.fail)
    shared.checkpoints.path(stored.spec).write_bytes(b"stale")
    assert shared.find(stored.spec) is not None
    assert not shared.checkpoints.path(stored.spec).exists()


def test_lanes_are_chosen_once_however_often_held_runs_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Choosing may compile; a process that waits for another must not do so at every look."""
    chosen: list[int] = []
    wanted = specs(1)
    rival = SharedRuns(Store.open(tmp_path), pytest.fail)
    assert all(rival.take(spec) for spec in wanted)

    class Patient(Observer):
        looks = 0

        def waiting(self, held: Sequence[RunSpec]):
            self.looks += 1
            if self.looks == 3:
                for spec in wanted:
                    rival.give_back(spec)

    def choose(_: object) -> int:
        chosen.append(1)
        return 2

    monkeypatch.setattr(backend, "lanes_that_pay", choose)
    monkeypatch.setattr(runner, "POLLING_INTERVAL", 0.01)
    observer = Patient()
    assert len(train(wanted, Store.open(tmp_path), observer=observer)) == 2
    assert observer.looks == 3
    assert len(chosen) == 1


def test_eight_devices_give_the_results_of_one(tmp_path: Path):
    """Sharded over eight virtual devices of one lane each, against one device with one lane.

    The same to rounding: products are split over threads differently where there are more devices.
    """
    many = worker(tmp_path / "many", 4, lanes=1, XLA_FLAGS="--xla_force_host_platform_device_count=8")
    one = worker(tmp_path / "one", 4, lanes=1)
    for process in (many, one):
        _, err = process.communicate()
        assert process.returncode == 0, err
    environments = set()
    for spec in specs(4):
        pair = [read(Store.open(tmp_path / name).path(spec)) for name in ("many", "one")]
        points = min(len(run.curves.step) for run in pair)
        assert abs(len(pair[0].curves.step) - len(pair[1].curves.step)) <= 1
        for ours, theirs in zip(*(run.curves for run in pair), strict=True):
            np.testing.assert_allclose(ours[:points], theirs[:points], rtol=1e-2, atol=1e-3)
        assert pair[0].status == pair[1].status
        environments.add(tuple((run.environment["devices"], run.environment["lanes"]) for run in pair))
    assert environments == {((8, 8), (1, 1))}


def test_too_little_memory_means_fewer_lanes_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: dict[RunSpec, StoredRun]
):
    """A device that refuses more than two lanes, in the words in which jax reports it."""
    real = Lanes.advance

    def refusing(self: Lanes, *arguments: Any):
        if self.count > 2:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes.")
        return real(self, *arguments)

    class Listener(Observer):
        def __init__(self):
            self.warnings: list[str] = []

        def warned(self, message: str):
            self.warnings.append(message)

    monkeypatch.setattr(engine.Lanes, "advance", refusing)
    listener = Listener()
    found = train(specs(4), Store.open(tmp_path), observer=listener, settings=TrainingSettings(lanes=8))
    assert len(listener.warnings) == 2
    assert "8 lanes do not fit" in listener.warnings[0]
    assert "going on with 2" in listener.warnings[1]
    for one in found:
        same(one, undisturbed[one.spec])


def test_memory_that_runs_out_while_lanes_begin_leaves_no_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: dict[RunSpec, StoredRun]
):
    """The runs that were taken for too many lanes are taken again for fewer."""
    real, refused = Lanes.begin, list[int]()

    def refusing(self: Lanes, *arguments: Any):
        if self.count > 2:
            refused.append(self.count)
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes.")
        return real(self, *arguments)

    class Listener(Observer):
        def waiting(self, held: Sequence[RunSpec]):
            pytest.fail("it waits for runs that it has taken itself")

    monkeypatch.setattr(engine.Lanes, "begin", refusing)
    for one in train(specs(4), Store.open(tmp_path), observer=Listener(), settings=TrainingSettings(lanes=4)):
        same(one, undisturbed[one.spec])
    assert refused == [4]


def test_memory_for_not_even_one_lane_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refusing(*_: Any):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")

    monkeypatch.setattr(engine.Lanes, "advance", refusing)
    with pytest.raises(AttnsearchError, match="not enough memory for one run"):
        train(specs(1), Store.open(tmp_path), settings=TrainingSettings(lanes=1))


def test_other_failures_of_the_device_are_not_taken_for_a_lack_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def failing(*_: Any):
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")

    monkeypatch.setattr(engine.Lanes, "advance", failing)
    with pytest.raises(jax.errors.JaxRuntimeError, match="something else"):
        train(specs(1), Store.open(tmp_path), settings=TrainingSettings(lanes=2))
    monkeypatch.undo()
    assert len(train(specs(1), Store.open(tmp_path))) == 2, "its claims were given back"


def test_every_lane_is_refilled_while_runs_are_pending(tmp_path: Path):
    """Two lanes, eight runs of very different lengths: no lane is empty before the queue is."""
    busy: list[tuple[int, int]] = []

    class Watcher(Observer):
        def __init__(self):
            self.left = 0

        def planned(self, pending, stored):
            self.left = len(pending)

        def advanced(self, running, num_lanes):
            busy.append((len(running), self.left))

        def finished(self, run):
            self.left -= 1

    train(specs(4), Store.open(tmp_path), observer=Watcher(), settings=TrainingSettings(lanes=2))
    assert {lanes for lanes, left in busy if left > 2} == {2}
