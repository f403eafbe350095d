"""The runner: what it trains, what it stores, and what it leaves alone."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.sweeps import Watcher, sweep
from helpers.tiny import VALUES

from attnsearch.backends import run, specify
from attnsearch.base import AttnsearchError
from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec.run import PlateauRule, RunSpec
from attnsearch.training.jax.backend import JaxBackend

TINY = {**VALUES, "support_size": [2], "steps": [60]}


def tiny(seeds: Iterable[int] = range(2), **changes: list[Any]) -> list[RunSpec]:
    return sweep(seeds, TINY, **changes)


@pytest.fixture(scope="module")
def masters(
    tmp_path_factory: pytest.TempPathFactory, backend: JaxBackend
) -> tuple[Store, list[RunSpec], list[StoredRun], Watcher]:
    """Three networks that learn the easiest real search, with its store."""
    store = Store.open(tmp_path_factory.mktemp("masters"))
    specs = tiny(range(3), steps=[3000])
    watcher = Watcher()
    return store, specs, run(specs, store, backend=backend, observer=watcher), watcher


def test_a_tiny_attention_masters_four_cells(masters):
    _, specs, runs, watcher = masters
    assert [one.spec for one in runs] == specs
    for one in runs:
        assert one.status == "mastered"
        assert one.measures.escaped
        assert one.measures.plateau_length <= one.measures.mastery_step < one.spec.cell.budget.steps
        assert (one.curves.accuracy[-1] > 0.97).all()
        # The measured map is the true one at the end, and was not at the start.
        assert one.maps.mass[-1].min() > 0.9
        assert one.maps.mass[0].mean() < 0.8
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


def test_what_is_stored_is_not_trained_again(masters, backend: JaxBackend):
    store, specs, runs, _ = masters
    watcher = Watcher()
    again = run(specs, store, backend=backend, observer=watcher)
    assert not watcher.pending
    assert len(watcher.stored) == 3
    assert watcher.compiled == 0
    for one, other in zip(runs, again, strict=True):
        np.testing.assert_array_equal(one.curves.loss, other.curves.loss)
        assert one.measures.to_json(one.maps) == other.measures.to_json(other.maps)


def test_only_what_is_missing_is_trained(masters, backend: JaxBackend):
    store, specs, _, _ = masters
    watcher = Watcher()
    run(specs + tiny([7]), store, backend=backend, observer=watcher)
    assert watcher.pending == tiny([7])
    assert watcher.finished_runs == tiny([7])


def test_a_threshold_changes_without_retraining(masters, backend: JaxBackend):
    store, specs, runs, _ = masters
    stricter = PlateauRule(escape=0.3)
    changed = [
        replace(spec, cell=replace(spec.cell, task=replace(spec.cell.task, plateau=stricter)))
        for spec in specs
    ]
    watcher = Watcher()
    again = run(changed, store, backend=backend, observer=watcher)
    assert not watcher.pending
    for one, other in zip(runs, again, strict=True):
        assert other.measures.plateau_length > one.measures.plateau_length


def test_an_unreadable_run_is_named_set_aside_and_run_again(tmp_path: Path, backend: JaxBackend):
    store = Store.open(tmp_path)
    specs = tiny()
    first = run(specs, store, backend=backend)
    (store.path(specs[1]) / "curves.npz").write_bytes(b"not an archive")
    watcher = Watcher()
    again = run(specs, store, backend=backend, observer=watcher)
    assert watcher.pending == [specs[1]]
    assert len(watcher.warnings) == 1
    assert "curves.npz" in watcher.warnings[0]
    np.testing.assert_array_equal(first[1].curves.loss, again[1].curves.loss)


def test_a_diverging_run_ends_as_diverged_and_spares_the_others(tmp_path: Path, backend: JaxBackend):
    calm = run(tiny(), Store.open(tmp_path / "calm"), backend=backend)
    mixed = tiny(learning_rate=[3e-3, 1e9])
    runs = run(mixed, Store.open(tmp_path / "mixed"), backend=backend)
    wild = [one for one in runs if one.spec.cell.optimizer.learning_rate > 1]
    good = [one for one in runs if one.spec.cell.optimizer.learning_rate < 1]
    assert {one.status for one in wild} == {"diverged"}
    assert all(not one.measures.escaped for one in wild)
    assert all(np.isfinite(one.curves.loss[:-1]).all() for one in wild)
    for one, other in zip(calm, good, strict=True):
        np.testing.assert_array_equal(one.curves.loss, other.curves.loss)


def test_a_run_among_others_is_the_run_alone(tmp_path: Path, backend: JaxBackend):
    alone = run(tiny([1]), Store.open(tmp_path / "alone"), backend=backend)
    among = run(tiny(range(4)), Store.open(tmp_path / "among"), backend=backend)
    np.testing.assert_array_equal(alone[0].curves.loss, among[1].curves.loss)
    np.testing.assert_array_equal(alone[0].maps.influence, among[1].maps.influence)


def test_early_stopping_off_trains_to_the_budget(tmp_path: Path, backend: JaxBackend):
    specs = tiny([0], support_size=[1], steps=[600], early_stopping=[False])
    (one,) = run(specs, Store.open(tmp_path), backend=backend)
    assert one.status == "mastered"
    assert one.curves.step[-1] == 600
    assert one.measures.mastery_step < 600


def test_the_published_loss_is_recorded_and_unpredictable_tokens_stay_at_chance(
    tmp_path: Path, backend: JaxBackend
):
    values = {**TINY, "loss": ["all"], "steps": [400]}
    specs = specify(["linear_map_autoregressive"], ["attention", "mlp_mixer"], values, seeds=[0])
    for one in run(specs, Store.open(tmp_path), backend=backend):
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


def test_what_cannot_be_trained_is_refused_before_anything_is(tmp_path: Path, backend: JaxBackend):
    specs = tiny() + tiny(width=[30])
    store = Store.open(tmp_path)
    with pytest.raises(AttnsearchError, match="width 30 does not divide by num_heads 4"):
        run(specs, store, backend=backend)
    assert not list(store.runs(print))
    with pytest.raises(AttnsearchError, match="tokens_per_step 7 is less than one sequence"):
        run(tiny(tokens_per_step=[7]), store)
    with pytest.raises(AttnsearchError, match="unknown mixer 'attention'"):
        run(tiny(), store, backend=JaxBackend(mixers={}))
