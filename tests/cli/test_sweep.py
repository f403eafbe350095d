"""`attnsearch sweep` and `attnsearch plan`: a suite is run, answered from the store, and forecast."""

import json
import sys
from pathlib import Path

import pytest
from helpers.terminal import attnsearch, complaint
from helpers.tiny import RUN, SUITE

pytestmark = pytest.mark.usefixtures("one_backend")


@pytest.fixture
def suite(tmp_path: Path) -> str:
    path = tmp_path / "tiny.toml"
    path.write_text(SUITE)
    return str(path)


@pytest.fixture
def briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rates are measured for a moment."""
    monkeypatch.setattr("attnsearch.training.forecast.MEASURED_SECONDS", 0.01)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the flags that ask a question of the suite, but with 40 steps, have stored."""
    out = tmp_path_factory.mktemp("flags") / "results"
    assert attnsearch(*RUN, "--out", str(out), "--quiet", "--no-plots").status == 0
    return out


def test_a_suite_is_swept_and_answered_from_the_store(suite: str, tmp_path: Path):
    out = tmp_path / "results"
    done = attnsearch("sweep", suite, "--out", str(out), "--json")
    assert done.status == 0, done.err
    document = json.loads(done.out)
    assert [(cell["support_size"], cell["steps"], cell["runs"]) for cell in document["cells"]] == [
        (1, 20, 2),
        (2, 20, 2),
    ]
    for run in document["runs"]:
        assert (out / "runs" / run["digest"] / "run.json").is_file()
    assert len(document["pictures"]) == 2 * 2 + 1
    assert all(Path(picture).is_file() for picture in document["pictures"])
    assert any("[4/4]" in line for line in done.err.splitlines())

    again = attnsearch("sweep", suite, "--out", str(out), "--no-plots")
    assert again.status == 0
    assert "4 of 4 runs answered from the store" in again.err
    assert "compiling" not in again.err
    assert f"4 runs in {out / 'runs'}\n" in again.out
    assert "picture" not in again.out
    assert again.out.endswith(f"\n  attnsearch report {out}/\n")


def test_flags_replace_what_a_suite_says(suite: str, stored: Path, tmp_path: Path):
    flags = ["--seeds", "1:2", "--steps", "10,20", "--no-early-stopping", "--no-plots", "--json", "--quiet"]
    done = attnsearch("sweep", suite, *flags, "--out", str(tmp_path / "results"))
    assert done.err == ""
    runs = [run["spec"] for run in json.loads(done.out)["runs"]]
    found = [(run["task"]["knobs"]["support_size"], run["budget"]["steps"], run["seed"]) for run in runs]
    assert found == [(1, 10, 1), (1, 20, 1), (2, 10, 1), (2, 20, 1)]
    assert {run["budget"]["early_stopping"] for run in runs} == {False}
    assert {run["network"]["width"] for run in runs} == {32}
    # A suite and flags that ask the same question name the same runs.
    planned = attnsearch("plan", suite, "--steps", "40", "--out", str(stored), "--no-measurement", "--json")
    assert json.loads(planned.out)["total"]["stored"] == 2


@pytest.mark.usefixtures("briefly")
def test_plan_says_what_would_be_done_and_does_nothing(suite: str, tmp_path: Path):
    out = tmp_path / "results"
    done = attnsearch("plan", suite, "--out", str(out), "--steps", "60")
    assert done.status == 0, done.err
    (row,) = (line for line in done.out.splitlines() if line.startswith("│ linear_map"))
    name, cells, runs, stored, compilations, steps, rate, seconds = (
        text.strip() for text in row.strip("│").split("│")
    )
    assert name == "linear_map, attention"
    assert "would do: linear_map, attention, state size 4, support size" not in done.out
    assert "would do: linear_map, attention, state size 4" in done.out
    assert (cells, runs, stored, compilations, steps) == ("2", "4", "0", "1", "240")
    assert int(rate.replace(",", "")) > 0
    assert seconds.endswith(" s")
    total = done.out.splitlines()[-1]
    expected = "Total: 2 cells, 4 runs, 0 of them stored; 1 compilation, at most 240 steps, at most "
    assert total.startswith(expected)
    assert done.err == "measuring cohort 1 of 1: linear_map, attention\n"
    assert not out.exists()


@pytest.mark.usefixtures("briefly")
def test_plan_counts_what_is_stored_and_touches_nothing(suite: str, stored: Path):
    before = {path: path.stat().st_mtime_ns for path in [stored, *stored.rglob("*")]}
    flags = ["--steps", "40", "--out", str(stored), "--json"]
    document = json.loads(attnsearch("plan", suite, *flags, "--seeds", "3").out)
    (cohort,) = document["cohorts"]
    assert cohort["static"]["state_size"] == 4
    assert cohort["static"]["batch_size"] == 32
    names = ("cells", "runs", "stored", "compilations", "steps_at_most")
    assert [cohort[name] for name in names] == [2, 6, 2, 1, 4 * 40]
    assert cohort["steps_per_second"] > 0
    assert document["total"] == {name: cohort[name] for name in document["total"]}
    assert document["total"]["seconds_at_most"] > 0
    # Where all is stored nothing is compiled.
    Path(suite).write_text(SUITE.replace("[1, 2]", "2"))
    total = json.loads(attnsearch("plan", suite, *flags, "--seeds", "2", "--no-measurement").out)["total"]
    assert total == {
        "cells": 1,
        "runs": 2,
        "stored": 2,
        "compilations": 0,
        "steps_at_most": 0,
        "seconds_at_most": 0,
    }
    assert {path: path.stat().st_mtime_ns for path in [stored, *stored.rglob("*")]} == before


def test_a_cluster_needs_ray_and_its_flags_need_a_cluster(suite: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert "pip install 'attnsearch[ray]'" in complaint("sweep", suite, "--engine", "ray")
    assert "give --engine ray as well" in complaint("sweep", suite, "--address", "auto")
