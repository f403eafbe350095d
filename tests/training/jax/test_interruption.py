"""Training that is interrupted, by kills or politely: what is taken up again ends as if nothing had been."""

import random
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from helpers.sweeps import Undisturbed, Watcher, all_the_same, sweep
from helpers.worker import heard, worker

from attnsearch.backends import run
from attnsearch.runs.store import Store
from attnsearch.spec.run import RunSpec
from attnsearch.training import runner
from attnsearch.training.backend import TrainingSettings
from attnsearch.training.jax.backend import JaxBackend

TWO_LANES = TrainingSettings(lanes=2, checkpoint_every=1e9)


def test_killed_three_times_at_random_moments(tmp_path: Path, backend: JaxBackend, undisturbed: Undisturbed):
    """While they train or store; what is before and between are the named points of the next test."""
    chance, root = random.Random(0), tmp_path / "0"
    for kill in range(3):
        with worker(root) as process:
            heard(process)
            time.sleep(chance.uniform(0.0, 0.5))
            process.kill()
            _, err = process.communicate()
        assert err == ""
        if process.returncode == 0:
            # All done before the kill: the rest of them strike a new sweep.
            all_the_same(root, undisturbed)
            root = tmp_path / str(kill + 1)
    run(sweep(range(4)), Store.open(root), backend=backend, settings=TWO_LANES)
    all_the_same(root, undisturbed)


class Heir(Watcher):
    """Kills a process as soon as nothing is left but what that holds."""

    def __init__(self, victim: subprocess.Popen[str]):
        super().__init__()
        self.victim = victim
        self.held: list[RunSpec] = []

    def waiting(self, held: Sequence[RunSpec]) -> None:
        self.held += held
        self.victim.kill()
        self.victim.wait()


@pytest.mark.parametrize(
    "stop",
    [
        "compiling",
        r"os\.rename .*/checkpoint\.npz .*/\.checkpoint-\w+\.npz",
        r"os\.rename .*/\.partial-[\w-]+ .*/runs/\w+",
        r"os\.remove .*/\.checkpoint-\w+\.npz .*",
    ],
    ids=["compiling", "checkpoint written", "run written", "run stored, checkpoint there"],
)
def test_what_a_process_held_that_is_killed_at_this_point_is_taken_over(
    stop: str,
    tmp_path: Path,
    backend: JaxBackend,
    undisturbed: Undisturbed,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(runner, "POLLING_INTERVAL", 0.01)
    with worker(tmp_path, stop=stop) as victim:
        while (line := heard(victim)) != "reached":
            assert line, victim.communicate()
        heir = Heir(victim)
        run(sweep(range(4)), Store.open(tmp_path), backend=backend, observer=heir, settings=TWO_LANES)
    assert victim.returncode == -9
    # Two in its lanes, and one that had ended.
    assert 0 < len(set(heir.held)) <= 3
    assert heir.warnings == []
    all_the_same(tmp_path, undisturbed)


def test_two_processes_share_one_folder(tmp_path: Path, backend: JaxBackend, undisturbed: Undisturbed):
    with worker(tmp_path, lanes=1) as other:
        first = heard(other)
        ours = Watcher()
        run(sweep(range(4)), Store.open(tmp_path), backend=backend, observer=ours, settings=TWO_LANES)
        out, err = other.communicate()
    assert (other.returncode, err) == (0, "")
    theirs, trained = {first, *out.split()}, {spec.digest for running in ours.advances for spec in running}
    assert theirs
    assert trained
    assert not theirs & trained
    assert len(theirs | trained) == len(undisturbed)
    all_the_same(tmp_path, undisturbed)


def test_a_run_goes_on_from_its_checkpoint_bit_for_bit(
    tmp_path: Path, backend: JaxBackend, undisturbed: Undisturbed
):
    """Stopped politely in the middle of runs, again and again: no step is trained twice."""
    wanted, store, starts = sweep(range(4)), Store.open(tmp_path), []
    for _ in range(100):
        observer = Watcher(points=7)
        try:
            run(wanted, store, backend=backend, observer=observer, settings=TWO_LANES)
        except KeyboardInterrupt:
            starts.append(min(observer.steps[:2]))
            continue
        break
    else:
        pytest.fail("never finished")
    assert max(starts) > 10, "no run was ever taken up in the middle"
    all_the_same(tmp_path, undisturbed)
