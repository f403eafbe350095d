"""A report of several folders: which each run is of, and what is said of a run that lies in two."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from helpers.page import Page

from attnsearch.report.folders import folders_of
from attnsearch.report.report import report
from attnsearch.results.study import Study
from attnsearch.runs.store import StoredRun


def page_of(given: dict[str, list[StoredRun]]) -> Page:
    folders = folders_of(given)
    return Page(report(Study(folders.runs, folder_of=folders.apart), folders=folders))


def other(run: StoredRun) -> StoredRun:
    """The same question, answered by other software."""
    return replace(run, curves=run.curves._replace(loss=run.curves.loss * np.float32(0.99)))


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


def test_the_same_runs_by_other_software_are_cells_side_by_side(runs: list[StoredRun]) -> None:
    # The second cell is a copy.
    shown = page_of({"old": runs[:16], "new": [*map(other, runs[:8]), *runs[8:16]]})
    assert "8 runs lie in old and in new, with other curves there: cells are shown folder by" in shown.words
    assert "8 runs lie in old and in new: shown and counted once, as in old" in shown.words
    assert len(shown.data["runs"]) == 24
    assert [(cell["name"], len(cell["runs"])) for cell in shown.data["cells"]] == [
        ("linear_map; attention, old", 8),
        ("linear_map; mlp_mixer", 8),
        ("linear_map; attention, new", 8),
    ]
    assert [run["folders"] for run in shown.data["runs"]] == [[0]] * 8 + [[0, 1]] * 8 + [[1]] * 8
    # Each has a series, hence a law, and the folders are compared.
    assert shown.data["series"] == ["attention, old", "mlp_mixer", "attention, new"]
    compared = shown.rows("against")
    assert [(row["mixer"], row["against"]) for row in compared] == [
        ("attention, new", "attention, old"),
    ]
    for heading in ("plateau length, median", "map mass (by chance)"):
        assert [row["folder"] for row in shown.rows(heading)][:1] == ["8 in old"]


def test_one_run_with_other_curves_keeps_its_whole_cell_apart(runs: list[StoredRun]) -> None:
    shown = page_of({"old": runs[:8], "new": [other(runs[0]), *map(replace, runs[1:8])]})
    assert [len(cell["runs"]) for cell in shown.data["cells"]] == [8, 8]
    assert "8 runs lie in old and in new, with other curves there" in shown.words


def test_an_address_names_a_run_by_its_folder_where_needed(runs: list[StoredRun]) -> None:
    shown = page_of({"old": runs[:2], "new": [other(runs[0]), *runs[8:9]]})
    digits = [run.spec.digest[:12] for run in (runs[0], runs[1], runs[0], runs[8])]
    assert [run["key"] for run in sorted(shown.data["runs"], key=lambda run: run["folders"])] == [
        f"{digits[0]}-1",
        digits[1],
        f"{digits[2]}-2",
        digits[3],
    ]


def test_one_folder_is_not_told(runs: list[StoredRun]) -> None:
    shown = page_of({"old": runs[:8]})
    assert "folder" not in shown.rows("run")[0]
    assert "folder" not in shown.rows("plateau length, median")[0]
    assert shown.words.count("old") == Page(report(Study(runs[:8]))).words.count("old")
