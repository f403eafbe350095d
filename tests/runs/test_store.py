"""The store: what was saved comes back, and nothing that could not is taken."""

from __future__ import annotations

import errno
import itertools
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from helpers.maps import no_maps
from helpers.stored import FILES, PARAMETERS, assert_same, files, make_run, names, unexpected

from attnsearch.base import AttnsearchError, Curves, Heads
from attnsearch.runs.parameters import FILE as PARAMETER_FILE
from attnsearch.runs.parameters import unpacked
from attnsearch.runs.store import Status, Store, StoredRun, read

FIELDS = ("digest", "environment", "format_version", "measures", "spec", "status")


# What is saved comes back.


@pytest.mark.parametrize("status", get_args(Status))
def test_a_saved_run_comes_back_bit_for_bit(store: Store, status: Status) -> None:
    run = replace(make_run(0), status=status)
    store.save(run)
    assert_same(store.find(run.spec, unexpected), run)
    assert_same(read(store.path(run.spec)), run)
    (listed,) = store.runs(unexpected)
    assert_same(listed, run)
    assert type(dict(listed.spec.cell.task.knobs)["s"]) is float
    assert dict(listed.spec.cell.mixer.settings)["kind"] == "1"


def test_losses_of_a_diverged_run_need_not_be_finite(store: Store) -> None:
    run = replace(make_run(0), status="diverged")
    run.curves.loss[2:] = [[np.nan] * 5, [np.inf] * 5]
    store.save(run)
    assert_same(store.find(run.spec, unexpected), run)


def test_a_run_with_nothing_recorded_comes_back(store: Store) -> None:
    run = make_run(0)
    curves = Curves(run.curves.step[:0], run.curves.loss[:0], run.curves.accuracy[:0])
    heads = Heads(run.heads.weights[:0], run.heads.mass[:0], run.heads.entropy[:0])
    run = replace(run, curves=curves, maps=no_maps(run.maps.step[:0], 3, 7), heads=heads)
    store.save(run)
    assert_same(store.find(run.spec, unexpected), run)


def test_the_order_in_memory_does_not_matter(store: Store) -> None:
    run = make_run(0)
    influence = np.asfortranarray(run.maps.influence)
    loss = np.repeat(run.curves.loss, 2, axis=1)[:, ::2]
    run = replace(run, curves=run.curves._replace(loss=loss), maps=run.maps._replace(influence=influence))
    store.save(run)
    assert_same(store.find(run.spec, unexpected), run)


def test_layout_on_disk(store: Store) -> None:
    run = make_run(0)
    store.save(run)
    folder = store.path(run.spec)
    assert folder == store.root / "runs" / run.spec.digest
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    text = (folder / "run.json").read_text()
    document = json.loads(text)
    assert list(document) == [*FIELDS]
    assert text == json.dumps(document, sort_keys=True, indent=2)
    with np.load(folder / "curves.npz") as archive:
        assert sorted(archive.files) == sorted(Curves._fields)


def test_a_run_without_heads_is_written_as_any_other(store: Store) -> None:
    run = make_run(0)
    run = replace(run, heads=Heads.none(run.maps))
    store.save(run)
    assert sorted(files(store.path(run.spec))) == sorted(FILES)
    assert_same(read(store.path(run.spec)), run)


def test_a_stored_run_is_as_open_to_others_as_any_file(store: Store) -> None:
    store.save(make_run(0))
    plain = store.root / "plain"
    plain.mkdir()
    assert store.path(make_run(0).spec).stat().st_mode == plain.stat().st_mode


def test_an_absent_run_is_not_found(store: Store) -> None:
    store.save(make_run(0))
    assert store.find(make_run(1).spec, unexpected) is None


def test_runs_come_in_the_order_of_their_digests(store: Store) -> None:
    runs = [make_run(seed) for seed in range(5)]
    for run in runs:
        store.save(run)
    digests = [run.spec.digest for run in store.runs(unexpected)]
    assert digests == sorted(run.spec.digest for run in runs)
    assert digests != [run.spec.digest for run in runs]


def test_the_first_of_two_equal_runs_is_kept(store: Store) -> None:
    first = make_run(0)
    store.save(first)
    store.save(replace(first, environment={"another": True}))
    assert_same(store.find(first.spec, unexpected), first)
    assert names(store) == [first.spec.digest]


def test_a_store_that_is_only_read_need_not_be_opened(store: Store) -> None:
    store.save(make_run(0))
    assert [run.spec.seed for run in Store(store.root).runs(unexpected)] == [0]


def test_listing_where_there_is_no_store_says_so(tmp_path: Path) -> None:
    with pytest.raises(AttnsearchError, match=r"no stored runs in .*nowhere: No such file") as caught:
        next(Store(tmp_path / "nowhere").runs(unexpected))
    assert "\n" not in str(caught.value)


# Parameters lie beside a run, and nothing that is read of it depends on them.


def test_parameters_are_stored_with_a_run_and_read_by_those_who_ask(store: Store) -> None:
    run = make_run(0)
    assert not store.holds(run.spec)
    store.save(run, PARAMETERS)
    folder = store.path(run.spec)
    assert store.holds(run.spec)
    assert store.holds(run.spec, parameters=True)
    assert sorted(files(folder)) == sorted([*FILES, PARAMETER_FILE])
    arrays, step = unpacked(folder, run.spec.digest)
    assert step == 40
    assert {name: array.tolist() for name, array in arrays.items()} == {
        name: array.tolist() for name, array in PARAMETERS.items()
    }
    assert_same(store.find(run.spec, unexpected), run)
    # Damage to them is no damage to the run.
    (folder / PARAMETER_FILE).write_bytes(b"")
    assert_same(store.find(run.spec, unexpected), run)


def test_a_run_that_lacks_its_parameters_is_given_them(store: Store) -> None:
    run = make_run(0)
    store.save(run)
    assert store.holds(run.spec)
    assert not store.holds(run.spec, parameters=True)
    before = files(store.path(run.spec))
    store.save(replace(run, environment={"another": True}), PARAMETERS)
    after = files(store.path(run.spec))
    assert unpacked(store.path(run.spec), run.spec.digest)[0].keys() == PARAMETERS.keys()
    # The first are kept, as of everything else.
    store.save(run, {"another": np.zeros(1, np.float32)})
    assert files(store.path(run.spec)) == after
    del after[PARAMETER_FILE]
    assert after == before
    assert names(store) == [run.spec.digest]


@pytest.mark.parametrize("whole_files", [0, 5])
def test_a_disk_too_full_for_parameters_leaves_the_run_as_it_is(
    store: Store, monkeypatch: pytest.MonkeyPatch, whole_files: int
) -> None:
    run = make_run(0)
    store.save(run)
    before, calls = files(store.path(run.spec)), itertools.count()

    def fsync(descriptor: int) -> None:
        if next(calls) >= whole_files:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(AttnsearchError, match="No space left on device; stored runs stay readable"):
        store.save(run, PARAMETERS)
    assert files(store.path(run.spec)) == before
    assert names(store) == [run.spec.digest]
    assert_same(store.find(run.spec, unexpected), run)


def test_all_of_a_run_is_on_the_disk_before_it_has_its_name(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, forced, rename, fsync = make_run(0), dict[int, int](), Path.rename, os.fsync
    named = list[dict[int, int]]()

    def forcing(descriptor: int) -> None:
        fsync(descriptor)
        status = os.fstat(descriptor)
        forced[status.st_ino] = status.st_size

    def naming(path: Path, target: Path) -> Path:
        named.append(dict(forced))
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", forcing)
    monkeypatch.setattr(Path, "rename", naming)
    store.save(run, PARAMETERS)
    written = [path.stat() for path in store.path(run.spec).iterdir()]
    assert len(written) == 6
    assert named == [{status.st_ino: status.st_size for status in written}]


@pytest.mark.parametrize("listed", [1, 1_000])
def test_names_tell_which_runs_are_there(store: Store, monkeypatch: pytest.MonkeyPatch, listed: int) -> None:
    monkeypatch.setattr("attnsearch.runs.store._LISTED", listed)
    specs = [make_run(seed).spec for seed in range(5)]
    assert Store(store.root / "absent").held(specs) == set()
    for seed in (0, 2):
        store.save(make_run(seed))
    store.path(specs[1]).write_bytes(b"")
    store.path(specs[3]).symlink_to(store.path(specs[0]))
    store.path(specs[4]).symlink_to(store.root / "gone")
    assert store.held(specs) == {specs[0], specs[2], specs[3]}
    assert store.held([]) == set()


# What could not be read back is refused.


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_an_environment_that_is_not_finite_is_the_callers_bug(store: Store, number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.save(replace(make_run(0), environment={"plateau": [number]}))
    assert names(store) == []


def with_wrong_axes(run: StoredRun) -> StoredRun:
    return replace(run, curves=run.curves._replace(loss=run.curves.loss[:, :-1]))


def with_wrong_dtype(run: StoredRun) -> StoredRun:
    return replace(run, maps=run.maps._replace(step=run.maps.step.astype(np.float32)))


def with_objects(run: StoredRun) -> StoredRun:
    return replace(run, truth=run.truth._replace(chance_loss=np.array(None)))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (with_wrong_axes, r"curves\.npz: loss is float32\[4, 4\], but Q = 5"),
        (with_wrong_dtype, r"maps\.npz: step is float32\[2\], expected kind i\[M\]"),
        (with_objects, r"truth\.npz: chance_loss is object\[\], expected kind f\[\]"),
    ],
)
def test_arrays_that_could_not_be_read_back_are_the_callers_bug(
    store: Store, change: Callable[[StoredRun], StoredRun], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        store.save(change(make_run(0)))
    assert names(store) == []


# Where nothing can be written, that is said before anything is trained.


def test_opening_creates_the_folder_and_leaves_it_empty(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "a" / "b")
    assert store.root == tmp_path / "a" / "b"
    assert names(store) == []
    assert Store.open(store.root) == store


def below_a_file(folder: Path) -> Path:
    (folder / "file").write_text("")
    return folder / "file" / "results"


def a_file(folder: Path) -> Path:
    (folder / "results").write_text("")
    return folder / "results"


def where_runs_is_a_file(folder: Path) -> Path:
    (folder / "results").mkdir()
    (folder / "results" / "runs").write_text("")
    return folder / "results"


def in_proc(folder: Path) -> Path:
    if not Path("/proc/self").exists():
        pytest.skip("no /proc here")
    return Path("/proc/results")


@pytest.mark.parametrize(
    ("make_root", "reason"),
    [
        (below_a_file, "Not a directory"),
        (a_file, "Not a directory"),
        (where_runs_is_a_file, "File exists"),
        (in_proc, "No such file or directory"),
    ],
)
def test_a_root_that_cannot_be_written_is_refused(
    tmp_path: Path, make_root: Callable[[Path], Path], reason: str
) -> None:
    root = make_root(tmp_path)
    with pytest.raises(AttnsearchError) as caught:
        Store.open(root)
    assert str(caught.value) == f"cannot store runs in {root}: {reason}; choose another folder with --out"
    assert not list(tmp_path.rglob(".partial-*"))


def test_a_full_disk_is_noticed_on_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AttnsearchError, match=r"No space left on device; choose another folder with --out"):
        Store.open(tmp_path)
    assert names(Store(tmp_path)) == []
