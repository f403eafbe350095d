"""Every number of a cell is declared once: CSV and JSON have it under its key, and no setting is hidden."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from helpers.hand_made import changed, claiming

from attnsearch.results.cells import Cell
from attnsearch.results.column import Column
from attnsearch.results.columns import columns
from attnsearch.results.long_form import by_cell
from attnsearch.results.study import Study
from attnsearch.results.table import as_csv
from attnsearch.runs.store import StoredRun
from attnsearch.spec.names import facts
from attnsearch.spec.run import MixerSpec, settings


def test_records_hold_every_number_of_a_cell_under_its_own_name(study: Study) -> None:
    first, second = study.by_cell
    assert (first["runs"], first["escaped"], first["escape_rate"]) == (4, 3, 0.75)
    assert first["plateau_length_median"] == 30
    assert first["plateau_length_restricted_mean"] == (20 + 30 + 40 + 80) / 4
    assert first["plateau_length_horizon"] == 80
    assert (first["plateau_length_shortest"], first["plateau_length_longest"]) == (20, 40)
    low, high = first["escape_rate_low"], first["escape_rate_high"]
    assert isinstance(low, float)
    assert isinstance(high, float)
    assert 0 < low < 0.75 < high < 1
    assert (second["escape_rate"], second["plateau_length_median"]) == (0, None)
    assert second["plateau_length_restricted_mean"] == 80
    assert first["attention_mass"] == pytest.approx(study.cells[0].alignment.attention_mass)
    assert (second["attention_mass"], second["map_mass"]) == (None, None)
    for record, cell in zip((first, second), study.cells, strict=True):
        assert {name: record[name] for name in facts(cell.spec)} == facts(cell.spec)


def test_csv_has_the_same_numbers(study: Study) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(list(study.by_cell)))))
    for row, record in zip(rows, study.by_cell, strict=True):
        assert row == {name: "" if value is None else str(value) for name, value in record.items()}


def test_a_column_of_ones_own_is_in_records(study: Study) -> None:
    mine: Column[Cell] = Column("mine", "mine", lambda cell: cell.bits / 2)
    found = by_cell(study.cells, study.names, mine)
    assert [record["mine"] for record in found] == [cell.bits / 2 for cell in study.cells]


def test_every_column_is_declared_once(study: Study) -> None:
    keys = [column.key for column in columns(study.cells)]
    assert len(keys) == len(set(keys))
    assert all(record.keys() >= set(keys) for record in study.by_cell)


def test_no_number_hides_a_setting(runs: list[StoredRun]) -> None:
    mixer = MixerSpec("mine", settings({"entropy": 0.5, "runs": 3}))
    (record,) = Study([changed(run, mixer=mixer) for run in runs[:4]]).by_cell
    assert (record["setting.entropy"], record["setting.runs"], record["runs"]) == (0.5, 3, 4)


def test_losses_of_states_have_columns_where_they_are_known(runs: list[StoredRun]) -> None:
    gaining = Study([claiming(run, state_loss=np.array([0.75, 0.5])) for run in runs])
    first, second = gaining.by_cell
    assert (first["in_context_gain"], first["state_loss_1"], first["state_loss_2"]) == (0.25, 0.75, 0.5)
    # None of the second cell's runs escaped.
    assert second["in_context_gain"] is None
    escaped, never = csv.DictReader(io.StringIO(as_csv([first, second])))
    assert (escaped["state_loss_2"], never["state_loss_2"]) == ("0.5", "")
    assert "state_loss_1" not in next(iter(Study(runs).by_cell))
