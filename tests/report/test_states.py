"""The report of tasks of several states, whose targets are more than the rows of their maps."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import made_automata
from helpers.hand_made import renamed
from helpers.page import Page, unpacked

from attnsearch.report.report import report
from attnsearch.results.alignment import best_heads
from attnsearch.results.cells import cells
from attnsearch.results.study import Study
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import InterventionSpec
from attnsearch.stats.comparison import compare


@pytest.fixture(scope="module")
def automata() -> list[StoredRun]:
    plain = [made_automata.run(made_automata.spec(seed=seed)) for seed in range(2)]
    placebo = InterventionSpec(map_bias=5.0, map_bias_placebo=True)
    biased = [made_automata.run(made_automata.spec(seed=seed, intervention=placebo), 50) for seed in range(2)]
    return [*plain, *biased]


def test_states_have_lines_and_mapped_targets_have_rows(automata: list[StoredRun]) -> None:
    shown = Page(report(Study(automata))).data["runs"][0]
    run, detail = automata[0], shown["detail"]
    assert detail["names"] == ["state 1, cell 0", "state 1, cell 1", "state 5, cell 0", "state 5, cell 1"]
    assert detail["marks"] == ["1, 0", "1, 1", "5, 0", "5, 1"]
    assert detail["lines"]["names"] == [f"state {state}" for state in range(1, 6)]
    assert detail["lines"]["of_mapped"] == [0, 0, 4, 4]
    # The first state is never found: half of chance is its Bayes loss.
    assert detail["lines"]["found"] == [None, 100, 120, 140, 160]
    assert detail["lines"]["bayes"] == [pytest.approx(0.5 * made_automata.CHANCE, abs=1e-4), 0, 0, 0, 0]
    at = np.searchsorted(run.curves.step, detail["loss_step"])
    loss = run.curves.loss[at].reshape(len(at), 5, 8)
    np.testing.assert_allclose(unpacked(detail["loss"]) * made_automata.CHANCE, loss.mean(axis=2), atol=1e-4)
    np.testing.assert_allclose(
        unpacked(detail["loss_mean"]) * made_automata.CHANCE, loss.mean(axis=(1, 2)), atol=1e-4
    )
    # Counts are of all targets, steps of those that have a row.
    assert shown["targets"] == 40
    assert shown["counts"] == [[100, 8], [120, 16], [140, 24], [160, 32]]
    assert shown["found"] == [None, None, 160, 160]
    assert len(detail["bits"]) == len(detail["support"]) == len(detail["chance_map_mass"]) == 4


def test_positions_that_were_never_probed_are_gaps(automata: list[StoredRun]) -> None:
    run = automata[0]
    detail = Page(report(Study(automata))).data["runs"][0]["detail"]
    positions = np.flatnonzero(run.truth.probed)
    assert detail["positions"] == positions.tolist()
    assert detail["unprobed"] == 48 - len(positions)
    assert detail["states"] == (positions // 8).tolist()
    inside = [k + 1 for k, step in enumerate(np.diff(positions)) if step > 1]
    assert detail["gaps"] == [*inside, len(positions)]
    shares = run.maps.influence / run.maps.influence.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(unpacked(detail["map"]), shares[:, :, positions], atol=0.5 / 255 + 1e-6)
    # The weights on them are in one column.
    weights = unpacked(detail["heads"]["weights"]) * 255
    np.testing.assert_allclose(weights[..., :-1], run.heads.weights[..., positions], atol=1e-4)
    others = np.delete(run.heads.weights.astype(int), positions, axis=-1).sum(axis=-1)
    np.testing.assert_allclose(weights[..., -1], np.minimum(others, 255), atol=1e-4)


def test_of_many_weights_those_of_the_best_heads_are_kept(
    automata: list[StoredRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attnsearch.report.run_detail.MOST_WEIGHTS", 100)
    heads = Page(report(Study(automata))).data["runs"][0]["detail"]["heads"]
    positions = np.flatnonzero(automata[0].truth.probed)
    assert heads["all"] is False
    kept = best_heads(automata[0].heads).weights
    np.testing.assert_allclose(unpacked(heads["weights"])[..., :-1] * 255, kept[..., positions], atol=1e-4)


def test_knobs_that_do_not_differ_are_said_once(automata: list[StoredRun]) -> None:
    found = Page(report(Study(automata)))
    knobs = "compositions 1, num colours 4, num states 6, rule pool 256, state size 8"
    knobs += ", window size 3"
    assert f"All with {knobs}." in found.words
    assert f"Every cell: cellular_automaton, attention, {knobs}." in found.words
    plain, placebo = (cell["name"] for cell in found.data["cells"])
    assert plain == "cellular_automaton; attention, map bias 0, map bias placebo no"
    assert placebo == "cellular_automaton; attention, map bias 5, map bias placebo yes"
    rows = found.rows("plateau length, median")
    assert [(row["map bias"], row["map bias placebo"]) for row in rows] == [("0", "no"), ("5", "yes")]
    assert "rule pool" not in rows[0]


def test_interventions_are_compared_with_none_and_never_taken_for_mixers(automata: list[StoredRun]) -> None:
    other = [renamed(run, "cellular_automaton", "mine") for run in automata[2:]]
    rows = Page(report(Study([*automata, *other]))).rows("verdict: its plateau is")
    assert [(row["mixer"], row["against"]) for row in rows] == [
        ("mine, map bias 5, map bias placebo yes", "attention, map bias 5, map bias placebo yes"),
        ("attention, map bias 5, map bias placebo yes", "attention, map bias 0, map bias placebo no"),
    ]
    reference, candidate = (cell.lengths for cell in cells(automata))
    assert rows[1]["ratio"].startswith(f"{compare(candidate, reference, 400).ratio:.2f} ")


def test_the_in_context_gain_is_in_the_table_of_what_was_found(automata: list[StoredRun]) -> None:
    (summary, _) = cells(automata)
    row, _ = Page(report(Study(automata))).rows("in-context gain (nats)")
    assert summary.in_context_gain is not None
    assert row["in-context gain (nats)"] == f"{summary.in_context_gain:.3f}"
    assert summary.in_context_gain == pytest.approx(0.5 * made_automata.CHANCE - 0.02)
