"""What a report warns about, and flags in its tables."""

from __future__ import annotations

import re

from helpers.hand_made import run_of, spec_of
from helpers.made_runs import STANDINGS
from helpers.maps import leaking
from helpers.page import Page

from attnsearch.report.report import report
from attnsearch.results.study import Study
from attnsearch.runs.store import StoredRun

# What it warns about.


def test_few_seeds_are_warned_about_and_flagged(runs: list[StoredRun]) -> None:
    few = Page(report(Study(runs[:5])))
    assert "5 seeds are too few" in few.words
    assert few.rows("protocol")[0]["protocol"] == "⚠ 5 seeds"
    assert "too few" not in Page(report(Study(runs[:8]))).words


def test_one_learning_rate_allows_no_ranking(runs: list[StoredRun]) -> None:
    warning = "one learning rate for {}: no ranking of mixers follows"
    assert warning.format("attention and mlp_mixer") in Page(report(Study(runs))).words
    # One mixer alone is ranked with nothing.
    assert "no ranking" not in Page(report(Study(runs[:8]))).words
    slower = [run_of(spec_of("attention", seed, learning_rate=3e-4), [100] * 4) for seed in range(8)]
    assert warning.format("mlp_mixer") in Page(report(Study([*runs, *slower]))).words


def test_three_states_of_a_mixer_are_told(runs: list[StoredRun]) -> None:
    states = {"attention": "verified", "mlp_mixer": "not checked"}
    warned = Page(report(Study(runs, lambda cell: STANDINGS[states[cell.mixer.name]])))
    assert "mlp_mixer has not been checked" in warned.words
    flags = [row["protocol"] for row in warned.rows("protocol")]
    assert flags == ["verified", "⚠ not checked", "verified", "⚠ not checked; ⚠ 1 diverged"]
    refused = Page(report(Study(runs, lambda cell: STANDINGS["failed"])))
    assert "mlp_mixer failed verification: gradients: its numbers do not count" in refused.words
    assert refused.rows("protocol")[0]["protocol"] == "⚠ failed verification: gradients"
    assert "verif" not in Page(report(Study(runs))).words


def test_runs_that_diverged_are_counted(page: Page) -> None:
    assert re.search(r"1 runs? diverged", page.words)


def test_a_run_that_leaks_is_named_in_every_table_and_in_its_maps(runs: list[StoredRun]) -> None:
    page = Page(report(Study([leaking(runs[0]), *runs[1:8]])))
    assert "leaks: tokens behind a query moved its answer by 0.25" in page.words
    assert page.rows("protocol")[0]["protocol"] == "⚠ 1 leaking"
    assert sorted(run["detail"]["leak"] or 0 for run in page.data["runs"])[-2:] == [0, 0.25]
