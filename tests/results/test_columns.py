"""Stored runs as numbers: the table, the CSV and the JSON say the same, and none of them invents a value."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.hand_made import claiming
from helpers.maps import maps_of
from rich.console import Console

from attnsearch.base import Curves, Heads, Truth
from attnsearch.cli import main as cli
from attnsearch.results import columns as results
from attnsearch.results.cells import Cell, cells
from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec.run import RunSpec, settings


def run_of(
    spec: RunSpec, truth: Truth, seed: int, escape: int | None, size: int = 2, heads: int = 0
) -> StoredRun:
    """A run of 80 steps that escapes at a step and has mastered both targets from then on."""
    task = replace(spec.cell.task, knobs=settings({**dict(spec.cell.task.knobs), "state_size": size}))
    steps = np.arange(10, 90, 10)
    loss = np.ones((8, 3), np.float32)
    if escape is not None:
        loss[steps >= escape, 1:] = 0.01
    influence = np.full((2, 2, 4), 0.1, np.float32)
    influence[..., 2:] = 0
    maps = maps_of(truth, np.array([0, 80]), influence)
    weights = np.full((2, heads, 2, 4), 64, np.uint8)
    mass = np.full((2, heads, 2), 0.25, np.float32)
    return StoredRun(
        replace(spec, cell=replace(spec.cell, task=task), seed=seed),
        "exhausted" if escape is None else "mastered",
        {"devices": ["cpu"]},
        truth,
        Curves(steps, loss, loss),
        maps,
        Heads(weights, mass, mass),
    )


@pytest.fixture
def runs(spec: RunSpec, truth: Truth) -> list[StoredRun]:
    found = [run_of(spec, truth, seed, escape, heads=3) for seed, escape in enumerate((20, 30, 40, None))]
    return [*found, *(run_of(spec, truth, seed, None, size=3) for seed in range(2))]


@pytest.fixture
def summaries(runs: list[StoredRun]) -> list[Cell]:
    return cells(runs)


def printed(summaries: list[Cell]) -> str:
    console = Console(width=200, file=io.StringIO())
    for table in results.tables(summaries):
        console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_records_hold_every_number_of_a_cell_under_its_own_name(summaries: list[Cell]) -> None:
    first, second = results.records(summaries)
    assert (first["runs"], first["escape_rate"], first["plateau_length_median"]) == (4, 0.75, 30)
    assert first["plateau_length_restricted_mean"] == (20 + 30 + 40 + 80) / 4
    assert first["plateau_length_horizon"] == 80
    low, high = first["escape_rate_low"], first["escape_rate_high"]
    assert isinstance(low, float)
    assert isinstance(high, float)
    assert 0 < low < 0.75 < high < 1
    assert (second["escape_rate"], second["plateau_length_median"]) == (0, None)
    assert second["plateau_length_restricted_mean"] == 80
    assert (first["attention_mass"], second["attention_mass"], second["map_mass"]) == (0.25, None, None)
    # No number hides a setting.
    for record, cell in zip((first, second), summaries, strict=True):
        assert {name: record[name] for name in cell.spec.flat()} == cell.spec.flat()


def test_csv_has_the_same_numbers(summaries: list[Cell]) -> None:
    rows = list(csv.DictReader(io.StringIO(results.as_csv(summaries))))
    for row, record in zip(rows, results.records(summaries), strict=True):
        assert row == {name: "" if value is None else str(value) for name, value in record.items()}


def test_the_table_says_what_differs_in_columns_and_the_rest_once(summaries: list[Cell]) -> None:
    text = printed(summaries)
    assert "with 95 % intervals: linear_map_autoregressive, attention" in text
    assert "state size" in text
    assert "3 of 4" in text
    assert "not reached" in text
    assert "attention, loss all, support size 1" in text
    alone = printed(summaries[:1])
    assert "state size 2" in alone.partition("┏")[0]


def test_the_in_context_gain_is_everywhere_where_there_is_one(runs: list[StoredRun]) -> None:
    gaining = cells([claiming(run, state_loss=np.array([0.75, 0.5])) for run in runs])
    assert "gain (nats)" in printed(gaining)
    first, second = results.records(gaining)
    assert (first["in_context_gain"], first["state_loss_1"], first["state_loss_2"]) == (0.25, 0.75, 0.5)
    # None of the second cell's runs escaped.
    assert second["in_context_gain"] is None
    escaped, never = csv.DictReader(io.StringIO(results.as_csv(gaining)))
    assert (escaped["state_loss_2"], never["state_loss_2"]) == ("0.5", "")
    assert "gain (nats)" not in printed(cells(runs))


def test_attention_is_a_column_only_where_there_is_some(summaries: list[Cell]) -> None:
    assert "attention mass" in printed(summaries)
    assert "attention mass" not in printed(summaries[1:])


@pytest.fixture
def folder(runs: list[StoredRun], tmp_path: Path) -> str:
    store = Store.open(tmp_path / "results")
    for run in runs:
        store.save(run)
    return str(tmp_path / "results")


def said(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    text = capsys.readouterr()
    return ended.value.code, text.out, text.err


def test_the_command_prints_table_csv_and_json(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, table, err = said("results", folder, capsys=capsys)
    assert (code, err) == (None, "")
    assert "Plateau length at other thresholds of escape" in table
    assert "Losses are means over 10 steps" in table
    assert "warning: 2 seeds are too few" in table
    _, text, _ = said("results", folder, "--format", "csv", capsys=capsys)
    escaped, _ = csv.DictReader(io.StringIO(text))
    assert escaped["plateau_length_median"] == "30.0"
    _, text, _ = said("results", folder, "--format", "json", capsys=capsys)
    document = json.loads(text)
    assert document["cells"][0]["plateau_length_median"] == 30
    assert document["cells"][0]["plateau_length"]["median"] == 30
    assert len(document["runs"]) == 6
    assert "mean target loss below 0.938" in document["measurement"][0]


def test_a_store_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said("results", str(tmp_path / "nowhere"), capsys=capsys)
    assert (code, out) == (2, "")
    assert "does not stand for stored runs" in err
    assert err.count("\n") == 1


def test_no_command_on_stored_runs_loads_jax(folder: str, tmp_path: Path) -> None:
    page = str(tmp_path / "report.html")
    code = """
import sys
from attnsearch.cli.main import cli
for line in sys.argv[1:]:
    cli.main(line.split("|"), standalone_mode=False)
loaded = {"jax", "jaxlib", "flax", "optax", "chex"} & set(sys.modules)
assert not loaded, loaded
"""
    lines = [f"results|{folder}", f"law|{folder}", f"report|{folder}|-o|{page}"]
    done = subprocess.run([sys.executable, "-c", code, *lines], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
