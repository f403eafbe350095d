"""The runner: what it trains, what it stores, and what an interruption costs."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.tiny import VALUES

from attnsearch.base import AttnsearchError
from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec.run import PlateauRule, RunSpec
from attnsearch.training.jax.backend import JaxBackend, run, specify
from attnsearch.training.observer import Observer

TINY = {**VALUES, "support_size": [2], "steps": [60]}


class Watcher(Observer):
    """Notes what it is told."""

    def __init__(self):
        self.pending: list[RunSpec] = []
        self.stored: list[StoredRun] = []
        self.finished_runs: list[RunSpec] = []
        self.compiled = 0
        self.warnings: list[str] = []
        self.steps: list[int] = []

    def planned(self, pending, stored):
        self.pending, self.stored = list(pending), list(stored)

    def compiling(self, runs, num_lanes):
        self.compiled += 1

    def advanced(self, running, num_lanes):
        self.steps += [at.step for at in running]

    def finished(self, run):
        self.finished_runs.append(run.spec)

    def warned(self, message):
        self.warnings.append(message)


def tiny(seeds: Iterable[int] = range(2), **changes: list[Any]) -> list[RunSpec]:
    return specify(["linear_map"], ["attention"], {**TINY, **changes}, seeds=seeds)


@pytest.fixture(scope="module")
def masters(tmp_path_factory) -> tuple[Store, list[RunSpec], list[StoredRun], Watcher]:
    """Three networks that learn the easiest real search, with its store."""
    store = Store.open(tmp_path_factory.mktemp("masters"))
    specs = tiny(range(3), steps=[3000])
    watcher = Watcher()
    return store, specs, run(specs, store, observer=watcher), watcher


def test_a_tiny_attention_masters_four_cells(masters):
    _, specs, runs, watcher = masters
    assert [one.spec for one in runs] == specs
    for one in runs:
        assert one.status == "mastered"
        assert one.measures.escaped
        assert one.measures.plateau_length <= one.measures.mastery_step < one.spec.cell.budget.steps
        assert (one.curves.accuracy[-1] > 0.97).all()
        # The measured map is the true one at the end, and was not at the start.
        assert one.measures.map_mass[-1].min() > 0.9
        assert one.measures.map_mass[0].mean() < 0.8
        assert one.measures.chance_map_mass.tolist() == [0.5] * 4
    assert watcher.compiled == 1
    assert sorted(spec.seed for spec in watcher.finished_runs) == [0, 1, 2]
    assert not watcher.warnings


def test_curves_and_maps_are_recorded_where_they_should_be(masters):
    _, _, runs, _ = masters
    for one in runs:
        np.testing.assert_array_equal(one.curves.step, 10 * np.arange(1, len(one.curves.step) + 1))
        assert one.curves.loss.shape == one.curves.accuracy.shape == (len(one.curves.step), 4)
        steps = one.maps.step.tolist()
        assert steps[0] == 0
        assert steps[-1] == one.curves.step[-1]
        assert one.measures.plateau_length in steps
        assert {50, 70, 100} <= set(steps) or steps[-1] < 100
        assert one.maps.influence.shape == (len(steps), 4, 8)
        assert one.curves.loss[0].mean() > 0.6, "nothing is known before the search"


def test_what_is_stored_is_not_trained_again(masters):
    store, specs, runs, _ = masters
    watcher = Watcher()
    again = run(specs, store, observer=watcher)
    assert not watcher.pending
    assert len(watcher.stored) == 3
    assert watcher.compiled == 0
    for one, other in zip(runs, again, strict=True):
        np.testing.assert_array_equal(one.curves.loss, other.curves.loss)
        assert one.measures.to_json() == other.measures.to_json()


def test_only_what_is_missing_is_trained(masters):
    store, specs, _, _ = masters
    watcher = Watcher()
    run(specs + tiny([7]), store, observer=watcher)
    assert watcher.pending == tiny([7])
    assert watcher.finished_runs == tiny([7])


def test_a_threshold_changes_without_retraining(masters):
    store, specs, runs, _ = masters
    stricter = PlateauRule(escape=0.3)
    changed = [
        replace(spec, cell=replace(spec.cell, task=replace(spec.cell.task, plateau=stricter)))
        for spec in specs
    ]
    watcher = Watcher()
    again = run(changed, store, observer=watcher)
    assert not watcher.pending
    for one, other in zip(runs, again, strict=True):
        assert other.measures.plateau_length > one.measures.plateau_length


def test_an_unreadable_run_is_named_set_aside_and_run_again(tmp_path: Path):
    store = Store.open(tmp_path)
    specs = tiny()
    first = run(specs, store)
    (store.path(specs[1]) / "curves.npz").write_bytes(b"not an archive")
    watcher = Watcher()
    again = run(specs, store, observer=watcher)
    assert watcher.pending == [specs[1]]
    assert len(watcher.warnings) == 1
    assert "curves.npz" in watcher.warnings[0]
    np.testing.assert_array_equal(first[1].curves.loss, again[1].curves.loss)


def test_a_diverging_run_ends_as_diverged_and_spares_the_others(tmp_path: Path):
    calm = run(tiny(), Store.open(tmp_path / "calm"))
    mixed = tiny(learning_rate=[3e-3, 1e9])
    runs = run(mixed, Store.open(tmp_path / "mixed"))
    wild = [one for one in runs if one.spec.cell.optimizer.learning_rate > 1]
    good = [one for one in runs if one.spec.cell.optimizer.learning_rate < 1]
    assert {one.status for one in wild} == {"diverged"}
    assert all(not one.measures.escaped for one in wild)
    assert all(np.isfinite(one.curves.loss[:-1]).all() for one in wild)
    for one, other in zip(calm, good, strict=True):
        np.testing.assert_array_equal(one.curves.loss, other.curves.loss)


def test_a_run_among_others_is_the_run_alone(tmp_path: Path):
    alone = run(tiny([1]), Store.open(tmp_path / "alone"))
    among = run(tiny(range(4)), Store.open(tmp_path / "among"))
    np.testing.assert_array_equal(alone[0].curves.loss, among[1].curves.loss)
    np.testing.assert_array_equal(alone[0].maps.influence, among[1].maps.influence)


def test_early_stopping_off_trains_to_the_budget(tmp_path: Path):
    specs = tiny([0], support_size=[1], steps=[600], early_stopping=[False])
    (one,) = run(specs, Store.open(tmp_path))
    assert one.status == "mastered"
    assert one.curves.step[-1] == 600
    assert one.measures.mastery_step < 600


def test_the_published_loss_is_recorded_and_unpredictable_tokens_stay_at_chance(tmp_path: Path):
    values = {**TINY, "loss": ["all"], "steps": [400]}
    specs = specify(["linear_map_autoregressive"], ["attention", "mlp_mixer"], values, seeds=[0])
    for one in run(specs, Store.open(tmp_path)):
        assert one.curves.loss.shape[1] == 7
        unpredictable = one.curves.loss[10:, ~one.truth.is_target]
        assert unpredictable.shape[1] == 3
        assert unpredictable.min() > 0.95 * np.log(2)


def test_cohorts_share_compilations_over_everything_traced():
    wide = specify(
        ["linear_map"],
        ["attention", "mlp_mixer"],
        {**TINY, "support_size": [1, 2, 3], "learning_rate": [1e-3, 3e-3], "weight_decay": [0.0, 0.1]},
    )
    planned = JaxBackend().cohorts(wide)
    assert [len(cohort.specs) for cohort in planned] == [3 * 2 * 2 * 8] * 2


def test_what_cannot_be_trained_is_refused_before_anything_is(tmp_path: Path):
    specs = tiny() + tiny(width=[30])
    store = Store.open(tmp_path)
    with pytest.raises(AttnsearchError, match="width 30 does not divide by num_heads 4"):
        run(specs, store)
    assert not list(store.runs(print))
    with pytest.raises(AttnsearchError, match="tokens_per_step 7 is less than one sequence"):
        run(tiny(tokens_per_step=[7]), store)
    with pytest.raises(AttnsearchError, match="unknown mixer 'attention'"):
        run(tiny(), store, backend=JaxBackend(mixers={}))


# Started where interrupts are ignored, as by a shell in the background, a process ignores them too.
START = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
START += "from attnsearch.cli.main import main; main()"
COMMAND = [sys.executable, "-c", START, "run", "--task", "linear_map", "--no-plots", "--quiet"]
COMMAND += [f"--{name.replace('_', '-')}={listed[0]}" for name, listed in TINY.items() if name != "steps"]
COMMAND += ["--steps=200", "--seeds=6", "--no-early-stopping"]


def stored(root: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in root.glob("runs/[!.]*/curves.npz")}


def wait_for_a_run(process: subprocess.Popen, root: Path) -> None:
    limit = time.monotonic() + 120
    while not stored(root):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.01)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict[str, bytes]:
    root = tmp_path_factory.mktemp("undisturbed")
    subprocess.run([*COMMAND, "--out", root], check=True, capture_output=True)
    return stored(root)


def test_a_killed_process_loses_no_finished_run(tmp_path: Path, undisturbed: dict[str, bytes]):
    process = subprocess.Popen([*COMMAND, "--out", tmp_path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for_a_run(process, tmp_path)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = stored(tmp_path)
    assert 0 < len(before) < 6
    finished = subprocess.run([*COMMAND, "--out", tmp_path, "--json"], check=True, capture_output=True)
    assert stored(tmp_path) == undisturbed
    assert json.loads(finished.stdout)["cells"][0]["runs"] == 6


def test_an_interrupted_process_says_how_to_go_on(tmp_path: Path, undisturbed: dict[str, bytes]):
    process = subprocess.Popen(
        [*COMMAND, "--out", tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_for_a_run(process, tmp_path)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err.decode()
    assert not out
    kept = stored(tmp_path)
    line = err.decode().strip()
    assert f"Interrupted: {len(kept)} of 6 runs are stored in" in line
    assert "the same command goes on" in line
    assert "Traceback" not in line
    assert all(undisturbed[digest] == curves for digest, curves in kept.items())
