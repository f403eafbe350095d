"""Runs whose arrays stay on the disk: the same numbers, little memory, and damage told when it is met."""

from __future__ import annotations

import gc
import zipfile
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import made_runs
from helpers.hand_made import run_of, spec_of
from helpers.stored import assert_same, make_run, unexpected

from attnsearch import files
from attnsearch.results.alignment import align
from attnsearch.runs.opened import Kept, Opener, without_collecting
from attnsearch.runs.run_files import UnreadableRun
from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec.run import PlateauRule


@pytest.fixture
def runs() -> list[StoredRun]:
    return [run_of(spec_of(seed=seed), [100, 110, 120, None], heads=2) for seed in range(3)]


@pytest.fixture
def root(tmp_path: Path, runs: list[StoredRun]) -> Path:
    return made_runs.stored(tmp_path / "results", runs)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read from here on, or of the arrays in them that alone are."""
    seen: list[str] = []
    read_whole, unpacked_part = files.read_whole, files.unpacked_part

    def reading(path: Path, most: int = -1) -> bytes:
        seen.append(path.name)
        return read_whole(path, most)

    def reading_part(path: Path, names: Collection[str], part: Collection[str]) -> dict[str, np.ndarray]:
        seen.append(path.name if len(part) == len(names) else f"{path.stem}: {', '.join(part) or 'list'}")
        return unpacked_part(path, names, part)

    monkeypatch.setattr(files, "read_whole", reading)
    monkeypatch.setattr(files, "unpacked_part", reading_part)
    return seen


def opened(root: Path) -> list[StoredRun]:
    return list(Store(root).runs(unexpected, Opener()))


def test_an_opened_run_says_what_a_read_one_says(tmp_path: Path) -> None:
    run = make_run(0)
    (found,) = opened(made_runs.stored(tmp_path, [run]))
    assert_same(found, run)


def test_maps_and_heads_are_read_when_they_are_asked_for(root: Path, reads: list[str]) -> None:
    first, *_ = opened(root)
    assert set(reads) == {"run.json", "truth.npz", "curves.npz", "maps: list", "heads: list"}
    reads.clear()
    assert first.measures.escaped
    assert reads == []
    assert len(first.maps.step)
    assert reads == ["maps.npz"]
    assert first.heads.mass.shape[1] == 2
    assert len(first.maps.step)
    assert reads == ["maps.npz", "heads.npz", "maps: step, mass, later"]


def test_what_was_read_is_kept_up_to_a_size(runs: list[StoredRun]) -> None:
    arrays = runs[0].maps
    kept = Kept(2 * sum(array.nbytes for array in arrays))
    for name in "abc":
        kept.keep(Path(name), "maps", arrays)
        assert kept.find(Path("a"), "maps") is arrays
    # What was asked for last stays.
    assert [kept.find(Path(name), "maps") is arrays for name in "abc"] == [True, False, True]
    assert kept.find(Path("a"), "heads") is None


def test_other_thresholds_leave_arrays_on_the_disk(
    root: Path, runs: list[StoredRun], reads: list[str]
) -> None:
    strict = PlateauRule(escape=0.3)
    found = {run.spec.seed: run.under(strict).measures.to_json(run.maps) for run in opened(root)}
    assert found == {run.spec.seed: run.under(strict).measures.to_json(run.maps) for run in runs}
    assert "heads.npz" not in reads


def test_a_replaced_run_holds_its_arrays(root: Path, runs: list[StoredRun]) -> None:
    first, *_ = opened(root)
    original = next(run for run in runs if run.spec == first.spec)
    made = replace(first, environment={"device": "another"})
    assert made.environment == {"device": "another"}
    np.testing.assert_array_equal(made.heads.weights, original.heads.weights)


@pytest.mark.parametrize("name", ["truth.npz", "curves.npz", "run.json"])
def test_damage_to_what_is_measured_is_told_at_once(root: Path, name: str) -> None:
    (Store(root).folders()[0] / name).write_bytes(b"damaged")
    told: list[str] = []
    assert len(list(Store(root).runs(told.append, Opener()))) == 2
    (line,) = told
    assert name in line


@pytest.mark.parametrize("name", ["maps", "heads"])
def test_a_map_that_was_cut_short_is_told_at_once(root: Path, name: str) -> None:
    file = Store(root).folders()[0] / f"{name}.npz"
    file.write_bytes(file.read_bytes()[:-100])
    told: list[str] = []
    assert len(list(Store(root).runs(told.append, Opener()))) == 2
    (line,) = told
    assert str(file) in line


@pytest.mark.parametrize(
    ("name", "array", "part"), [("maps", "mass", "map_mass"), ("heads", "weights", "heads")]
)
def test_damage_to_a_map_is_told_when_it_is_asked_for(root: Path, name: str, array: str, part: str) -> None:
    folder, *_ = Store(root).folders()
    file = folder / f"{name}.npz"
    content = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        member = archive.getinfo(f"{array}.npy")
    content[member.header_offset + len(member.filename) + 30 + member.compress_size // 2] ^= 0xFF
    file.write_bytes(content)
    first, *_ = opened(root)
    with pytest.raises(UnreadableRun, match=f"cannot read .*{name}.npz"):
        getattr(first, part)
    # Nobody asks for the weights: what is measured is not in doubt.
    if array == "weights":
        assert len(first.head_mass.mass)


def test_alignment_reads_neither_influence_nor_weights(
    root: Path, runs: list[StoredRun], reads: list[str]
) -> None:
    found, known = opened(root), {run.spec.digest: run for run in runs}
    reads.clear()
    assert align(found) == align([known[run.spec.digest] for run in found])
    assert set(reads) == {"maps: step, mass, later", "heads: mass, entropy"}


def test_maps_of_another_run_are_told(root: Path, tmp_path: Path) -> None:
    larger = run_of(spec_of(state_size=8), [100] * 8)
    other = made_runs.stored(tmp_path / "other", [larger]) / "runs" / larger.spec.digest
    (Store(root).folders()[0] / "maps.npz").write_bytes((other / "maps.npz").read_bytes())
    first, *_ = opened(root)
    with pytest.raises(UnreadableRun, match="but K = 4"):
        _ = first.maps


def test_an_attribute_that_a_run_does_not_have_is_an_error(root: Path) -> None:
    first, *_ = opened(root)
    with pytest.raises(AttributeError, match="nothing"):
        _ = first.nothing  # pyright: ignore[reportAttributeAccessIssue]


def test_the_collector_of_cycles_is_as_it_was_once_runs_are_read() -> None:
    def fail() -> None:
        with without_collecting():
            assert not gc.isenabled()
            raise KeyError

    collects = gc.isenabled()
    try:
        for before in (True, False):
            (gc.enable if before else gc.disable)()
            with pytest.raises(KeyError):
                fail()
            assert gc.isenabled() == before
    finally:
        (gc.enable if collects else gc.disable)()
