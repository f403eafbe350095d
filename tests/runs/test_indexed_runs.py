"""A store with an index: the same answers, whatever happens to the folders or to the index."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import made_runs
from helpers.hand_made import run_of, spec_of
from helpers.stored import assert_same, make_run, read_indexed, unexpected

from attnsearch.results.study import Study
from attnsearch.runs.claims import SharedRuns
from attnsearch.runs.digests import digest, digests
from attnsearch.runs.index import FILE
from attnsearch.runs.leftovers import leftovers
from attnsearch.runs.opened import Opener
from attnsearch.runs.run_files import UnreadableRun
from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec.run import PlateauRule


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
    read_indexed(root)
    assert kept(root) == len(runs)
    return root


def kept(root: Path) -> int:
    with sqlite3.connect(root / FILE) as connection:
        ((rows,),) = connection.execute("SELECT count(*) FROM runs")
    connection.close()
    return rows


def said(runs: list[StoredRun]) -> tuple[object, ...]:
    """What commands say of runs."""
    study = Study(runs)
    return list(study.by_cell), list(study.by_run), study.warnings, [str(law.law) for law in study.laws]


def test_rows_of_removed_runs_go_with_the_leftovers(root: Path, runs: list[StoredRun]) -> None:
    for run in runs[:3]:
        shutil.rmtree(Store(root).path(run.spec))
    read_indexed(root)
    assert kept(root) == len(runs)
    assert leftovers(root) == []
    assert kept(root) == len(runs) - 3
    read_indexed(root)
    assert kept(root) == len(runs) - 3
    for run in runs[3:]:
        shutil.rmtree(Store(root).path(run.spec))
    assert leftovers(root) == []
    assert kept(root) == 0


def test_many_digests_are_the_digests_of_runs() -> None:
    specs = [spec_of(mixer, seed) for mixer in ("attention", "mlp_mixer") for seed in (0, 1, 2**31 - 1)]
    specs += [replace(spec, rule_seed=7) for spec in specs] + [make_run(3).spec]
    assert list(digests(specs)) == [spec.digest for spec in specs] == list(map(digest, specs))


def test_answers_are_the_same_with_and_without_an_index(root: Path, opens: list[Path]) -> None:
    found = read_indexed(root)
    assert opens == []
    with_index = said(found)
    shutil.copytree(root / "runs", root.parent / "other" / "runs")
    assert with_index == said(list(Store(root.parent / "other").runs(unexpected)))


def test_an_indexed_run_is_the_stored_one(root: Path, runs: list[StoredRun]) -> None:
    known = {run.spec: run for run in runs}
    for found in read_indexed(root):
        assert_same(found, known[found.spec])


def test_a_store_of_few_runs_has_no_index(tmp_path: Path, runs: list[StoredRun]) -> None:
    root = made_runs.stored(tmp_path, runs)
    assert len(list(Store(root).runs(unexpected, Opener()))) == len(runs)
    assert not (root / FILE).exists()


def test_a_run_that_is_stored_is_in_the_index_at_once(root: Path, opens: list[Path]) -> None:
    Store(root).save(run_of(spec_of(seed=9), [100, 110, 120, 130]))
    assert [run.spec.seed for run in read_indexed(root)].count(9) == 1
    assert opens == []


def test_a_folder_that_came_behind_its_back_is_read_and_put_in(
    root: Path, tmp_path: Path, opens: list[Path]
) -> None:
    run = run_of(spec_of(seed=9), [100, 110, 120, 130])
    folder = Store(made_runs.stored(tmp_path / "elsewhere", [run])).path(run.spec)
    place = root / "runs" / folder.name
    shutil.copytree(folder, place)
    assert run.spec in {found.spec for found in read_indexed(root)}
    assert opens == [place]
    read_indexed(root)
    assert opens == [place]


def test_a_folder_that_went_is_gone(root: Path, runs: list[StoredRun]) -> None:
    shutil.rmtree(Store(root).path(runs[0].spec))
    assert {found.spec for found in read_indexed(root)} == {run.spec for run in runs[1:]}


def test_a_folder_that_was_changed_is_read_again(root: Path, runs: list[StoredRun], tmp_path: Path) -> None:
    changed = replace(run_of(spec_of(seed=0), [200, 210, 220, 230]), spec=runs[0].spec)
    there = Store(made_runs.stored(tmp_path / "elsewhere", [changed])).path(changed.spec)
    for file in there.iterdir():
        shutil.copyfile(file, Store(root).path(changed.spec) / file.name)
    for _ in range(2):
        (found,) = (run for run in read_indexed(root) if run.spec == changed.spec)
        assert found.measures.plateau_length == changed.measures.plateau_length


def test_damage_to_a_run_is_told_though_the_index_knows_it(root: Path, runs: list[StoredRun]) -> None:
    file = Store(root).path(runs[0].spec) / "curves.npz"
    file.write_bytes(file.read_bytes()[:-9])
    told: list[str] = []
    assert len(list(Store(root).runs(told.append, Opener(1)))) == len(runs) - 1
    (line,) = told
    assert str(file) in line


def test_a_damaged_map_keeps_a_run_out_of_the_index_alone(root: Path, runs: list[StoredRun]) -> None:
    file = Store(root).path(runs[0].spec) / "maps.npz"
    content = bytearray(file.read_bytes())
    content[60:80] = bytes(20)
    file.write_bytes(content)
    (found,) = (run for run in read_indexed(root) if run.spec == runs[0].spec)
    assert found.measures.plateau_length == runs[0].measures.plateau_length
    with pytest.raises(UnreadableRun, match=r"maps\.npz"):
        _ = found.map_summary


# What a sweep asks before it trains.


def test_a_sweep_finds_indexed_runs_without_reading_them(
    root: Path, runs: list[StoredRun], opens: list[Path]
) -> None:
    strict = PlateauRule(escape=0.3)
    asked = [runs[1].spec, runs[0].under(strict).spec, spec_of(seed=9)]
    found = SharedRuns(Store(root), unexpected).find_all(asked)
    assert list(found) == asked[:2]
    assert opens == []
    for spec, run in zip(asked, [runs[1], runs[0].under(strict)], strict=False):
        assert_same(found[spec], run)


def test_a_sweep_sets_a_damaged_run_aside(root: Path, runs: list[StoredRun]) -> None:
    (Store(root).path(runs[0].spec) / "run.json").write_text("{")
    told: list[str] = []
    found = SharedRuns(Store(root), told.append).find_all([run.spec for run in runs])
    assert set(found) == {run.spec for run in runs[1:]}
    assert "to be trained again" in told[0]


def test_which_runs_are_held_is_asked_of_names_alone(root: Path, runs: list[StoredRun]) -> None:
    asked = [*(run.spec for run in runs), spec_of(seed=9)]
    assert Store(root).held(asked) == {run.spec for run in runs}
