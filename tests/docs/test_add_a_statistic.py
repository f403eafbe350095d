"""docs/add-a-statistic.md does what it says: a function and a column are in CSV, JSON and a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import made_runs
from helpers.hand_made import run_of, spec_of
from helpers.pages import Page, status_of

from attnsearch.base import Plateaus
from attnsearch.results import columns
from attnsearch.results.column import Column
from attnsearch.results.dictionary import DICTIONARY
from attnsearch.results.long_form import described
from attnsearch.results.study import Study
from attnsearch.results.tables import cell_table

PAGE = Page("add-a-statistic.md")
FUNCTION, COLUMN = PAGE.code("python")


@pytest.fixture
def mine() -> dict[str, Any]:
    """What the page defines."""
    namespace: dict[str, Any] = {"Column": Column}
    exec(compile(FUNCTION, PAGE.name, "exec"), namespace)
    namespace["column"] = eval(compile(COLUMN.strip(), PAGE.name, "eval"), namespace)
    return namespace


def test_the_function_is_right(mine: dict[str, Any]) -> None:
    waiting = Plateaus(np.array([100, 200, 300, 400]), np.array([True, True, False, True]))
    # Two of four have ended at 250; the third is lost from sight, so that the last takes what is left.
    assert [mine["ended_by"](waiting, step) for step in (50, 250, 400)] == [0.0, 0.5, 1.0]


def test_the_column_is_everywhere(
    mine: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    column = mine["column"]
    # The dictionary of what ships is made before there is one more.
    assert column.key not in {one.key for one in DICTIONARY["cell"]}
    monkeypatch.setattr(columns, "COLUMNS", (*columns.COLUMNS, column))
    runs = [run_of(spec_of(seed=seed), [100] * 4) for seed in range(3)]
    folder = made_runs.stored(tmp_path / "results", runs)
    for form in ("csv", "json"):
        assert status_of(["results", str(folder), "--format", form]) == 0
        assert column.key in capsys.readouterr().out
    table = cell_table(Study(runs), "Mine", [], column)
    assert column.heading in table.columns
    assert {row[-1] for row in table.rows} == {"100%"}
    assert described(column).definition.startswith("Share of the runs that had escaped")
    assert json.dumps(next(iter(Study(runs).by_cell))[column.key]) == "1.0"
