"""A study says everything once: whoever asks, each number is computed one time at most."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from helpers.hand_made import run_of, spec_of

import attnsearch
from attnsearch.cli.report import report as report_command
from attnsearch.plots import gallery
from attnsearch.report.report import report
from attnsearch.results import cells as cells_module
from attnsearch.results import study as study_module
from attnsearch.results.document import document, law_document
from attnsearch.results.study import Study
from attnsearch.results.tables import tables, trained_table
from attnsearch.runs.store import Store, StoredRun

ONCE = {
    study_module: ("cells", "Names", "series", "growths", "comparisons", "warnings"),
    cells_module: ("align", "target_spread"),
}
"""What makes the parts of a study, and of a cell."""


@pytest.fixture(scope="module")
def runs() -> list[StoredRun]:
    """Two sizes of two mixers, each cell of two runs."""
    return [
        run_of(spec_of(mixer, seed, support_size=support), [pace + 10 * seed] * 4)
        for support in (1, 2)
        for mixer, pace in (("attention", 100), ("mlp_mixer", 200))
        for seed in range(2)
    ]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each part is made from here on."""
    counts: Counter[str] = Counter()

    def counting(name: str, made: Callable[..., Any]) -> Callable[..., Any]:
        def count(*arguments: Any) -> Any:
            counts[name] += 1
            return made(*arguments)

        return count

    for module, names in ONCE.items():
        for name in names:
            monkeypatch.setattr(module, name, counting(name, getattr(module, name)))
    return counts


def test_a_report_computes_everything_once(
    tmp_path: Path, runs: list[StoredRun], calls: Counter[str]
) -> None:
    store = Store.open(tmp_path / "results")
    for run in runs:
        store.save(run)
    output = str(tmp_path / "page.html")
    done = CliRunner().invoke(report_command, [str(store.root), "-o", output], catch_exceptions=False)
    assert done.exit_code == 0
    parts = dict.fromkeys(ONCE[study_module], 1)
    assert calls == {**parts, "align": 4}


def test_all_that_read_one_study_share_its_numbers(
    tmp_path: Path, runs: list[StoredRun], calls: Counter[str]
) -> None:
    study = Study(runs)
    trained_table(study)
    tables(study)
    list(study.by_cell)
    json.dumps([document(study, "results", []), law_document(study, study.laws)], allow_nan=False)
    report(study)
    gallery.draw(study, tmp_path)
    assert max(calls[name] for name in ONCE[study_module]) == 1
    assert max(calls[name] for name in ONCE[cells_module]) == 4


def test_nothing_is_computed_before_it_is_asked_for(runs: list[StoredRun], calls: Counter[str]) -> None:
    assert len(Study(runs).cells) == 4
    assert calls == {"cells": 1}


def test_it_is_the_face_of_results_in_python(runs: list[StoredRun]) -> None:
    study = attnsearch.Study(runs)
    assert [cell.plateau.median for cell in study.cells] == [100, 200, 100, 200]
    assert [(one.name, len(one.cells)) for one in study.series] == [("attention", 2), ("mlp_mixer", 2)]
    assert [law.title for law in study.laws] == ["linear_map, attention", "linear_map, mlp_mixer"]
    assert any("too few" in line for line in study.warnings)
    assert study.name(study.cells[1]) == "support size 1; mlp_mixer"


def test_a_study_of_no_runs_says_nothing() -> None:
    study = Study([])
    assert (study.cells, study.series, study.laws, study.warnings, study.comparisons) == ((), (), (), (), ())
    assert list(study.by_cell) == []
    assert [table.rows for table in tables(study)] == [()] * 3


def test_no_cell_vanishes_where_numbers_print_alike(runs: list[StoredRun]) -> None:
    def at(run: StoredRun, rate: float) -> StoredRun:
        optimizer = replace(run.spec.cell.optimizer, learning_rate=rate)
        return replace(run, spec=replace(run.spec, cell=replace(run.spec.cell, optimizer=optimizer)))

    study = Study([at(run, rate) for rate in (1e-3, 1.0000001e-3) for run in runs])
    assert len(study.cells) == 8
    assert sum(len(one.cells) for one in study.series) == 8
    assert [one.name for one in study.series] == [
        "attention, learning rate 0.001",
        "mlp_mixer, learning rate 0.001",
        "attention, learning rate 0.0010000001",
        "mlp_mixer, learning rate 0.0010000001",
    ]
    assert len(study.laws) == len({law.title for law in study.laws}) == 4
    assert len({study.name(cell) for cell in study.cells}) == 8
    texts = trained_table(study).rows
    assert len({row[: len(study.names.telling)] for row in texts}) == 8


def test_mixers_are_compared_with_attention_and_p_values_are_adjusted(runs: list[StoredRun]) -> None:
    found = Study(runs[::-1]).comparisons
    assert [(one.candidate.spec.mixer.name, one.reference.spec.mixer.name) for one in found] == [
        ("mlp_mixer", "attention")
    ] * 2
    assert all(one.p_value >= one.comparison.p_value for one in found)
    assert Study(runs[:2]).comparisons == ()
