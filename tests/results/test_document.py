"""A study as JSON: strict, every number once, under the keys of the columns."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from attnsearch.results.columns import COLUMNS
from attnsearch.results.document import document
from attnsearch.results.study import Study
from attnsearch.runs.store import StoredRun
from attnsearch.spec.names import facts
from attnsearch.spec.run import RunSpec

MakeRun = Callable[..., StoredRun]


def test_the_document_is_strict_json_with_each_number_once(make_run: MakeRun) -> None:
    runs = [
        make_run(0),
        make_run(1, escape=None, mastery=None, found=(200, None)),
        make_run(2, diverged=True, escape=None, mastery=None, found=(None, None)),
    ]
    study = Study([*runs, make_run(3, diverged=True, escape=None, mastery=None, state_size=4)])
    text = json.dumps(document(study, "results", ["a.png"]), allow_nan=False)
    found: dict[str, Any] = json.loads(text)
    assert (found["store"], found["pictures"]) == ("results", ["a.png"])
    assert found["warnings"] == list(study.warnings)
    assert found["warnings"]
    first, second = found["cells"]
    for cell in (first, second):
        assert set(cell) == {*facts(study.cells[0].spec), *(column.key for column in COLUMNS)}
        assert not any(isinstance(value, dict | list) for value in cell.values())
    # Every length has its censoring beside it.
    assert (first["runs"], first["escaped"], first["mastered"], first["diverged"]) == (3, 1, 1, 1)
    assert (first["plateau_length_median"], first["plateau_length_shortest"]) == (None, 100)
    assert (first["targets"], first["targets_found"]) == (6, 3)
    assert (second["escaped"], second["plateau_length_median"], second["prediction_loss"]) == (0, None, None)
    # Every setting of a cell is there by its name, and none is hidden by a result.
    for cell, one in zip(found["cells"], study.cells, strict=True):
        assert {name: cell[name] for name in facts(one.spec)} == facts(one.spec)


def test_the_document_holds_every_run(make_run: MakeRun) -> None:
    study = Study([make_run(0), make_run(1, escape=None, mastery=None, found=(200, None))])
    found = json.loads(json.dumps(document(study, "results", []), allow_nan=False))
    assert [run["digest"] for run in found["runs"]] == [run.spec.digest for run in study.runs]
    for run, stored in zip(found["runs"], study.runs, strict=True):
        assert RunSpec.from_json(run["spec"]) == stored.spec
        assert run["status"] == stored.status
        assert run["environment"] == stored.environment
        assert run["measures"] == stored.measures.to_json(stored.maps)
        assert {"escaped", "mastered", "found"} <= set(run["measures"])
        assert run["log2_search_space_of_targets"] == stored.truth.log2_search_space.tolist()
