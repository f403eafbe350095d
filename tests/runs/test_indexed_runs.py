"""A store with an index: the same answers, whatever happens to the folders or to the index."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import made_runs
from helpers.hand_made import run_of, spec_of
from helpers.stored import assert_same, make_run, unexpected

from attnsearch.results.study import Study
from attnsearch.runs import opened
from attnsearch.runs.digests import digest, digests
from attnsearch.runs.index import FILE
from attnsearch.runs.opened import opener
from attnsearch.runs.store import Store, StoredRun


@pytest.fixture
def runs() -> list[StoredRun]:
    """Runs that escape, do not master, and diverge; with heads, and of two mixers."""
    return [
        *(run_of(spec_of(seed=seed), [100, 110, 120, 150 + 10 * seed], heads=2) for seed in range(4)),
        run_of(spec_of(seed=4), [100, 110, None, None], heads=2),
        run_of(spec_of(seed=5), [None] * 4, diverges=200, heads=2),
        *(run_of(spec_of("mlp_mixer", seed), [80, 90, 100, None]) for seed in range(2)),
    ]


@pytest.fixture
def root(tmp_path: Path, runs: list[StoredRun]) -> Path:
    """A store with an index of all of its runs."""
    root = made_runs.stored(tmp_path / "results", runs)
    read(root)
    assert kept(root) == len(runs)
    return root


def read(root: Path) -> list[StoredRun]:
    """The runs, and an index of them is made."""
    return list(Store(root).runs(unexpected, opener(worthwhile=1)))


def kept(root: Path) -> int:
    with sqlite3.connect(root / FILE) as connection:
        ((rows,),) = connection.execute("SELECT count(*) FROM runs")
    connection.close()
    return rows


@pytest.fixture
def opens(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders of runs whose files are read from here on."""
    seen: list[Path] = []
    question = opened.question

    def asked(folder: Path) -> dict[str, object]:
        seen.append(folder)
        return question(folder)

    monkeypatch.setattr(opened, "question", asked)
    return seen


def said(runs: list[StoredRun]) -> tuple[object, ...]:
    """What commands say of runs."""
    study = Study(runs)
    return list(study.by_cell), list(study.by_run), study.warnings, [str(law.law) for law in study.laws]


def test_many_digests_are_the_digests_of_runs() -> None:
    specs = [spec_of(mixer, seed) for mixer in ("attention", "mlp_mixer") for seed in (0, 1, 2**31 - 1)]
    specs += [replace(spec, rule_seed=7) for spec in specs] + [make_run(3).spec]
    assert list(digests(specs)) == [spec.digest for spec in specs] == list(map(digest, specs))


def test_answers_are_the_same_with_and_without_an_index(root: Path, opens: list[Path]) -> None:
    found = read(root)
    assert opens == []
    with_index = said(found)
    shutil.copytree(root / "runs", root.parent / "other" / "runs")
    assert with_index == said(list(Store(root.parent / "other").runs(unexpected)))


def test_an_indexed_run_is_the_stored_one(root: Path, runs: list[StoredRun]) -> None:
    known = {run.spec: run for run in runs}
    for found in read(root):
        assert_same(found, known[found.spec])
