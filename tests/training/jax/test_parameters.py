"""Parameters: what is kept of a trained network, where, under which names, and that nothing else changes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from helpers.sweeps import Watcher, sweep
from helpers.tiny import VALUES
from safetensors import safe_open
from safetensors.numpy import load_file

from attnsearch.backends import run
from attnsearch.base import AttnsearchError, Curves, Updates
from attnsearch.runs.claims import SharedRuns
from attnsearch.runs.parameters import FILE, unpacked
from attnsearch.runs.store import Store, StoredRun, read
from attnsearch.spec.run import RunSpec
from attnsearch.training.backend import TrainingSettings
from attnsearch.training.jax.backend import JaxBackend
from attnsearch.training.jax.parameters import named, rebuilt

TINY = {**VALUES, "steps": [60]}
KEEPING = TrainingSettings(lanes=1, save_parameters=True)

NAMES = {
    "tokens.embedding": (3, 32),
    "positions.embedding": (8, 32),
    "blocks.0.mixer_norm.scale": (32,),
    "blocks.0.mixer_norm.bias": (32,),
    "blocks.0.mixer.query.kernel": (32, 32),
    "blocks.0.mixer.key.kernel": (32, 32),
    "blocks.0.mixer.value.kernel": (32, 32),
    "blocks.0.mixer.out.kernel": (32, 32),
    "blocks.0.mlp_norm.scale": (32,),
    "blocks.0.mlp_norm.bias": (32,),
    "blocks.0.mlp_in.kernel": (32, 64),
    "blocks.0.mlp_in.bias": (64,),
    "blocks.0.mlp_out.kernel": (64, 32),
    "blocks.0.mlp_out.bias": (32,),
    "norm.scale": (32,),
    "norm.bias": (32,),
    "unembedding.kernel": (32, 3),
}


def tiny(seeds: Iterable[int] = (0,), **changes: list[Any]) -> list[RunSpec]:
    return sweep(seeds, TINY, **changes)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def same_parameters(folder: Path, other: Path) -> None:
    """Bit for bit; the order of what describes them is the library's own."""
    ours, theirs = load_file(folder / FILE), load_file(other / FILE)
    assert ours.keys() == theirs.keys() == NAMES.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name])


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, backend: JaxBackend) -> tuple[Store, list[StoredRun]]:
    """Three runs with their parameters, of which each begins where the one before it ended."""
    store = Store.open(tmp_path_factory.mktemp("kept"))
    return store, run(tiny(range(3)), store, backend=backend, settings=KEEPING)


@pytest.fixture
def without(tmp_path: Path, backend: JaxBackend) -> Store:
    """The first of them, stored without."""
    store = Store.open(tmp_path)
    run(tiny(), store, backend=backend)
    return store


def test_the_file_is_one_that_others_read(kept: tuple[Store, list[StoredRun]]) -> None:
    store, runs = kept
    path = store.path(runs[0].spec) / FILE
    assert path.name == "parameters.safetensors"
    arrays = load_file(path)
    assert {name: array.shape for name, array in arrays.items()} == NAMES
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float32)}
    with safe_open(path, "numpy") as file:
        assert file.metadata() == {"digest": runs[0].spec.digest, "step": "60"}


def test_they_are_those_of_the_last_step(kept: tuple[Store, list[StoredRun]], backend: JaxBackend) -> None:
    """Trained on by hand, every run ends where it was stored."""
    store, runs = kept
    (cohort,) = backend.cohorts([one.spec for one in runs])
    begin, advance = jax.jit(cohort.trainer.begin), jax.jit(cohort.trainer.advance)
    for one in runs:
        state = begin(cohort.inputs(one.spec))
        for loss in one.curves.loss:
            state, record = advance(state)
            np.testing.assert_allclose(record.loss, loss, rtol=1e-3)
        arrays, step = unpacked(store.path(one.spec), one.spec.digest)
        assert step == one.curves.step[-1]
        for name, array in named(state.parameters).items():
            np.testing.assert_allclose(arrays[name], array, rtol=1e-2, atol=1e-3, err_msg=name)


def test_nothing_else_depends_on_them(kept: tuple[Store, list[StoredRun]], without: Store) -> None:
    store, runs = kept
    (plain,) = without.runs(pytest.fail)
    assert plain.spec.digest == runs[0].spec.digest
    with_them, alone = contents(store.path(plain.spec)), contents(without.path(plain.spec))
    assert with_them.keys() - alone.keys() == {FILE}
    for name in alone.keys() - {"run.json"}:
        assert with_them[name] == alone[name]
    assert json.loads(with_them["run.json"])["measures"] == json.loads(alone["run.json"])["measures"]
    assert len(list(store.runs(pytest.fail))) == 3


def test_a_run_stored_without_is_trained_again_and_stays_as_it_is(
    kept: tuple[Store, list[StoredRun]], without: Store, backend: JaxBackend
) -> None:
    folder, watcher = without.path(tiny()[0]), Watcher()
    before = contents(folder)
    (again,) = run(tiny(), without, backend=backend, observer=watcher, settings=KEEPING)
    assert watcher.pending == tiny()
    (line,) = watcher.warnings
    assert line == (
        "1 of 1 runs are stored without their parameters: they are trained again to the same end, and stay as"
        " they are stored"
    )
    after = contents(folder)
    assert after.pop(FILE)
    same_parameters(folder, kept[0].path(again.spec))
    assert after == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    # Now it is complete, whether they are asked for or not.
    for settings in (KEEPING, None):
        watcher = Watcher()
        run(tiny(), without, backend=backend, observer=watcher, settings=settings)
        assert (watcher.pending, watcher.warnings) == ([], [])
    assert (folder / FILE).exists()


def test_training_again_goes_on_where_it_was_interrupted(
    kept: tuple[Store, list[StoredRun]], without: Store, backend: JaxBackend
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tiny(), without, backend=backend, observer=Watcher(points=3), settings=KEEPING)
    assert not without.holds(tiny()[0], parameters=True)
    watcher = Watcher()
    run(tiny(), without, backend=backend, observer=watcher, settings=KEEPING)
    assert min(watcher.steps) > 10
    same_parameters(without.path(tiny()[0]), kept[0].path(tiny()[0]))
    assert not list(without.root.glob("runs/.checkpoint-*"))


def test_a_training_that_ends_elsewhere_is_told(without: Store) -> None:
    warnings: list[str] = []
    (stored,) = without.runs(pytest.fail)
    shared = SharedRuns(without, warnings.append, parameters=True)
    assert shared.find(stored.spec) is None
    assert shared.take(stored.spec)
    step, loss, accuracy = stored.curves
    shorter = Curves(step[:-1], loss[:-1], accuracy[:-1])
    other = replace(stored, curves=shorter, updates=Updates(step[:-1], stored.updates.norm[:-1]))
    assert shared.finish(other, {"a": np.ones(1, np.float32)}).curves.step[-1] == 60
    (line,) = warnings
    assert "ended mastered after 50 steps, but as it is stored it ended mastered after 60 steps" in line
    assert unpacked(without.path(stored.spec), stored.spec.digest)[1] == 50


def test_without_the_library_nothing_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: JaxBackend
) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    watcher, store = Watcher(), Store.open(tmp_path)
    with pytest.raises(AttnsearchError, match=r"pip install 'attnsearch\[parameters\]'"):
        run(tiny(), store, backend=backend, observer=watcher, settings=KEEPING)
    assert watcher.steps == []
    assert list(store.runs(pytest.fail)) == []
    # Where nobody asks for parameters, nobody needs it.
    assert len(run(tiny(steps=[10]), store, backend=backend)) == 1


def test_names_lead_back_to_the_network(backend: JaxBackend) -> None:
    network = backend.trainer(tiny(num_layers=[2])[0].cell).network
    parameters = network.init(jax.random.key(3))
    arrays = named(parameters)
    assert {f"blocks.{n}.mixer.query.kernel" for n in (0, 1)} < arrays.keys()
    again = rebuilt(network, arrays)
    assert jax.tree.structure(again) == jax.tree.structure(parameters)
    for ours, theirs in zip(jax.tree.leaves(again), jax.tree.leaves(parameters), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"norm.bias": None}, "norm.bias is missing"),
        ({"norm.more": np.ones(1, np.float32)}, "norm.more is not known"),
        ({"norm.bias": np.ones(31, np.float32)}, r"norm.bias is \[31\], expected \[32\]"),
        ({"norm.bias": np.full(32, np.nan, np.float32)}, "norm.bias is not finite"),
    ],
)
def test_what_is_not_the_networks_is_refused(
    change: dict[str, np.ndarray | None], reason: str, backend: JaxBackend
) -> None:
    network = backend.trainer(tiny()[0].cell).network
    changed = {**named(network.init(jax.random.key(0))), **change}
    arrays = {name: array for name, array in changed.items() if array is not None}
    with pytest.raises(AttnsearchError, match=reason):
        rebuilt(network, arrays)


def test_a_stored_run_with_parameters_reads_as_any_other(kept: tuple[Store, list[StoredRun]]) -> None:
    store, runs = kept
    for one in runs:
        found = read(store.path(one.spec))
        np.testing.assert_array_equal(found.curves.loss, one.curves.loss)
