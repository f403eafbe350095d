"""Numbers in long form: every kind of row, as rows, frames and Parquet, and what each column is."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import polars
import pyarrow.parquet as parquet
import pytest
from helpers.complaint import message
from helpers.hand_made import changed, run_of, spec_of

from attnsearch.base import Updates
from attnsearch.results.dictionary import DICTIONARY
from attnsearch.results.records import Records
from attnsearch.results.study import Study
from attnsearch.runs.store import StoredRun
from attnsearch.spec.names import facts
from attnsearch.spec.run import MixerSpec, settings

KINDS = ("by_cell", "by_run", "by_target", "by_point", "by_signal")


@pytest.fixture(scope="module")
def runs() -> list[StoredRun]:
    """Two cells: one run masters, one does not escape, one diverges."""
    return [
        run_of(spec_of(seed=0, steps=200), [100, 110, 120, 130], heads=2),
        run_of(spec_of(seed=1, steps=200), [None] * 4, heads=2),
        run_of(spec_of("mlp_mixer", 0, steps=200), [None] * 4, diverges=100),
    ]


@pytest.fixture(scope="module")
def study(runs: list[StoredRun]) -> Study:
    return Study(runs)


def records(study: Study, kind: str) -> Records:
    return getattr(study, kind)


def test_there_is_a_row_for_each_cell_run_target_and_point(study: Study) -> None:
    points = sum(run.curves.loss.size for run in study.runs)
    assert [len(list(records(study, kind))) for kind in KINDS] == [2, 3, 12, points, 0]


def test_a_run_says_what_it_came_to(study: Study) -> None:
    mastered, never, diverged = study.by_run
    assert (mastered["status"], mastered["escaped"], mastered["plateau_length"]) == ("mastered", True, 100)
    assert (mastered["mastered"], mastered["mastery_step"], mastered["targets_found"]) == (True, 130, 4)
    assert (never["status"], never["escaped"], never["plateau_length"]) == ("exhausted", False, 200)
    # It counts as in its cell: still waiting when its budget ends.
    assert (diverged["steps_trained"], diverged["plateau_length"], diverged["target_loss"]) == (
        100,
        200,
        None,
    )
    for row, run in zip((mastered, never, diverged), study.runs, strict=True):
        assert row["run"] == str(row["digest"])[:16] == run.spec.digest[:16]
        assert {name: row[name] for name in facts(run.spec.cell)} == facts(run.spec.cell)


def test_a_target_says_when_it_was_found(study: Study) -> None:
    rows = [row for row in study.by_target if row["run"] == study.runs[0].spec.digest[:16]]
    assert [(row["target"], row["position"]) for row in rows] == [(n, 4 + n) for n in range(4)]
    assert [row["found_step"] for row in rows] == [100, 110, 120, 130]
    assert [row["map_mass"] for row in rows] == pytest.approx(study.runs[0].maps.mass[-1])


def test_points_are_the_curves(study: Study) -> None:
    frame = study.by_point.to_pandas()
    for run in study.runs:
        own = frame[frame["run"] == run.spec.digest[:16]].pivot(index="step", columns="query", values="loss")
        assert own.index.tolist() == run.curves.step.tolist()
        np.testing.assert_array_equal(own.to_numpy(), run.curves.loss)
    # Rows hold no value where a loss is not a number.
    last = [row["loss"] for row in study.by_point][-1]
    assert last is None
    assert math.isnan(frame["loss"].iloc[-1])


def test_points_have_the_norm_of_updates_where_it_was_recorded(study: Study) -> None:
    first, second = study.runs[:2]
    norm = np.linspace(1, 2, len(first.curves.step), dtype=np.float32)
    moved = replace(first, updates=Updates(first.curves.step, norm))
    rows = list(Study([moved, second]).by_point)
    told = {row["step"]: row["update_norm"] for row in rows if row["run"] == moved.digest[:16]}
    assert list(told.values()) == norm.tolist()
    assert {row["update_norm"] for row in rows if row["run"] == second.digest[:16]} == {None}


def test_points_come_a_run_at_a_time(study: Study) -> None:
    empty, *parts = study.by_point.batches()
    assert len(empty["loss"]) == 0
    assert [len(part["loss"]) for part in parts] == [run.curves.loss.size for run in study.runs]


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_frames_and_files_say_what_rows_say(study: Study, kind: str, tmp_path: Path) -> None:
    found = records(study, kind)
    rows = list(found)
    keys = [column.key for column in found.columns]
    pandas_frame, polars_frame = found.to_pandas(), found.to_polars()
    assert isinstance(pandas_frame, pandas.DataFrame)
    assert isinstance(polars_frame, polars.DataFrame)
    found.write_parquet(tmp_path / "rows.parquet")
    kept = parquet.read_table(tmp_path / "rows.parquet")
    assert list(pandas_frame) == polars_frame.columns == kept.column_names == list(rows[0]) == keys
    for key in keys:
        expected = [row[key] for row in rows]
        texts = any(isinstance(value, str) for value in expected)
        for values in (pandas_frame[key].tolist(), polars_frame[key].to_list(), kept[key].to_pylist()):
            told = [None if value is None or value != value else value for value in values]
            assert told == expected if texts else told == pytest.approx(expected), key
    for field, column in zip(kept.schema, found.columns, strict=True):
        assert field.metadata == {b"unit": column.unit.encode(), b"definition": column.definition.encode()}


def test_a_setting_that_is_a_word_here_and_a_number_there_is_text(runs: list[StoredRun]) -> None:
    mixers = [MixerSpec("mine", settings({"gain": gain})) for gain in ("all", 2, None)]
    frame = Study([changed(runs[0], mixer=mixer) for mixer in mixers]).by_cell.to_polars()
    assert frame["gain"].to_list() == ["all", "2", None]


def test_a_study_without_runs_has_no_rows(tmp_path: Path) -> None:
    for kind in KINDS:
        found = records(Study([]), kind)
        assert list(found) == []
        found.write_parquet(tmp_path / "none.parquet")
        assert found.to_pandas().empty
        assert parquet.read_table(tmp_path / "none.parquet").num_rows == 0


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_a_library_that_is_missing_is_named(
    study: Study, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    calls = {
        "pandas": study.by_run.to_pandas,
        "polars": study.by_run.to_polars,
        "pyarrow": lambda: study.by_run.write_parquet(tmp_path / "runs.parquet"),
    }
    assert f"{library} is not installed: pip install {library}" in message(calls[library])


@pytest.mark.parametrize("kind", KINDS)
def test_every_column_has_a_definition(study: Study, kind: str) -> None:
    found = records(study, kind).columns
    assert len({column.key for column in found}) == len(found)
    assert set(DICTIONARY[kind.removeprefix("by_")]) <= set(found)
    for column in found:
        assert column.definition.endswith("."), column
        assert column.unit in {
            "",
            "steps",
            "bits",
            "nats",
            "share",
            "ratio",
            "runs",
            "targets",
            "distance",
            "hops",
            "pairs",
            "correlation",
        }, column
    # Numbers that are measured have a unit; settings say theirs in words.
    rows = list(records(study, kind))
    for column in DICTIONARY[kind.removeprefix("by_")]:
        if any(isinstance(row[column.key], float) for row in rows):
            assert column.unit, column
