"""`--json` on every command that prints: one document on standard output, and nothing else there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers.hand_made import run_of, spec_of
from helpers.made_runs import ATTENTION, SUITE, run, runs, stored, suite
from helpers.terminal import attnsearch, complaint

from attnsearch.cli.main import COMMANDS
from attnsearch.leaderboard.document import FORMAT_VERSION
from attnsearch.spec.task_file import find_task

SCRIPTS = {"completion", "watch"}
"""Commands that print what a shell reads, or serve a page."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = [run_of(spec_of(seed=seed), [100 + 10 * seed] * 4) for seed in range(8)]
    return stored(tmp_path_factory.mktemp("json") / "results", made)


def document(*arguments: str) -> dict[str, Any]:
    done = attnsearch(*arguments, "--json")
    assert done.status == 0, done.err
    assert done.out.count("\n") == 1
    return json.loads(done.out)


@pytest.mark.parametrize("command", [name for homes in COMMANDS.values() for name in homes])
def test_every_command_that_prints_has_it(command: str) -> None:
    assert ("--json" in attnsearch(command, "--help").out) == (command not in SCRIPTS)


def test_tasks_with_their_knobs() -> None:
    listed = document("tasks")["tasks"]
    linear = {task["name"]: task for task in listed}["linear_map"]
    assert linear["title"]
    knobs = {knob["name"]: knob for knob in linear["knobs"]}
    assert (knobs["state_size"]["default"], knobs["state_size"]["range"]) == (8, "at least 2")
    assert (knobs["support_size"]["ratio"], knobs["support_size"]["default_ratio"]) == ("sparsity", 0.5)


def test_mixers_with_their_settings() -> None:
    listed = {mixer["name"]: mixer for mixer in document("mixers")["mixers"]}
    assert listed["mlp_mixer"]["settings"] == {"expansion": 4}
    assert listed["attention"]["settings"]["head_width"] is None
    assert listed["attention"]["error"] is None


def test_an_example(tmp_path: Path) -> None:
    words = ["--task", "linear_map", "--state-size", "4", "--seed", "3", "--target", "1", "--no-plots"]
    found = document("show", *words, "--out", str(tmp_path))
    assert (found["task"], found["seed"], found["target"], found["picture"]) == ("linear_map", 3, 1, None)
    assert found["knobs"] == dict(find_task("linear_map").resolve({"state_size": 4}).knobs)
    assert found["knobs"].items() >= {"state_size": 4, "support_size": 2}.items()
    drawn = attnsearch("show", *words).out.splitlines()
    assert [line.rstrip() for line in found["drawing"]] == [line.rstrip() for line in drawn]


def test_stored_runs_and_their_law_and_page(store: Path, tmp_path: Path) -> None:
    found = document("results", str(store))
    assert found == document("results", str(store), "--format", "json")
    assert len(found["runs"]) == 8
    assert document("law", str(store))["series"]
    page = tmp_path / "page.html"
    written = document("report", str(store), "-o", str(page))
    assert written["report"] == str(page)
    assert (written["bytes"], written["runs"]) == (page.stat().st_size, 8)
    assert written["warnings"] == []


def test_a_baseline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attnsearch.gate.verdict.outlook", lambda recorded, seeds: ["it tells"])
    monkeypatch.setattr(
        "attnsearch.training.runner.run", lambda specs, *rest: [run(spec, 100) for spec in specs]
    )
    suite(tmp_path, SUITE.replace("selection_seeds = 2\n", "").replace("[1e-3, 3e-3]", "3e-3"))
    file = tmp_path / "b.json"
    found = document("baseline", str(tmp_path / "small.toml"), "--out", str(tmp_path), "-o", str(file))
    assert (found["baseline"], found["bytes"]) == (str(file), file.stat().st_size)
    assert (found["runs"], found["cells"]) == (18, 3)
    assert found["outlook"] == ["it tells"]


def test_a_board(tmp_path: Path) -> None:
    asked = suite(tmp_path)
    folder = stored(tmp_path / "store", runs(asked, ATTENTION))
    words = ["--suite", str(tmp_path / "small.toml")]
    found = document("leaderboard", str(folder), *words)
    assert found == document("leaderboard", str(folder), *words, "--format", "json")
    assert found["format_version"] == FORMAT_VERSION


def test_two_forms_are_a_mistake(store: Path) -> None:
    for command in ("results", "leaderboard"):
        assert "give one of them" in complaint(command, str(store), "--format", "csv", "--json")
