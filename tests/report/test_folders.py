"""A report of several folders: which each run is of, and what is said of a run that lies in two."""

from __future__ import annotations

from dataclasses import replace

from helpers.page import Page

from attnsearch.report.folders import folders_of
from attnsearch.report.report import report
from attnsearch.results.study import Study
from attnsearch.runs.store import StoredRun


def page_of(given: dict[str, list[StoredRun]]) -> Page:
    folders = folders_of(given)
    return Page(report(Study(folders.runs), folders=folders))


def test_each_run_is_there_once_with_its_folders(runs: list[StoredRun]) -> None:
    shown = page_of({"old": runs[:10], "new": runs[8:]})
    assert shown.data["folders"] == ["old", "new"]
    assert [run["folders"] for run in shown.data["runs"]] == [[0]] * 8 + [[0, 1]] * 2 + [[1]] * 22
    assert [row["folder"] for row in shown.rows("run")[7:11]] == [
        "old",
        "old and new",
        "old and new",
        "new",
    ]
    cells = shown.rows("plateau length, median")
    assert [row["folder"] for row in cells] == [
        "8 in old",
        "2 in old and new; 6 in new",
        "8 in new",
        "8 in new",
    ]
    assert "2 runs lie in old and in new: shown and counted once, as in old" in shown.words
    assert "other curves" not in shown.words


def test_a_run_that_went_another_way_in_the_other_folder_is_told(runs: list[StoredRun]) -> None:
    curves = runs[0].curves
    elsewhere = replace(runs[0], curves=curves._replace(loss=curves.loss * 0.99))
    shown = page_of({"old": runs[:8], "new": [elsewhere]})
    assert "1 run lies in old and in new: shown and counted once, as in old; 1 run of them" in shown.words
    assert "of them with other curves in new" in shown.words
    assert len(shown.data["runs"]) == 8


def test_one_folder_is_not_told(runs: list[StoredRun]) -> None:
    shown = page_of({"old": runs[:8]})
    assert "folder" not in shown.rows("run")[0]
    assert "folder" not in shown.rows("plateau length, median")[0]
    assert shown.words.count("old") == Page(report(Study(runs[:8]))).words.count("old")
