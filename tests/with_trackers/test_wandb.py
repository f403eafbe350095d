"""What wandb's own reader of offline runs finds of runs that were tracked."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from helpers.tracked import TWO, track
from PIL import Image

from attnsearch.base import AttnsearchError
from attnsearch.training.tracking.names import opened

MASTERED, DIVERGED = TWO


class Found(NamedTuple):
    """A run as wandb reads it: what it is called, its history by step, its summary and exit code, and the
    folder of its files."""

    run: dict[str, Any]
    config: dict[str, Any]
    history: dict[int, dict[str, Any]]
    summary: dict[str, Any]
    exit_code: int
    media: Path


def read(out: Path) -> list[Found]:
    """The runs, by seed."""
    paths = (out / "tracking" / "wandb").glob("offline-run-*/run-*.wandb")
    return sorted(map(inspected, paths), key=lambda one: one.config["seed"])


def inspected(path: Path) -> Found:
    command = [str(Path(sys.executable).with_name("wandb")), "leet", "inspect", "--json", str(path)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    records: dict[str, list[Any]] = {}
    for record in map(json.loads, lines):
        records.setdefault(record["type"], []).append(record[record["type"]])
    items = [record["item"] for record in records["history"]]
    history = {item["_step"]: item for item in items}
    assert len(history) == len(items)
    summary: dict[str, Any] = {}
    for record in records["summary"]:
        summary |= record["update"]
    (run,) = records["run"]
    return Found(
        run, run["config"]["update"], history, summary, records["exit"][0]["exit_code"], path.parent / "files"
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Found]]:
    import wandb

    out = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as environment:
        for variable in ("WANDB_PROJECT", "WANDB_DIR", "WANDB_RUN_GROUP"):
            environment.delenv(variable, raising=False)
        environment.setenv("WANDB_MODE", "offline")
        track(opened("wandb", out))
        yield read(out)
        wandb.teardown()


def test_each_run_has_its_curves(runs: list[Found]) -> None:
    assert len(runs) == 2
    for found, run in zip(runs, TWO, strict=True):
        assert list(found.history) == [0, *run.curves.step]
        for point, step in enumerate(run.curves.step):
            told = [float(found.history[step][f"target_loss/{target}"]) for target in range(4)]
            assert np.array_equal(told, run.curves.loss[point], equal_nan=True)


def test_plateau_and_mastery_are_in_the_summary(runs: list[Found]) -> None:
    assert runs[0].summary["plateau/length"] == MASTERED.measures.plateau_length
    assert [run.summary["status"] for run in runs] == ["mastered", "diverged"]
    assert [run.exit_code for run in runs] == [0, 1]


def test_maps_are_pictures(runs: list[Found]) -> None:
    steps = [step for step, item in runs[0].history.items() if "maps/heads.path" in item]
    assert steps == MASTERED.maps.step.tolist()
    path = runs[0].history[0]["maps/true.path"]
    shown = np.asarray(Image.open(runs[0].media / path))
    assert np.array_equal(shown[::16, ::16] == 0, MASTERED.truth.attention_map)


def test_a_run_is_called_as_its_specification(runs: list[Found]) -> None:
    one, other = (found.run for found in runs)
    assert one["run_group"] == other["run_group"]
    assert other["project"] == "attnsearch"
    assert other["display_name"].endswith("attention, steps 1000, seed 1")
    assert other["tags"] == ["linear_map", "attention"]
    assert other["notes"].startswith("attnsearch run --task linear_map")
    assert runs[1].config["state_size"] == 4
    assert runs[1].config["digest"] == DIVERGED.spec.digest


def test_without_a_key_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb
    from wandb.errors import UsageError

    def nobody() -> None:
        raise UsageError("No API key\nconfigured.")

    monkeypatch.setenv("WANDB_MODE", "online")
    wandb.teardown()
    monkeypatch.setattr(wandb, "login", nobody)
    with pytest.raises(
        AttnsearchError, match=r"No API key configured\.; run `wandb login`, or set WANDB_MODE=off"
    ):
        opened("wandb", tmp_path)
    monkeypatch.undo()
    wandb.teardown()
