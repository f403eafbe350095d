"""Ablation: what a head costs is what is left when its rows of the out kernel are zero, and is told so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import matplotlib.image
import numpy as np
import pytest
from click.testing import CliRunner, Result
from helpers.tiny import VALUES
from rich.console import Console
from scipy.stats import spearmanr

from attnsearch.backends import run, specify
from attnsearch.base import AttnsearchError, Floats
from attnsearch.cli.ablate import ablate as command
from attnsearch.probing import ablation
from attnsearch.probing.ablation import ablate
from attnsearch.results.head_costs import HeadCosts, sentences, table
from attnsearch.runs.lookup import folder_of
from attnsearch.runs.parameters import FILE, unpacked
from attnsearch.runs.store import Store, StoredRun, read
from attnsearch.sequences import sequences as drawn
from attnsearch.spec.run import InterventionSpec, RunSpec
from attnsearch.training.backend import TrainingSettings
from attnsearch.training.jax.backend import JaxBackend
from attnsearch.training.jax.parameters import named


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """One run that masters its task, with its parameters."""
    store = Store.open(tmp_path_factory.mktemp("ablated"))
    specs = specify(["linear_map"], ["attention"], VALUES, seeds=[0])
    run(specs, store, settings=TrainingSettings(lanes=1, save_parameters=True))
    return store


@pytest.fixture(scope="module")
def trained(store: Store) -> tuple[StoredRun, dict[str, Floats], int]:
    folder = folder_of(str(store.root))
    return read(folder), *unpacked(folder, folder.name)


@pytest.fixture(scope="module")
def costs(trained: tuple[StoredRun, dict[str, Floats], int]) -> HeadCosts:
    return ablate(*trained, sequences=200)


def zeroed(arrays: Mapping[str, Floats], layer: int, head: int, width: int) -> dict[str, Floats]:
    """Without the rows by which one head writes."""
    name = f"blocks.{layer}.mixer.out.kernel"
    kernel = arrays[name].copy()
    kernel[head * width : (head + 1) * width] = 0
    return {**arrays, name: kernel}


def changed(spec: RunSpec, **changes: Any) -> RunSpec:
    return replace(spec, cell=replace(spec.cell, **changes))


def test_a_head_taken_out_is_its_rows_of_the_out_kernel_zeroed(
    trained: tuple[StoredRun, dict[str, Floats], int], costs: HeadCosts
) -> None:
    stored, arrays, step = trained
    assert (costs.layers.tolist(), costs.heads.tolist()) == ([0] * 4, [0, 1, 2, 3])
    assert (costs.sequences, costs.step) == (200, stored.curves.step[-1])
    for head in range(4):
        by_hand = ablate(stored, zeroed(arrays, 0, head, 8), step, sequences=200)
        np.testing.assert_allclose(costs.without[head], by_hand.whole, rtol=1e-5)
    # What was mastered is known, and somewhere it is.
    assert stored.status == "mastered"
    assert costs.whole.max() < 0.2 * costs.truth.chance_loss
    assert costs.known.all()
    assert costs.increase.max() > costs.threshold


def test_every_layer_has_its_heads(trained: tuple[StoredRun, dict[str, Floats], int]) -> None:
    """Of a network that nobody has trained, with heads of a width of their own."""
    spec = changed(trained[0].spec, network=replace(trained[0].spec.cell.network, num_layers=2))
    mixer = replace(spec.cell.mixer, settings=(("head_width", 6), ("num_heads", 3)))
    stored = replace(trained[0], spec=changed(spec, mixer=mixer))
    arrays = named(JaxBackend().trainer(stored.spec.cell).network.init(jax.random.key(1)))
    found = ablate(stored, arrays, 10, sequences=20)
    assert found.names == ["0.0", "0.1", "0.2", "1.0", "1.1", "1.2"]
    for index in (0, 2, 4):
        layer, head = divmod(index, 3)
        by_hand = ablate(stored, zeroed(arrays, layer, head, 6), 10, sequences=20)
        np.testing.assert_allclose(found.without[index], by_hand.whole, rtol=1e-5)
        assert np.abs(found.increase[index]).max() > 1e-4
    # As many sequences as are asked for, of a stream that is not trained on.
    assert drawn.FRESH not in (drawn.INIT, drawn.DATA, drawn.PROBE, drawn.RULE)


def test_long_contexts_have_fewer_sequences(
    trained: tuple[StoredRun, dict[str, Floats], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ablation, "LARGEST_SAMPLE", 8)
    assert ablate(*trained).sequences == 64


def test_a_map_that_was_added_at_the_end_is_added_still(
    trained: tuple[StoredRun, dict[str, Floats], int], costs: HeadCosts
) -> None:
    """The same network under three histories. Wrong logits, as strong as these, no network survives."""
    stored, arrays, step = trained
    assert costs.map_bias is None
    losses = {}
    for steps in ("all", f"0:{step}", f"0:{step - 1}"):
        given = InterventionSpec(map_bias=50.0, map_bias_steps=steps, map_bias_placebo=True)
        biased = replace(stored, spec=changed(stored.spec, intervention=given))
        losses[steps] = ablate(biased, arrays, step, sequences=200)
    still, last, ended = losses.values()
    assert (still.map_bias, last.map_bias, ended.map_bias) == (True, True, False)
    np.testing.assert_allclose(ended.whole, costs.whole, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(still.whole, last.whole)
    assert still.whole.mean() > 10 * ended.whole.mean()
    assert "with the wrong map added to its logits as in its last step" in sentences(still)[0]
    assert "without the wrong map that was added to its logits earlier" in sentences(ended)[0]
    honest = replace(still, spec=changed(still.spec, intervention=InterventionSpec(map_bias=50.0)))
    assert "with the map added to its logits" in sentences(honest)[0]
    assert "added to its logits" not in sentences(costs)[0]


def test_what_cannot_be_taken_apart_is_refused(trained: tuple[StoredRun, dict[str, Floats], int]) -> None:
    stored, arrays, step = trained
    mixer = specify(["linear_map"], ["mlp_mixer"], {"width": [32]}, seeds=[0])[0].cell.mixer
    with pytest.raises(AttnsearchError, match="mixer mlp_mixer has no heads to take out"):
        ablate(replace(stored, spec=changed(stored.spec, mixer=mixer)), arrays, step)
    with pytest.raises(AttnsearchError, match="learned another rule than this version draws"):
        ablate(replace(stored, spec=replace(stored.spec, rule_seed=12)), arrays, step)
    larger = specify(["linear_map"], ["attention"], {**VALUES, "state_size": [6]}, seeds=[0])[0]
    with pytest.raises(AttnsearchError, match=r"positions\.embedding is \[8, 32\], expected \[12, 32\]"):
        ablate(replace(stored, spec=larger), arrays, step)


# What is said of it, of numbers made by hand.

MASS = np.array([[0.1, 0.1, 0.9, 0.2], [0.9, 0.8, 0.1, 0.3], [0.2, 0.3, 0.2, 0.4], [0.0, 0.2, 0.3, 0.5]])


@pytest.fixture
def made(trained: tuple[StoredRun, dict[str, Floats], int]) -> HeadCosts:
    """Two layers of two heads, four targets: t0 needs 0.1, t1 needs 0.1 and 1.0, t2 none, t3 is not known."""
    truth = trained[0].truth._replace(chance_loss=np.array(1.0))
    increase = np.array([[0.0, 0.1, 0.2, 0.0], [2.0, 0.6, 0.0, 0.0], [-0.001, 0.7, 0.0, 0.0], [0, 0, 0, 0.0]])
    whole = np.array([0.0, 0.1, 0.2, 1.0])
    layers, heads = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    spec = trained[0].spec
    return HeadCosts(spec, 300, 1024, None, layers, heads, truth, whole, whole + increase, MASS)


def shown(costs: HeadCosts) -> list[list[str]]:
    screen = Console(width=200)
    with screen.capture() as captured:
        screen.print(table(costs))
    return [line.replace("│", " ").replace("┃", " ").split() for line in captured.get().splitlines()]


def test_costs_and_looks_of_made_numbers(made: HeadCosts) -> None:
    assert made.threshold == 0.5
    assert np.argwhere(made.costs).tolist() == [[1, 0], [1, 1], [2, 1]]
    assert made.known.tolist() == [True, True, True, False]
    assert made.costliest.tolist() == [1, 2, 0, 0]
    assert made.most_mass is not None
    assert made.most_mass.tolist() == [1, 1, 0, 3]
    assert made.agrees is not None
    assert made.agrees.tolist() == [True, False, True, False]
    assert made.carried is not None
    assert made.carried.tolist() == [True, True, False, False]
    expected: Any = spearmanr(MASS.ravel(), made.increase.ravel())
    assert made.rank_correlation == pytest.approx(expected.statistic)


def test_a_table_of_every_target(made: HeadCosts) -> None:
    lines = shown(made)
    assert ["head", "t0", "t1", "t2", "t3", "it", "costs"] in lines
    assert ["none:", "loss", "0.00", "0.10", "0.20", "1.00"] in lines
    assert ["0.1", "2.00*", "0.60*", "0.00", "0.00", "2"] in lines
    assert ["1.0", "0.00", "0.70*", "0.00", "0.00", "1"] in lines
    assert ["costs", "most", "0.1", "1.0", "0.0", "0.0"] in lines
    assert ["most", "mass", "0.1", "0.1", "0.0", "1.1"] in lines


def test_many_targets_are_means_over_states(made: HeadCosts) -> None:
    state = np.array([1] * 20 + [2] * 20)
    truth = made.truth._replace(state=state, mapped=np.array([0, 39]))
    whole = np.where(state == 1, 0.25, 0.75)
    increase = np.zeros((4, 40))
    increase[2, 20:] = np.where(np.arange(20) < 5, 1.0, 0.0)
    many = replace(made, truth=truth, whole=whole, without=whole + increase, mass=MASS[:, :2])
    lines = shown(many)
    assert ["head", "state", "1", "state", "2", "it", "costs"] in lines
    assert ["none:", "loss", "0.25", "0.75"] in lines
    assert ["1.0", "0.00", "0.25", "5"] in lines
    assert not any("most" in line for line in lines)
    assert "5 of 160 pairs; 5 of 40 targets need at least one head" in sentences(many)[1]


def test_sentences_of_made_numbers(made: HeadCosts) -> None:
    first, second, third, fourth = sentences(made)
    assert first == (
        "Means over 1,024 fresh sequences, from a stream that training does not draw from; the network after"
        " 300 steps."
    )
    assert "0.5 nats: 3 of 16 pairs; 2 of 4 targets need at least one head" in second
    assert f"rank correlation {made.rank_correlation:.2f} (Spearman, 16 pairs)" in third
    assert "Of 3 targets that the whole network knows, the head with most mass costs 2" in fourth
    assert "most for 2; by chance 0.8 and 0.8." in fourth
    alike = replace(made, mass=np.full((4, 4), 0.25))
    assert alike.rank_correlation is None
    assert "rank correlation not defined" in sentences(alike)[2]
    nothing = replace(made, whole=np.ones(4))
    assert "knows no target yet" in sentences(nothing)[-1]


def test_a_run_whose_heads_were_not_recorded(made: HeadCosts, tmp_path: Path) -> None:
    from attnsearch.plots.head_costs import head_costs

    unknown = replace(made, mass=None)
    assert (unknown.rank_correlation, unknown.agrees, unknown.carried) == (None, None, None)
    assert "not recorded" in sentences(unknown)[-1]
    assert not any(line[:2] == ["most", "mass"] for line in shown(unknown))
    document = json.loads(json.dumps(unknown.to_json(), allow_nan=False))
    assert document["mass"] is None
    one = matplotlib.image.imread(head_costs(tmp_path / "one.png", unknown, "One panel"))
    two = matplotlib.image.imread(head_costs(tmp_path / "two.png", made, "Two panels"))
    assert two.shape[1] > 1.5 * one.shape[1]


def test_a_picture_has_a_panel_for_costs_and_one_for_mass(made: HeadCosts) -> None:
    from attnsearch.plots.head_costs import _head_costs_figure

    figure = _head_costs_figure(made, "Heads")
    costs, mass = (axes for axes in figure.axes if axes.images)
    np.testing.assert_allclose(np.asarray(costs.images[0].get_array()), made.increase)
    np.testing.assert_allclose(np.asarray(mass.images[0].get_array()), MASS)
    dots = [line.get_ydata() for axes in (costs, mass) for line in axes.lines]
    assert [list(np.asarray(one)) for one in dots] == [[1, 2, 0, 0], [1, 1, 0, 3]]
    assert [label.get_text() for label in costs.get_yticklabels()] == made.names


# The command.


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_the_command_shows_what_was_measured(store: Store) -> None:
    folder = folder_of(str(store.root))
    result = invoke(folder.name[:8], "--out", store.root, "--sequences", "50")
    assert result.exit_code == 0, result.output
    assert "Means over 50 fresh sequences" in result.output
    picture = result.output.splitlines()[-1].removeprefix("Picture: ")
    assert Path(picture).parent == store.root / "pictures"
    assert matplotlib.image.imread(picture).ndim == 3
    for name in (store.root, folder):
        document = json.loads(invoke(name, "--json", "--no-plots", "--sequences", "50").output)
        assert document["digest"] == folder.name
        assert document["picture"] is None
        assert document["sequences"] == 50
        assert np.shape(document["increase"]) == np.shape(document["mass"]) == (4, 4)
        np.testing.assert_allclose(
            np.subtract(document["loss_without"], document["loss"]), document["increase"], atol=1e-12
        )


def test_errors_of_the_command_are_lines(store: Store, tmp_path: Path) -> None:
    folder = folder_of(str(store.root))
    plain = Store.open(tmp_path / "plain")
    plain.save(read(folder))
    here = plain.path(read(folder).spec)
    damaged = Store.open(tmp_path / "damaged")
    damaged.save(read(folder))
    (damaged.root / "runs" / folder.name / FILE).write_bytes((folder / FILE).read_bytes()[:-1])
    for arguments, reason in (
        ([tmp_path], "does not stand for stored runs: give"),
        (["nonsense"], "does not stand for stored runs: give"),
        (["abcd", "--out", store.root], f"no stored run in {store.root} begins with abcd"),
        ([here], f"is stored without its parameters: .* --save-params --out {plain.root}$"),
        ([damaged.root], "cannot read .*parameters.safetensors: SafetensorError"),
    ):
        error = invoke(*arguments, "--no-plots").exception
        assert isinstance(error, AttnsearchError), error
        assert error.args
        with pytest.raises(AttnsearchError, match=reason):
            raise error
        assert "\n" not in str(error)
