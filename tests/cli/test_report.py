"""`attnsearch report`: one file, what to distrust on stderr, and errors of one line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.hand_made import run_of, spec_of
from helpers.page import Page

from attnsearch.base import AttnsearchError
from attnsearch.cli.report import report as command
from attnsearch.runs.store import Store, StoredRun


@pytest.fixture
def runs() -> list[StoredRun]:
    return [run_of(spec_of(seed=seed), [100, 120, 150, 190]) for seed in range(4)]


def stored(folder: Path, runs: Sequence[StoredRun]) -> Path:
    store = Store.open(folder)
    for run in runs:
        store.save(run)
    return folder


def test_the_command_writes_a_file_and_says_what_to_distrust(tmp_path: Path, runs: list[StoredRun]) -> None:
    out = stored(tmp_path / "out", runs[:4])
    target = tmp_path / "page.html"
    target.write_text("an earlier one")
    done = CliRunner().invoke(
        command, [str(out), "-o", str(target), "--title", "Four"], catch_exceptions=False
    )
    assert done.exit_code == 0
    assert re.fullmatch(rf"{re.escape(str(target))} \(0\.\d\d MB\)\n", done.stdout)
    assert "attnsearch: warning: 4 seeds are too few" in done.stderr
    found = Page(target.read_text(encoding="utf-8"))
    assert "<h1>Four</h1>" in target.read_text(encoding="utf-8")
    assert {run["digest"] for run in found.data["runs"]} == {run.spec.digest for run in runs[:4]}
    # Nothing is left of what it was written to first.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "page.html"]


def test_a_page_of_many_runs_holds_some_of_them_and_says_so(tmp_path: Path, runs: list[StoredRun]) -> None:
    out, target = stored(tmp_path / "out", runs), tmp_path / "page.html"
    done = CliRunner().invoke(command, [str(out), "-o", str(target), "--most", "2"], catch_exceptions=False)
    assert done.exit_code == 0
    text = target.read_text(encoding="utf-8")
    assert len(Page(text).data["runs"]) == 2
    assert "This page holds 2 of 4 runs one by one" in text
    assert "`attnsearch report --most` holds more runs" in text


def test_what_cannot_be_written_or_read_is_one_line(tmp_path: Path, runs: list[StoredRun]) -> None:
    out = stored(tmp_path / "out", runs[:1])
    missing = tmp_path / "absent" / "page.html"
    done = CliRunner().invoke(
        command, [str(out), "-o", str(out / "runs" / runs[0].spec.digest / "run.json" / "page")]
    )
    assert re.fullmatch(r"cannot write .*page: .*; choose another place", str(done.exception))
    assert sorted(path.name for path in out.iterdir()) == ["runs"]
    (tmp_path / "empty" / "runs").mkdir(parents=True)
    for name in (tmp_path / "empty", tmp_path / "nowhere"):
        done = CliRunner().invoke(command, [str(name), "-o", str(missing)])
        assert isinstance(done.exception, AttnsearchError)
        assert "\n" not in str(done.exception)


def test_two_folders_are_told_apart_and_what_lies_in_both_is_said(
    tmp_path: Path, runs: list[StoredRun]
) -> None:
    one, other = stored(tmp_path / "one", runs[:3]), stored(tmp_path / "other", runs[2:])
    target = tmp_path / "page.html"
    done = CliRunner().invoke(command, [str(one), str(other), "-o", str(target)], catch_exceptions=False)
    said = f"1 run lies in {one} and in {other}: shown and counted once, as in {one}"
    assert f"attnsearch: warning: {said}" in done.stderr
    found = Page(target.read_text(encoding="utf-8"))
    assert said in found.words
    assert [row["folder"] for row in found.rows("run")] == [
        *[str(one)] * 2,
        f"{one} and {other}",
        str(other),
    ]
