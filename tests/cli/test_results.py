"""`attnsearch results` on small stores: tables, CSV and JSON, names that are only text, and errors."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.hand_made import renamed, run_of, spec_of

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
