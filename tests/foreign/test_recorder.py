"""A loop of one's own is recorded as attnsearch records its own."""

import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from helpers.own_loop import SETTINGS, logits, losses, recorded, recorder
from helpers.tiny import VALUES

import attnsearch
from attnsearch.backends import run, specify
from attnsearch.base import AttnsearchError, Integers
from attnsearch.runs.checkpoints import Checkpoints, checkpoint_file
from attnsearch.runs.store import Store, read
from attnsearch.spec.run import UNTOLD, UNTOLD_WORD
from attnsearch.training.jax.backend import JaxBackend
from attnsearch.training.jax.cohorts import JaxCohort


def test_a_loop_that_trains_the_same_network_is_recorded_as_the_same_run(
    tmp_path: Path, backend: JaxBackend
) -> None:
    specs = specify(["linear_map"], ["attention"], {**VALUES, "steps": [60]}, seeds=[3])
    (own,) = run(specs, Store.open(tmp_path), backend=backend)
    trainer = backend.trainer(own.spec.cell)
    state = jax.jit(trainer.begin)(JaxCohort(trainer, (own.spec,)).inputs(own.spec))
    step = jax.jit(trainer._step)

    @jax.jit
    def answered(parameters: object, tokens: jax.Array) -> jax.Array:
        return jax.vmap(lambda one: trainer.network.apply(parameters, one))(tokens)

    settings = {name: value for name, (value,) in VALUES.items() if name != "num_heads"} | {"steps": 60}
    with attnsearch.Recorder("linear_map", "again", seed=3, out=tmp_path, settings=settings) as recording:
        # The state as it is when a map is measured.
        for batch in recording.batches(lambda tokens: answered(state.parameters, tokens)):  # noqa: B023
            np.testing.assert_array_equal(batch.tokens, trainer.batch(state).tokens)
            state, record = step(state, None)
            recording.record(record.loss, record.accuracy)
        found = recording.finish()
    assert found.spec.digest != own.spec.digest
    assert found.status == own.status
    jax.tree.map(np.testing.assert_array_equal, found.truth, own.truth)
    np.testing.assert_array_equal(found.maps.step, own.maps.step)
    for mine, theirs in ((found.curves, own.curves), (found.maps, own.maps)):
        for one, other in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_a_foreign_run_says_so_and_what_its_loop_told(tmp_path: Path) -> None:
    made = attnsearch.Recorder("linear_map", "my net", out=tmp_path, settings=SETTINGS, about={"cell": "GRU"})
    cell = made.spec.cell
    assert cell.mixer.name == "foreign:my net"
    assert cell.mixer.settings == (("cell", "GRU"),)
    assert cell.network.width == 32
    assert (cell.network.num_layers, cell.network.positions) == (UNTOLD, UNTOLD_WORD)
    told = cell.flat()
    assert told["learning_rate"] == 3e-3
    assert told["cell"] == "GRU"
    assert not {"num_layers", "positions"} & told.keys()
    assert made.spec == type(made.spec).from_json(made.spec.to_json())
    assert (made.vocab_size, made.context_length, len(made.query_positions)) == (3, 8, 4)
    assert made.is_target.all()


def test_batches_end_when_the_run_is_mastered_and_it_is_stored(tmp_path: Path) -> None:
    run = recorded(tmp_path, maps=True)
    assert run.status == "mastered"
    assert run.curves.step.tolist() == list(range(10, 100, 10))
    assert np.isnan(run.curves.accuracy).all()
    # At 0 and 50, where the loss first falls below the threshold, and at the end.
    assert run.maps.step.tolist() == [0, 50, 60, 70, 80, 90]
    np.testing.assert_array_equal(run.maps.influence[-1], [[1, 0, 0, 0, 0, 0, 0, 0]] * 4)
    same = read(Store(tmp_path).path(run.spec))
    assert same.environment["loop"] == "foreign"
    assert same.measures.plateau_length == 70
    with recorder(tmp_path) as again:
        assert list(again.batches()) == []
        assert again.finish().status == "mastered"


def test_a_run_that_masters_nothing_ends_with_its_budget(tmp_path: Path) -> None:
    with recorder(tmp_path, steps=20) as made:
        for number, batch in enumerate(made.batches()):
            # Losses and accuracies of every sequence.
            right = np.arange(32)[:, None] < [32, 16, 8, 0]
            made.record(np.full((32, 4), 0.5 + number), right)
            assert batch.tokens.shape == (32, 8)
    # At its end the block has stored it.
    found = made.finish()
    assert (found.status, len(found.curves.step)) == ("exhausted", 2)
    np.testing.assert_allclose(found.curves.loss[:, 0], [5.0, 15.0])
    np.testing.assert_allclose(found.curves.accuracy[-1], [1, 0.5, 0.25, 0])


def test_logits_are_as_good_as_losses(tmp_path: Path) -> None:
    with recorder(tmp_path, steps=10) as made:
        for batch in made.batches():
            made.record_logits(4.0 * np.eye(3, dtype=np.float32)[batch.answers])
    found = made.finish()
    np.testing.assert_allclose(found.curves.loss, np.log(1 + 2 * np.exp(-4)), rtol=1e-5)
    assert (found.curves.accuracy == 1).all()


def test_a_run_without_any_finite_loss_has_diverged(tmp_path: Path) -> None:
    with recorder(tmp_path) as made:
        for _ in made.batches(logits):
            made.record(np.full(4, np.nan) if made.step == 23 else losses(made.step))
    found = made.finish()
    assert (found.status, found.curves.step.tolist()) == ("diverged", [10, 20, 30])
    assert np.isfinite(found.curves.loss[:2]).all()
    assert found.maps.step.tolist() == [0]


def test_what_was_recorded_is_kept_and_gone_on_with(tmp_path: Path) -> None:
    whole = recorded(tmp_path / "whole", maps=True)
    with pytest.raises(ZeroDivisionError), recorder(tmp_path) as broken:  # noqa: PT012
        for _ in broken.batches(logits):
            broken.record(losses(broken.step))
            if broken.step == 78:
                raise ZeroDivisionError
    assert checkpoint_file(tmp_path, broken.spec.digest).exists()
    seen: list[Integers] = []
    with recorder(tmp_path) as made:
        with pytest.raises(AttnsearchError, match=r"step 80: 70 steps of run .* are recorded"):
            made.resume(80)
        made.resume(60)
        for batch in made.batches(logits):
            seen.append(batch.tokens)
            made.record(losses(made.step))
        found = made.finish()
    expected = made._sequences.steps(60, 1)[0][0]
    np.testing.assert_array_equal(seen[0], expected)
    for one, other in ((found.curves, whole.curves), (found.maps, whole.maps)):
        for mine, theirs in zip(one, other, strict=True):
            np.testing.assert_array_equal(mine, theirs)
    assert not checkpoint_file(tmp_path, made.spec.digest).exists()


def test_a_record_is_kept_while_the_loop_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attnsearch.foreign.recorder.KEPT_EVERY", 0.0)
    with recorder(tmp_path) as made:
        for _ in made.batches():
            made.record(losses(made.step))
            assert checkpoint_file(tmp_path, made.spec.digest).exists() == (made.step >= 10)
            if made.step == 31:
                break
        # As a killed process leaves it.
        kept = Checkpoints(tmp_path).load(made.spec, pytest.fail)
        assert kept is not None
        assert kept.recording.step == 30


def test_the_versions_of_a_loop_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Known as a module, and installed under no name.
    monkeypatch.setitem(sys.modules, "mlx", sys)
    found = recorded(tmp_path, steps=10).environment
    assert found["device"] == "unknown"
    assert "jax" in found["versions"]
    assert "mlx" not in found["versions"]


def test_two_loops_never_record_one_run(tmp_path: Path) -> None:
    with (
        recorder(tmp_path),
        pytest.raises(AttnsearchError, match="a Recorder that was not left"),
    ):
        recorder(tmp_path)
    recorder(tmp_path)
