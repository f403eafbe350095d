"""The report of hand-made runs: its numbers, its tables, its charts, and what it warns about."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.hand_made import CHANCE, run_of, spec_of
from helpers.page import Page, unpacked

from attnsearch.report.report import report
from attnsearch.report.training import InTraining, Live, Training
from attnsearch.results.alignment import align, best_heads
from attnsearch.results.cells import cells
from attnsearch.results.study import Study
from attnsearch.runs.store import StoredRun
from attnsearch.spec.command import commands
from attnsearch.stats.comparison import benjamini_hochberg, compare

# What it says.


def test_every_run_is_there_with_the_numbers_of_the_store(page: Page, runs: list[StoredRun]) -> None:
    shown = {run["digest"]: run for run in page.data["runs"]}
    assert len(shown) == len(runs) == 32
    for run in runs:
        found, measures = shown[run.spec.digest], run.measures
        assert found["seed"] == run.spec.seed
        assert found["status"] == run.status
        assert found["escaped"] is measures.escaped
        if measures.escaped or run.status != "diverged":
            assert found["plateau"] == measures.plateau_length
        assert (found["mastery"], found["mastered"]) == (measures.mastery_step, measures.mastered)
        known = [step if was else None for step, was in zip(*measures.found, strict=True)]
        assert found["found"] == known
        cell = page.data["cells"][found["cell"]]
        assert page.data["runs"][cell["runs"][0]]["cell"] == found["cell"]
        assert cell["bits"] == pytest.approx(float(run.truth.nominal_log2_search_space))


def test_a_diverged_run_stands_censored_at_its_budget(page: Page, runs: list[StoredRun]) -> None:
    (found,) = [run for run in page.data["runs"] if run["status"] == "diverged"]
    assert runs[-1].measures.plateau_length == 120
    assert (found["plateau"], found["escaped"]) == (1_000, False)


def test_curves_and_maps_are_those_of_the_store(page: Page, runs: list[StoredRun]) -> None:
    shown = {run["digest"]: run["detail"] for run in page.data["runs"]}
    for run in runs:
        detail = shown[run.spec.digest]
        at = np.searchsorted(run.curves.step, detail["loss_step"])
        np.testing.assert_array_equal(run.curves.step[at], detail["loss_step"])
        np.testing.assert_allclose(unpacked(detail["loss"]) * CHANCE, run.curves.loss[at], atol=1e-4)
        assert detail["map_step"] == run.maps.step.tolist()
        shares = run.maps.influence / run.maps.influence.sum(axis=-1, keepdims=True)
        np.testing.assert_allclose(unpacked(detail["map"]), shares[:, :, :4], atol=0.5 / 255 + 1e-6)
        mass = run.maps.mass
        np.testing.assert_allclose(unpacked(detail["map_mass"]), mass, atol=1e-4)
        support = [np.flatnonzero(row).tolist() for row in run.truth.attention_map]
        assert detail["support"] == support
        assert detail["positions"] == [0, 1, 2, 3]


def test_weights_of_heads_are_those_of_the_store(page: Page, runs: list[StoredRun]) -> None:
    shown = {run["digest"]: run["detail"]["heads"] for run in page.data["runs"]}
    for run in runs:
        heads = shown[run.spec.digest]
        if not run.heads.mass.shape[1]:
            assert heads is None
            continue
        weights = unpacked(heads["weights"])
        np.testing.assert_allclose(weights[..., :4] * 255, run.heads.weights[..., :4], atol=1e-4)
        # What lies on blanks is one column more: with rounding, a row sums to one.
        np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=0.03)
        best = best_heads(run.heads)
        np.testing.assert_allclose(unpacked(heads["mass"]), best.mass[:, 0], atol=1e-4)
        np.testing.assert_allclose(unpacked(heads["entropy"]), best.entropy[:, 0], atol=2e-4)
        assert heads["best"] == run.heads.mass[-1].argmax(axis=0).tolist()
        assert heads["names"] == ["head 0", "head 1", "head 2"]
        assert len(heads["uniform_mass"]) == 4


def test_the_table_of_cells_says_what_the_summary_says(page: Page, runs: list[StoredRun]) -> None:
    rows = page.rows("plateau length, median")
    summaries = cells(runs)
    assert len(rows) == len(summaries) == 4
    for row, cell in zip(rows, summaries, strict=True):
        assert row["mixer"] == cell.spec.mixer.name
        assert row["support size"] == str(dict(cell.spec.task.knobs)["support_size"])
        assert row["escaped"].startswith(f"{cell.plateau.observed} of 8 | ")
        assert row["mastered"].startswith(f"{cell.mastery.observed} of 8 | ")
        assert cell.plateau.median is not None
        assert row["plateau length, median"].startswith(f"{cell.plateau.median:,.0f} | ")
        assert row["restricted mean to the budget"].startswith(f"{cell.plateau.restricted_mean:,.0f} ± ")
    assert rows[-1]["runs"] == "8 | 1 diverged"
    assert rows[-1]["protocol"] == "⚠ 1 diverged"
    assert rows[0]["protocol"] == "–"


def test_the_table_of_runs_names_every_digest(page: Page, runs: list[StoredRun]) -> None:
    rows = page.rows("run")
    assert [row["run"] for row in rows] == [run.spec.digest[:16] for run in runs]
    assert [row["plateau length"] for row in rows[:2]] == ["100", "110"]
    assert rows[-2]["plateau length"] == "> 1,000"


def test_mixers_are_compared_with_attention(page: Page, runs: list[StoredRun]) -> None:
    rows = page.rows("verdict: its plateau is")
    lengths = [cell.lengths for cell in cells(runs)]
    expected = [
        compare(lengths[1], lengths[0], 1_000),
        compare(lengths[3], lengths[2], 1_000),
    ]
    adjusted = benjamini_hochberg([one.p_value for one in expected])
    assert [row["against"] for row in rows] == ["attention", "attention"]
    for row, one, p_value in zip(rows, expected, adjusted, strict=True):
        assert row["mixer"] == "mlp_mixer"
        assert row["ratio"] == f"{one.ratio:.2f} | {one.low:.2f} to {one.high:.2f}"
        assert row["p, adjusted"] == f"{p_value:.2g} | {one.method}"
        assert row["verdict: its plateau is"] == "longer"
    # Whichever comes first.
    assert Page(report(Study(runs[::-1]))).rows("against")[0]["against"] == "attention"


def test_the_law_is_drawn_where_there_is_one(page: Page, runs: list[StoredRun]) -> None:
    assert page.data["series"] == ["attention", "mlp_mixer"]
    for law in page.data["laws"]:
        (low, *_), (high, *_) = law["line"]
        assert (low, high) == pytest.approx((2.0, np.log2(6)))
        for _, below, middle, above in law["line"]:
            assert below < middle < above
            assert below * above == pytest.approx(middle**2)
    assert "Each added bit multiplies the plateau by" in page.words
    alone = Page(report(Study(runs[:8])))
    assert alone.data["laws"] == [{"series": 0, "line": [], "fits": True}]
    assert "No law: there is one search space only" in alone.words


def test_settings_thresholds_and_environments(page: Page, runs: list[StoredRun]) -> None:
    for text in ("learning rate 0.001", "support size 1, 2", "found threshold 0.5 of chance", "num heads 16"):
        assert text in page.words
    assert "Environment of all 32 runs device cpu devices 2 versions attnsearch 0.1.0" in page.words
    elsewhere = replace(runs[0], environment={"device": "NVIDIA"})
    words = Page(report(Study([elsewhere, *runs[1:]]))).words
    assert "Environment of 1 run device NVIDIA" in words
    assert "Environment of 31 runs device cpu" in words


def test_the_page_holds_the_commands_that_reproduce_it(page: Page, runs: list[StoredRun]) -> None:
    lines = [text for text in page.texts if text.startswith("attnsearch run ")]
    assert lines == [line for cell in cells(runs) for line in commands([run.spec for run in cell.runs])]


def test_what_was_found_is_a_table_of_its_own(page: Page, runs: list[StoredRun]) -> None:
    assert "What was found" in page.words
    summaries = cells(runs)
    for row, cell in zip(page.rows("map risen, of found"), summaries, strict=True):
        alignment = align(cell.runs)
        assert row["map risen, of found"] == f"{alignment.rises} of {alignment.found}"
        mass = "–" if alignment.map_mass is None else f"{alignment.map_mass:.2f}"
        assert row["map mass (by chance)"] == f"{mass} | {alignment.chance_map_mass:.2f}"


def test_cheaper_routes_are_shown_where_there_are_any(page: Page, runs: list[StoredRun]) -> None:
    assert {run["detail"]["route"] is None for run in page.data["runs"]} == {True}
    assert "cheapest route" not in page.words.replace("cheapest routes", "")
    truth = runs[0].truth
    routes = np.roll(truth.cheapest_route, 1, axis=1)
    cheaper = truth._replace(cheapest_route=routes, log2_search_space=np.array([2.0, 2.0, 2.0, 0.0]))
    shown = Page(report(Study([replace(run, truth=cheaper) for run in runs[:8]])))
    assert shown.data["runs"][0]["detail"]["route"] == [np.flatnonzero(row).tolist() for row in routes]
    assert shown.data["runs"][0]["detail"]["bits"] == [2.0, 2.0, 2.0, 0.0]
    row = shown.rows("escaped")[-1]
    assert (row["search space (bits)"], row["cheapest route (bits)"]) == ("2.0", "1.5")


# All the sets of runs there are.


@pytest.mark.parametrize(
    "found", [[100, 120, 140, 160], [None] * 4, [100, None, None, None], [10, 10, 10, 10]]
)
def test_one_run_is_a_report(found: list[int | None]) -> None:
    shown = Page(report(Study([run_of(spec_of(), found)])))
    assert "1 run in 1 cell, 1 in each: attention on linear_map." in shown.words
    assert len(shown.data["runs"]) == 1
    assert "verdict" not in shown.words


def test_nothing_but_censored_runs() -> None:
    never = [run_of(spec_of(seed=seed, support_size=s), [None] * 4) for s in (1, 2) for seed in range(8)]
    shown = Page(report(Study(never)))
    assert {row["plateau length, median"] for row in shown.rows("escaped")} == {"not reached"}
    assert "none of 16 runs escaped" in shown.words


def test_a_run_that_diverged_at_once() -> None:
    shown = Page(report(Study([run_of(spec_of(), [None] * 4, diverges=10)])))
    assert np.isnan(unpacked(shown.data["runs"][0]["detail"]["loss"])).all()


def test_the_same_runs_give_the_same_bytes(runs: list[StoredRun]) -> None:
    assert report(Study(runs), title="Twice") == report(Study(runs), title="Twice")


def test_steps_to_emergence_stand_below_what_was_found_where_networks_differ_in_a_size() -> None:
    wide, narrow = ([run_of(spec_of(width=width), [50, 60, 70, 80])] for width in (64, 32))
    assert "Steps to emergence against width" in report(Study([*narrow, *wide]))
    assert "Steps to emergence" not in report(Study(narrow))


# Pages that hold some runs one by one.


def test_a_page_holds_some_runs_of_each_cell_and_counts_all(runs: list[StoredRun], page: Page) -> None:
    some = Page(report(Study(runs), most=12))
    assert [len(cell["runs"]) for cell in some.data["cells"]] == [3] * 4
    assert [len(cell["others"]) for cell in some.data["cells"]] == [5] * 4
    for cell, whole in zip(some.data["cells"], page.data["cells"], strict=True):
        held = [some.data["runs"][index] for index in cell["runs"]]
        middle = page.data["runs"][whole["middle"]]
        assert some.data["runs"][cell["middle"]]["digest"] == middle["digest"]
        assert {run["seed"] for run in held} == {0, 1, middle["seed"]} | (
            {2} if middle["seed"] < 2 else set()
        )
        lengths = sorted([run["plateau"], int(run["escaped"])] for run in held) + cell["others"]
        all_of_it = (page.data["runs"][index] for index in whole["runs"])
        assert sorted(lengths) == sorted([run["plateau"], int(run["escaped"])] for run in all_of_it)
    assert "This page holds 12 of 32 runs one by one" in some.words
    assert some.words.count("12 of 32 runs") == 2
    assert "All 32 runs" in page.words
    assert some.data["laws"] == page.data["laws"]
    assert some.data["signals"] == []
    assert some.rows("escaped") == page.rows("escaped")
    assert "one by one, to stay light" not in page.words


def test_a_page_holds_every_run_in_training(runs: list[StoredRun]) -> None:
    unfinished = tuple(InTraining(run, 0.0, True) for run in runs[8:16])
    training = Training(unfinished, (), (), Live("a", 1.0))
    found = Page(report(Study(runs[:8]), training=training, most=4))
    assert [run["status"] == "training" for run in found.data["runs"]] == [False] * 2 + [True] * 8
