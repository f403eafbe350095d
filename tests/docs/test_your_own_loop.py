"""docs/your-own-loop.md does what it says; its loop in torch is tried where torch is."""

from pathlib import Path
from typing import Any

import pytest
from helpers.own_loop import recorded
from helpers.pages import Page, status_of

import attnsearch
from attnsearch.runs.store import StoredRun

PAGE = Page("your-own-loop.md")
IN_TORCH, IN_JAX, RESUMED = PAGE.code("python")


def followed(code: str) -> dict[str, Any]:
    """What is defined once the code of the page has run, with a small budget."""
    changed = code.replace('"steps": 3_000', '"steps": 20')
    assert changed != code
    namespace: dict[str, Any] = {}
    exec(compile(changed, PAGE.name, "exec"), namespace)
    return namespace


@pytest.mark.parametrize("code", [IN_TORCH, IN_JAX])
def test_an_example_has_thirty_lines_at_most(code: str) -> None:
    lines = [line for line in code.splitlines() if line and not line.startswith(("import", "from"))]
    assert len(lines) <= 30


def test_the_loop_in_jax_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = followed(IN_JAX)["run"]
    assert isinstance(run, StoredRun)
    assert run.spec.cell.mixer.name == "foreign:mlp"
    assert run.spec.cell.flat()["hidden"] == 256
    assert run.curves.loss.shape == (2, 4)
    assert run.maps.step[0] == 0
    (kept,) = attnsearch.load("own").runs
    assert kept.spec == run.spec


def test_a_loop_goes_on_as_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = {"state_size": 4, "support_size": 2, "steps": 3_000, "tokens_per_step": 64}
    with attnsearch.Recorder("linear_map", "gru", seed=0, out="own", settings=settings) as first:
        for _ in first.batches():
            first.record([0.7] * 4)
            if first.step == 1_000:
                break
    namespace: dict[str, Any] = {"attnsearch": attnsearch, "settings": settings}
    exec(compile(RESUMED, PAGE.name, "exec"), namespace)
    assert namespace["recorder"].step == 1_000


def test_the_gate_takes_folders_of_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("own", "new"):
        recorded(tmp_path / folder, steps=100)
    assert [status_of(command) for command in PAGE.commands] == [0, 0]


def test_the_table_lists_what_a_recorder_has() -> None:
    for name in vars(attnsearch.Recorder):
        assert name.startswith("_") or f"`{name}" in PAGE.text or f".{name}(" in PAGE.text, name
