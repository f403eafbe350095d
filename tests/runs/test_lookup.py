"""Which stored runs a name on the command line stands for."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.maps import no_maps

from attnsearch.base import AttnsearchError, Curves, Heads, Truth
from attnsearch.runs.lookup import collect, collect_by_folder, folder_of
from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec.run import PlateauRule, RunSpec, settings


def unexpected(line: str) -> None:
    pytest.fail(f"told: {line}")


def run_of(spec: RunSpec, truth: Truth, seed: int, size: int) -> StoredRun:
    task = replace(spec.cell.task, knobs=settings({**dict(spec.cell.task.knobs), "state_size": size}))
    loss = np.array([[1, 1, 1], [1, 0.6, 0.6]], np.float32)
    maps = no_maps(np.zeros(1, np.int32), 2, 4)
    return StoredRun(
        RunSpec(replace(spec.cell, task=task), seed, 0),
        "exhausted",
        {},
        truth,
        Curves(np.array([10, 20]), loss, loss),
        maps,
        Heads.none(maps),
    )


@pytest.fixture
def folder(spec: RunSpec, truth: Truth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store in `results`, where the tests are: sizes 10 and 9, seeds 1 and 0."""
    monkeypatch.chdir(tmp_path)
    store = Store.open(tmp_path / "results")
    for size in (10, 9):
        for seed in (1, 0):
            store.save(run_of(spec, truth, seed, size))
    return tmp_path / "results"


def test_other_curves_of_the_same_runs_are_told(folder: Path, spec: RunSpec, truth: Truth) -> None:
    copied, other = folder.with_name("copied"), Store.open(folder.with_name("other"))
    shutil.copytree(folder, copied)
    for seed in (0, 1, 2):
        run = run_of(spec, truth, seed, 9)
        other.save(replace(run, curves=run.curves._replace(loss=run.curves.loss * np.float32(0.5))))
    told: list[str] = []
    found = collect(["results", str(copied), str(other.root)], told.append)
    assert order(found) == [(9, 0), (9, 1), (10, 0), (10, 1), (9, 2)]
    # The copies are not worth a word.
    assert told == [
        f"2 of the runs in {other.root} have other curves than in results, which count here:"
        f" `attnsearch compare results {other.root}` compares them"
    ]
    assert found[0].curves.loss[0, 0] == 1


def order(runs: list[StoredRun]) -> list[tuple[object, int]]:
    return [(dict(run.spec.cell.task.knobs)["state_size"], run.spec.seed) for run in runs]


def test_a_folder_stands_for_its_runs_in_the_order_of_settings(folder: Path) -> None:
    expected = [(9, 0), (9, 1), (10, 0), (10, 1)]
    assert order(collect(["results"], unexpected)) == expected
    assert order(collect([str(folder / "runs")], unexpected)) == expected


def test_runs_are_measured_when_they_are_collected(folder: Path) -> None:
    run = collect(["results"], unexpected)[0]
    assert run.measures.plateau_length == 20
    assert run.spec.cell.task.plateau == PlateauRule()


def test_single_runs_by_folder_and_by_the_first_digits(folder: Path) -> None:
    run = collect(["results"], unexpected)[2]
    digest = run.spec.digest
    assert order(collect([str(folder / "runs" / digest)], unexpected)) == [(10, 0)]
    assert order(collect([digest[:8]], unexpected)) == [(10, 0)]
    # However often it is named.
    assert order(collect([digest, digest[:8], "results"], unexpected)) == [(10, 0), (9, 0), (9, 1), (10, 1)]


def test_runs_by_the_folder_that_they_lie_in(
    folder: Path, spec: RunSpec, truth: Truth, tmp_path: Path
) -> None:
    other = Store.open(tmp_path / "other")
    for seed in (1, 2):
        other.save(run_of(spec, truth, seed, 9))
    digest = collect(["results"], unexpected)[0].spec.digest
    found = collect_by_folder(["other/", digest, str(folder), "results/runs"], unexpected)
    assert {name: order(runs) for name, runs in found.items()} == {
        "other": [(9, 1), (9, 2)],
        # Each run once, by whichever names.
        "results": [(9, 0), (9, 1), (10, 0), (10, 1)],
    }
    # A run of two folders is there once where folders do not matter.
    assert order(collect(["other", "results"], unexpected)) == [(9, 1), (9, 2), (9, 0), (10, 0), (10, 1)]


def test_one_run_by_its_folder_by_digits_and_by_a_store_that_holds_no_other(
    spec: RunSpec, truth: Truth, tmp_path: Path
) -> None:
    store = Store.open(tmp_path / "one")
    with pytest.raises(AttnsearchError, match=f"no stored run in {store.root}$"):
        folder_of(str(store.root))
    runs = [run_of(spec, truth, seed, 2) for seed in range(7)]
    store.save(runs[0])
    first = store.path(runs[0].spec)
    first.with_name(f".claim-{first.name}").touch()
    for name in (store.root, store.root / "runs", first):
        assert folder_of(str(name)) == first
    (tmp_path / "link").symlink_to(first)
    assert folder_of(str(tmp_path / "link")) == first
    for run in runs[1:]:
        store.save(run)
    for run in runs:
        assert folder_of(run.spec.digest[:8], store.root) == store.path(run.spec)
    with pytest.raises(
        AttnsearchError, match=rf"stands for 7 runs \(.* and 2 more\): give .*{store.root}/runs"
    ):
        folder_of(str(store.root))
    with pytest.raises(AttnsearchError, match=f"no stored run in {store.root} begins with 0123abcd"):
        folder_of("0123abcd", store.root)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "nowhere does not stand for stored runs: give a folder that was given as"),
        ("00000000", "no stored run in results begins with 00000000"),
        ("empty", "empty does not stand for stored runs"),
    ],
)
def test_a_name_that_stands_for_nothing(folder: Path, name: str, message: str) -> None:
    (folder.parent / "empty").mkdir()
    with pytest.raises(AttnsearchError, match=message):
        collect([name], unexpected)


def test_a_store_without_runs(tmp_path: Path) -> None:
    Store.open(tmp_path)
    with pytest.raises(AttnsearchError, match="`attnsearch run` and `sweep` make them"):
        collect([str(tmp_path)], unexpected)


def test_damaged_runs_are_told_and_left_out(folder: Path) -> None:
    damaged = collect(["results"], unexpected)[0]
    path = folder / "runs" / damaged.spec.digest
    (path / "curves.npz").write_bytes(b"")
    told: list[str] = []
    assert len(collect(["results"], told.append)) == 3
    assert len(told) == 1
    with pytest.raises(AttnsearchError, match=r"cannot read .*curves\.npz"):
        collect([str(path)], unexpected)
    shutil.rmtree(path)
    assert len(collect(["results"], unexpected)) == 3
