"""`attnsearch results` on small stores: tables, CSV and JSON, names that are only text, and errors."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as parquet
import pytest
from click.testing import CliRunner
from helpers.hand_made import renamed, run_of, spec_of
from helpers.terminal import complaint

from attnsearch.cli import main as cli
from attnsearch.cli.results import results
from attnsearch.runs.store import Store


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """Four runs of one cell, two of another."""
    store = Store.open(tmp_path / "results")
    for support, escapes in ((1, (20, 30, 40, None)), (2, (None, None))):
        for seed, escape in enumerate(escapes):
            store.save(run_of(spec_of(seed=seed, support_size=support, steps=80), [escape] * 4))
    return str(store.root)


def said(*arguments: str) -> str:
    done = CliRunner().invoke(results, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_tables_say_how_they_came_about_and_what_to_distrust(folder: str) -> None:
    text = said(folder)
    assert "3 of 4" in text
    assert "not reached" in text
    assert "Plateau length at other thresholds of escape" in text
    assert "Losses are means over 10 steps" in text
    assert "warning: 2 seeds are too few" in text


def test_csv_and_json_have_each_number_once(folder: str) -> None:
    rows = list(csv.DictReader(io.StringIO(said(folder, "--format", "csv"))))
    document = json.loads(said(folder, "--format", "json"))
    assert rows[0]["plateau_length_median"] == "30.0"
    assert [row.keys() for row in rows] == [cell.keys() for cell in document["cells"]]
    assert document["cells"][0]["plateau_length_median"] == 30
    assert len(document["runs"]) == 6
    assert "mean target loss below 0.938" in document["measurement"][0]


def test_rows_can_be_about_runs_targets_and_points(folder: str, tmp_path: Path) -> None:
    runs = list(csv.DictReader(io.StringIO(said(folder, "--by", "run", "--format", "csv"))))
    assert [row["plateau_length"] for row in runs] == ["20", "30", "40", "80", "80", "80"]
    assert [row["escaped"] for row in runs] == ["True"] * 3 + ["False"] * 3
    targets = json.loads(said(folder, "--by", "target", "--format", "json"))
    assert [row["found_step"] for row in targets[:4]] == [20] * 4
    assert {row["run"] for row in targets} == {row["run"] for row in runs}
    points = said(folder, "--by", "point", "--format", "csv").splitlines()
    assert points[0] == "run,step,query,is_target,loss,accuracy,update_norm"
    cells = json.loads(said(folder, "--by", "cell", "--format", "json"))
    assert cells == json.loads(said(folder, "--format", "json"))["cells"]
    for name in ("rows.csv", "rows.json", "rows.parquet"):
        assert said(folder, "--by", "run", "-o", str(tmp_path / name)) == ""
    assert (tmp_path / "rows.csv").read_text() == said(folder, "--by", "run", "--format", "csv")
    assert (tmp_path / "rows.json").read_text() == said(folder, "--by", "run", "--format", "json")
    kept = parquet.read_table(tmp_path / "rows.parquet")
    assert [str(length) for length in kept["plateau_length"].to_pylist()] == [
        row["plateau_length"] for row in runs
    ]


def test_runs_and_targets_have_tables(folder: str) -> None:
    text = said(folder, "--by", "run")
    assert "Every run; > marks a censored one: linear_map, attention" in text
    assert "> 80" in text
    assert "search space (bits)" in said(folder, "--by", "target")


def test_columns_are_explained_with_their_units(folder: str) -> None:
    text = said("--columns")
    assert "plateau_length_median" in text
    assert "Kaplan-Meier median of the steps until escape" in text
    (row,) = (
        one
        for one in json.loads(said("--columns", "--by", "run", "--format", "json"))
        if one["column"] == "mastery_step"
    )
    assert row["unit"] == "steps"
    assert row["definition"].startswith("Steps until the run mastered every target")
    # The settings are explained where there are runs.
    said_of_runs = said(folder, "--columns", "--by", "run", "--format", "csv")
    assert 'state_size,,"Cells of a state, S; with two states the context is 2S tokens."' in said_of_runs
    header = next(csv.reader(io.StringIO(said(folder, "--by", "run", "--format", "csv"))))
    assert [line["column"] for line in csv.DictReader(io.StringIO(said_of_runs))] == header


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--by", "point"), "points are too many for a screen"),
        (
            ("--by", "signal"),
            "no cell has 4 runs with even and 4 with odd seeds that still waited at step 50",
        ),
        (("--format", "parquet"), "name a file, as in -o runs.parquet"),
        (("-o", "rows.txt"), "cannot tell how to write rows.txt"),
        (("-o", "rows.csv", "--format", "table"), "a table is for a screen"),
        (("--columns", "-o", "rows.parquet"), "give another --format"),
    ],
)
def test_a_form_that_does_not_fit_is_refused(folder: str, arguments: tuple[str, ...], told: str) -> None:
    assert told in complaint("results", folder, *arguments)


def test_without_runs_there_is_nothing_to_print() -> None:
    assert "Missing argument" in complaint("results")


@pytest.mark.parametrize(
    "name", ["a[/b]", "[link=https://x.example]attention[/link]", "\x1b[31mx", "a\u202eb"]
)
def test_a_name_is_only_text_whatever_it_holds(tmp_path: Path, name: str) -> None:
    store = Store.open(tmp_path / "results")
    run = run_of(spec_of(steps=80), [20] * 4)
    for one in (renamed(run, name, name), renamed(run, "other", "mine")):
        store.save(one)
    for form in ("table", "csv", "json"):
        text = said(str(store.root), "--format", form)
        assert not {"\x1b", "\u202e"} & set(text)
        if name.isprintable() and form != "table":
            assert name in text


def test_a_store_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["results", str(tmp_path / "nowhere")])
    text = capsys.readouterr()
    assert (ended.value.code, text.out) == (2, "")
    assert "nowhere" in text.err
    assert text.err.count("\n") == 1


def test_no_command_on_stored_runs_loads_jax(folder: str, tmp_path: Path) -> None:
    page = str(tmp_path / "report.html")
    code = """
import sys
from attnsearch.cli.main import cli
for line in sys.argv[1:]:
    cli.main(line.split("|"), standalone_mode=False)
loaded = {"jax", "jaxlib", "flax", "optax", "chex", "matplotlib"} & set(sys.modules)
assert not loaded, loaded
"""
    lines = [f"results|{folder}", f"law|{folder}", f"report|{folder}|-o|{page}"]
    done = subprocess.run([sys.executable, "-c", code, *lines], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
