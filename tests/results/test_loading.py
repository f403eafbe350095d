"""`attnsearch.load`: stored runs as a study, without jax and without a callback; damaged ones are listed."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import made_runs
from helpers.complaint import message
from helpers.hand_made import run_of, spec_of

import attnsearch


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two cells of two runs each."""
    runs = [run_of(spec_of(seed=n, support_size=s), [100] * 4) for s in (1, 2) for n in range(2)]
    return made_runs.stored(tmp_path / "results", runs)


def test_a_folder_is_a_study(folder: Path) -> None:
    study = attnsearch.load(folder)
    assert (len(study.runs), len(study.cells), study.unreadable) == (4, 2, ())
    assert [row["plateau_length"] for row in study.by_run] == [100] * 4
    # The records that ship are found.
    assert study.verified == ("attention is verified on linear_map at width 128",)
    assert {row["verification"] for row in study.by_run} == {"verified"}


def test_several_names_are_one_study_and_each_run_counts_once(folder: Path) -> None:
    one = next(iter((folder / "runs").iterdir()))
    assert len(attnsearch.load(str(folder), one).runs) == 4
    assert len(attnsearch.load(one).runs) == 1


def test_a_damaged_run_is_listed_and_left_out(folder: Path) -> None:
    damaged, *_ = sorted((folder / "runs").iterdir())
    (damaged / "curves.npz").write_bytes(b"no archive")
    before = sorted(path.name for path in folder.rglob("*"))
    study = attnsearch.load(folder)
    assert len(study.runs) == 3
    (line,) = study.unreadable
    assert str(damaged / "curves.npz") in line
    # Reading changes nothing.
    assert sorted(path.name for path in folder.rglob("*")) == before


def test_a_name_that_stands_for_nothing_is_an_error(tmp_path: Path) -> None:
    assert "nowhere" in message(lambda: attnsearch.load(tmp_path / "nowhere"))
