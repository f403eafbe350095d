"""The store: what was saved comes back, whole or not at all, whatever happens to disks and processes."""

from __future__ import annotations

import errno
import json
import os
import pickle
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

import attnsearch.base
from attnsearch.base import AttnsearchError, Curves, Heads, Maps, Truth
from attnsearch.parameter_files import FILE as PARAMETER_FILE
from attnsearch.parameter_files import unpacked
from attnsearch.specs import (
    BudgetSpec,
    CellSpec,
    MixerSpec,
    NetworkSpec,
    OptimizerSpec,
    RunSpec,
    TaskSpec,
    settings,
)
from attnsearch.store import Status, Store, StoredRun, UnreadableRun, read

MakeRun = Callable[[int], StoredRun]
Damage = Callable[[Path], None]

ARCHIVES = ("truth.npz", "curves.npz", "maps.npz", "heads.npz")
FILES = ("run.json", *ARCHIVES)
FIELDS = ("digest", "environment", "format_version", "measures", "spec", "status")


@pytest.fixture
def make_run() -> MakeRun:
    """Runs that differ in their seed and in all their numbers: R 3, Q 5, L 7, E 4, M 2, A 4."""

    def make(seed: int) -> StoredRun:
        random = np.random.default_rng(seed)
        cell = CellSpec(
            task=TaskSpec("carré", "linear_map", settings({"sparsity": 0.1, "s": 1.0, "isolated": True})),
            mixer=MixerSpec("attention", settings({"heads": 4, "bias": None, "rotary": False, "kind": "1"})),
            network=NetworkSpec(width=32),
            optimizer=OptimizerSpec(learning_rate=3e-4),
            budget=BudgetSpec(steps=40, early_stopping=False),
        )
        truth = Truth(
            attention_map=random.random((3, 7)) < 0.5,
            cheapest_route=random.random((3, 7)) < 0.5,
            query_positions=np.arange(5, dtype=np.int32),
            is_target=np.array([True, False, True, True, False]),
            replaceable=random.random(7) < 0.5,
            log2_search_space=random.random(3),
            nominal_log2_search_space=np.array(random.random()),
            chance_loss=np.array(random.random()),
            bayes_loss=random.random(3),
            state=np.array([1, 1, 2]),
            mapped=np.arange(3),
            probed=random.random(7) < 0.5,
        )
        curves = Curves(
            step=np.arange(10, 50, 10, dtype=np.int32),
            loss=random.random((4, 5), dtype=np.float32),
            accuracy=random.random((4, 5), dtype=np.float32),
        )
        maps = Maps(np.array([0, 40], np.int32), random.random((2, 3, 7), dtype=np.float32))
        environment = {"attnsearch": "0.1", "devices": ["cpu", "cpu"], "flags": {"x64": False}, "none": None}
        measures = {"escape": {"length": 20 + seed, "observed": True}, "mass": 0.1 + 0.2, "tiny": 5e-324}
        heads = Heads(
            random.integers(0, 256, (2, 4, 3, 7), np.uint8),
            *(random.random((2, 4, 3), np.float32) for _ in range(2)),
        )
        return StoredRun(
            RunSpec(cell, seed, 7), "mastered", environment, measures, truth, curves, maps, heads
        )

    return make


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "results")


def unexpected(line: str) -> None:
    pytest.fail(f"reported as unreadable: {line}")


def names(store: Store) -> list[str]:
    return sorted(path.name for path in (store.root / "runs").iterdir())


def assert_same(found: StoredRun | None, expected: StoredRun) -> None:
    assert found is not None
    assert found.spec == expected.spec
    assert found.spec.digest == expected.spec.digest
    assert found.status == expected.status
    assert found.environment == expected.environment
    assert found.measures == expected.measures
    for ours, theirs in (
        (found.truth, expected.truth),
        (found.curves, expected.curves),
        (found.maps, expected.maps),
        (found.heads, expected.heads),
    ):
        assert type(ours) is type(theirs)
        for name, array in theirs._asdict().items():
            again = getattr(ours, name)
            assert (again.dtype, again.shape) == (array.dtype, array.shape), name
            assert again.tobytes() == array.tobytes(), name


# What is saved comes back.


@pytest.mark.parametrize("status", get_args(Status))
def test_a_saved_run_comes_back_bit_for_bit(store: Store, make_run: MakeRun, status: Status) -> None:
    run = replace(make_run(0), status=status)
    store.save(run)
    assert_same(store.find(run.spec, unexpected), run)
    assert_same(read(store.path(run.spec)), run)
    (listed,) = store.runs(unexpected)
    assert_same(listed, run)
    assert type(dict(listed.spec.cell.task.knobs)["s"]) is float
    assert dict(listed.spec.cell.mixer.settings)["kind"] == "1"


def test_losses_of_a_diverged_run_need_not_be_finite(store: Store, make_run: MakeRun) -> None:
    run = replace(make_run(0), status="diverged")
    run.curves.loss[2:] = [[np.nan] * 5, [np.inf] * 5]
    store.save(run)
    assert_same(store.find(run.spec, unexpected), run)


def test_a_run_with_nothing_recorded_comes_back(store: Store, make_run: MakeRun) -> None:
    run = make_run(0)
    curves = Curves(run.curves.step[:0], run.curves.loss[:0], run.curves.accuracy[:0])
    heads = Heads(run.heads.weights[:0], run.heads.mass[:0], run.heads.entropy[:0])
    run = replace(run, curves=curves, maps=Maps(run.maps.step[:0], run.maps.influence[:0]), heads=heads)
    store.save(run)
    assert_same(store.find(run.spec, unexpected), run)


def test_the_order_in_memory_does_not_matter(store: Store, make_run: MakeRun) -> None:
    run = make_run(0)
    influence = np.asfortranarray(run.maps.influence)
    loss = np.repeat(run.curves.loss, 2, axis=1)[:, ::2]
    run = replace(run, curves=run.curves._replace(loss=loss), maps=run.maps._replace(influence=influence))
    store.save(run)
    assert_same(store.find(run.spec, unexpected), run)


def test_layout_on_disk(store: Store, make_run: MakeRun) -> None:
    run = make_run(0)
    store.save(run)
    folder = store.path(run.spec)
    assert folder == store.root / "runs" / run.spec.digest
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    text = (folder / "run.json").read_text()
    document = json.loads(text)
    assert list(document) == ["attention_heads", *FIELDS]
    assert document["attention_heads"] == 4
    assert text == json.dumps(document, sort_keys=True, indent=2)
    with np.load(folder / "curves.npz") as archive:
        assert sorted(archive.files) == sorted(Curves._fields)


def test_a_run_without_heads_has_no_file_of_them(store: Store, make_run: MakeRun) -> None:
    run = make_run(0)
    run = replace(run, heads=Heads.none(run.maps))
    store.save(run)
    folder = store.path(run.spec)
    assert not (folder / "heads.npz").exists()
    assert_same(read(folder), run)
    # As runs were stored before heads were recorded.
    document = json.loads((folder / "run.json").read_text())
    del document["attention_heads"]
    (folder / "run.json").write_text(json.dumps(document))
    assert_same(read(folder), run)


def test_a_stored_run_is_as_open_to_others_as_any_file(store: Store, make_run: MakeRun) -> None:
    store.save(make_run(0))
    plain = store.root / "plain"
    plain.mkdir()
    assert store.path(make_run(0).spec).stat().st_mode == plain.stat().st_mode


def test_an_absent_run_is_not_found(store: Store, make_run: MakeRun) -> None:
    store.save(make_run(0))
    assert store.find(make_run(1).spec, unexpected) is None


def test_runs_come_in_the_order_of_their_digests(store: Store, make_run: MakeRun) -> None:
    runs = [make_run(seed) for seed in range(5)]
    for run in runs:
        store.save(run)
    digests = [run.spec.digest for run in store.runs(unexpected)]
    assert digests == sorted(run.spec.digest for run in runs)
    assert digests != [run.spec.digest for run in runs]


def test_the_first_of_two_equal_runs_is_kept(store: Store, make_run: MakeRun) -> None:
    first = make_run(0)
    store.save(first)
    store.save(replace(first, measures={"escape": "another"}))
    assert_same(store.find(first.spec, unexpected), first)
    assert names(store) == [first.spec.digest]


def test_a_store_that_is_only_read_need_not_be_opened(store: Store, make_run: MakeRun) -> None:
    store.save(make_run(0))
    assert [run.spec.seed for run in Store(store.root).runs(unexpected)] == [0]


def test_listing_where_there_is_no_store_says_so(tmp_path: Path) -> None:
    with pytest.raises(AttnsearchError, match=r"no stored runs in .*nowhere: No such file") as caught:
        next(Store(tmp_path / "nowhere").runs(unexpected))
    assert "\n" not in str(caught.value)


# Parameters lie beside a run, and nothing that is read of it depends on them.

PARAMETERS = {"norm.bias": np.arange(3, dtype=np.float32), "blocks.0.out": np.ones((2, 3), np.float32)}


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_parameters_are_stored_with_a_run_and_read_by_those_who_ask(store: Store, make_run: MakeRun) -> None:
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


def test_a_run_that_lacks_its_parameters_is_given_them(store: Store, make_run: MakeRun) -> None:
    run = make_run(0)
    store.save(run)
    assert store.holds(run.spec)
    assert not store.holds(run.spec, parameters=True)
    before = files(store.path(run.spec))
    store.save(replace(run, measures={"escape": "another"}), PARAMETERS)
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
    store: Store, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, whole_files: int
) -> None:
    run = make_run(0)
    store.save(run)
    before, synchronised = files(store.path(run.spec)), []

    def fsync(descriptor: int) -> None:
        if len(synchronised) == whole_files:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        synchronised.append(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(
        AttnsearchError, match="No space left on device; what is stored already stays readable"
    ):
        store.save(run, PARAMETERS)
    assert files(store.path(run.spec)) == before
    assert names(store) == [run.spec.digest]
    assert_same(store.find(run.spec, unexpected), run)


def test_the_folder_of_a_run_by_the_digits_it_begins_with(store: Store, make_run: MakeRun) -> None:
    with pytest.raises(AttnsearchError, match=f"no stored run in {store.root}$"):
        store.folder("")
    runs = [make_run(seed) for seed in range(7)]
    store.save(runs[0])
    (store.root / "runs" / f".claim-{runs[0].spec.digest}").touch()
    assert store.folder("") == store.path(runs[0].spec)
    for run in runs[1:]:
        store.save(run)
    for run in runs:
        assert store.folder(run.spec.digest[:8]) == store.path(run.spec)
    with pytest.raises(
        AttnsearchError, match=f"stands for 7 runs, give one: .* --out {store.root} .* and 2 more"
    ):
        store.folder("")
    with pytest.raises(AttnsearchError, match=f"no stored run in {store.root} begins with zzzz"):
        store.folder("zzzz")


# What could not be read back is refused.


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_measures_that_are_not_finite_are_the_callers_bug(
    store: Store, make_run: MakeRun, number: float
) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.save(replace(make_run(0), measures={"plateau": [number]}))
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
    store: Store, make_run: MakeRun, change: Callable[[StoredRun], StoredRun], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        store.save(change(make_run(0)))
    assert names(store) == []


# Damage is named, moved aside, and trained again.


class Trap:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.path,)


def truncate(name: str, keep: Callable[[int], int]) -> Damage:
    def damage(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: keep(len(content))])

    return damage


def overwrite(name: str, byte: Callable[[int], int]) -> Damage:
    def damage(folder: Path) -> None:
        size = (folder / name).stat().st_size
        (folder / name).write_bytes(bytes(byte(position) % 256 for position in range(size)))

    return damage


def flip_compressed_byte(name: str) -> Damage:
    def damage(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        header = 30 + int.from_bytes(content[26:28], "little") + int.from_bytes(content[28:30], "little")
        content[header + 20] ^= 0x10
        (folder / name).write_bytes(content)

    return damage


def delete(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def turn_into_folder(name: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return damage


def rewrite_arrays(name: str, change: Callable[[dict[str, np.ndarray]], object]) -> Damage:
    def damage(folder: Path) -> None:
        with np.load(folder / name) as archive:
            arrays = dict(archive)
        change(arrays)
        np.savez_compressed(folder / name, allow_pickle=True, **arrays)

    return damage


def replace_array(name: str, field: str, change: Callable[[np.ndarray], np.ndarray]) -> Damage:
    return rewrite_arrays(name, lambda arrays: arrays.update({field: change(arrays[field])}))


def set_trap(name: str, field: str) -> Damage:
    def damage(folder: Path) -> None:
        trap = np.array(Trap(folder.parent / "sprung"), dtype=object)
        replace_array(name, field, lambda _: trap)(folder)

    return damage


def rewrite_member(name: str, field: str, change: Callable[[bytes], bytes]) -> Damage:
    """A whole zip file, with check sums that are right, round an array file that is not."""

    def damage(folder: Path) -> None:
        with zipfile.ZipFile(folder / name) as archive:
            members = {member: archive.read(member) for member in archive.namelist()}
        changed = change(members[f"{field}.npy"])
        assert changed != members[f"{field}.npy"]
        members[f"{field}.npy"] = changed
        with zipfile.ZipFile(folder / name, "w") as archive:
            for member, content in members.items():
                archive.writestr(member, content)

    return damage


def array_file(header: bytes) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


def lengthen_first_name(name: str) -> Damage:
    def damage(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[27] = 0xFF
        (folder / name).write_bytes(content)

    return damage


def claim_a_mebibyte(name: str) -> Damage:
    """The directory of the zip file says that its last member is stored, and is longer than the file."""

    def damage(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        record = content.rindex(b"PK\x01\x02")
        content[record + 10 : record + 12] = bytes(2)
        content[record + 20 : record + 28] = (1 << 20).to_bytes(4, "little") * 2
        (folder / name).write_bytes(content)

    return damage


def rewrite_document(change: Callable[[dict[str, Any]], object]) -> Damage:
    def damage(folder: Path) -> None:
        document = json.loads((folder / "run.json").read_text())
        change(document)
        (folder / "run.json").write_text(json.dumps(document))

    return damage


def write_document(text: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / "run.json").write_text(text)

    return damage


def swap_in_another_run(folder: Path) -> None:
    """The whole and consistent folder of another run, under this one's name."""
    document = json.loads((folder / "run.json").read_text())
    document["spec"]["seed"] += 1
    document["digest"] = RunSpec.from_json(document["spec"]).digest
    (folder / "run.json").write_text(json.dumps(document))


DAMAGES: list[tuple[str, str, str, Damage]] = [
    *((f"{name} empty", name, "", truncate(name, lambda size: 0)) for name in FILES),
    *((f"{name} one byte", name, "", truncate(name, lambda size: 1)) for name in FILES),
    *((f"{name} a third", name, "", truncate(name, lambda size: size // 3)) for name in FILES),
    *((f"{name} nine tenths", name, "", truncate(name, lambda size: size * 9 // 10)) for name in FILES),
    *((f"{name} one byte short", name, "", truncate(name, lambda size: size - 1)) for name in FILES),
    *((f"{name} zeros", name, "", overwrite(name, lambda position: 0)) for name in FILES),
    *((f"{name} garbage", name, "", overwrite(name, lambda position: position * 37 + 129)) for name in FILES),
    *((f"{name} deleted", name, "No such file", delete(name)) for name in FILES),
    *((f"{name} a folder", name, "Is a directory", turn_into_folder(name)) for name in FILES),
    *((f"{name} one bit", name, "", flip_compressed_byte(name)) for name in ARCHIVES),
    ("object in truth", "truth.npz", "", set_trap("truth.npz", "chance_loss")),
    ("object in curves", "curves.npz", "", set_trap("curves.npz", "step")),
    ("object in maps", "maps.npz", "", set_trap("maps.npz", "influence")),
    ("array missing", "maps.npz", "expected", rewrite_arrays("maps.npz", lambda arrays: arrays.pop("step"))),
    (
        "array too many",
        "maps.npz",
        "more.npy",
        rewrite_arrays("maps.npz", lambda arrays: arrays.update(more=np.zeros(1))),
    ),
    (
        "array renamed",
        "curves.npz",
        "los.npy",
        rewrite_arrays("curves.npz", lambda arrays: arrays.update(los=arrays.pop("loss"))),
    ),
    (
        "giant array",
        "curves.npz",
        "cannot reshape",
        rewrite_member("curves.npz", "loss", lambda old: old.replace(b"(4, 5)", b"(4, 9999999999999)")),
    ),
    (
        "header without an end",
        "curves.npz",
        "TokenError",
        rewrite_member("curves.npz", "loss", lambda old: old.replace(b"(4, 5)", b"((((((")),
    ),
    (
        "header out of line",
        "curves.npz",
        "IndentationError",
        rewrite_member("curves.npz", "loss", lambda _: array_file(b"if 1:\n    2\n  3\n")),
    ),
    (
        "header of many words",
        "curves.npz",
        "Header info length (20000) is large",
        rewrite_member("curves.npz", "loss", lambda _: array_file(b" " * 20_000)),
    ),
    ("endless name", "truth.npz", "BadZipFile: File name", lengthen_first_name("truth.npz")),
    ("more than the file has", "maps.npz", "EOFError", claim_a_mebibyte("maps.npz")),
    (
        "array of strings",
        "truth.npz",
        "is_target is <U5[5], expected kind b[Q]",
        replace_array("truth.npz", "is_target", lambda array: array.astype(str)),
    ),
    (
        "floats for integers",
        "curves.npz",
        "step is float64[4], expected kind i[E]",
        replace_array("curves.npz", "step", lambda array: array.astype(float)),
    ),
    (
        "axis missing",
        "maps.npz",
        "influence is float32[3, 7], expected kind f[M, K, L]",
        replace_array("maps.npz", "influence", lambda array: array[0]),
    ),
    (
        "scalar with an axis",
        "truth.npz",
        "chance_loss is float64[1], expected kind f[]",
        replace_array("truth.npz", "chance_loss", lambda array: array[None]),
    ),
    ("E", "curves.npz", "but E = 3", replace_array("curves.npz", "step", lambda array: array[1:])),
    ("Q", "curves.npz", "but Q = 5", replace_array("curves.npz", "loss", lambda array: array[:, 1:])),
    ("M", "maps.npz", "but M = 1", replace_array("maps.npz", "step", lambda array: array[1:])),
    ("L", "maps.npz", "but L = 7", replace_array("maps.npz", "influence", lambda array: array[..., 1:])),
    ("K", "maps.npz", "but K = 3", replace_array("maps.npz", "influence", lambda array: array[:, 1:])),
    (
        "targets",
        "truth.npz",
        "is_target has 2 targets, but R = 3",
        replace_array("truth.npz", "is_target", np.logical_not),
    ),
    (
        "format version",
        "run.json",
        "format version 999, expected",
        rewrite_document(lambda document: document.update(format_version=999)),
    ),
    (
        "format version of the specification",
        "run.json",
        "format version 999, expected",
        rewrite_document(lambda document: document["spec"].update(format_version=999)),
    ),
    (
        "specification changed",
        "run.json",
        "its specification has the digest",
        rewrite_document(lambda document: document["spec"]["optimizer"].update(learning_rate=1.0)),
    ),
    (
        "digest changed",
        "run.json",
        "its specification has the digest",
        rewrite_document(lambda document: document.update(digest="0" * 64)),
    ),
    ("another run", "run.json", "its specification has the digest", swap_in_another_run),
    (
        "specification of another shape",
        "run.json",
        "AttributeError",
        rewrite_document(lambda document: document["spec"]["task"].update(knobs=[])),
    ),
    (
        "unknown setting",
        "run.json",
        "depth",
        rewrite_document(lambda document: document["spec"]["network"].update(depth=3)),
    ),
    (
        "status",
        "run.json",
        "status 'paused', expected one of mastered, exhausted, diverged",
        rewrite_document(lambda document: document.update(status="paused")),
    ),
    ("no measures", "run.json", "measures", rewrite_document(lambda document: document.pop("measures"))),
    (
        "measures not an object",
        "run.json",
        "TypeError",
        rewrite_document(lambda document: document.update(measures=5)),
    ),
    ("other JSON", "run.json", "TypeError", write_document("[]")),
    ("not JSON", "run.json", "JSONDecodeError", write_document("run = 1")),
    ("deep JSON", "run.json", "RecursionError", write_document("[" * 100_000)),
]


@pytest.mark.parametrize(
    ("name", "reason", "damage"), [case[1:] for case in DAMAGES], ids=[case[0] for case in DAMAGES]
)
def test_a_damaged_run_is_named_moved_aside_and_replaced(
    store: Store, make_run: MakeRun, name: str, reason: str, damage: Damage
) -> None:
    run, other = make_run(0), make_run(1)
    store.save(run)
    store.save(other)
    folder = store.path(run.spec)
    damage(folder)

    with pytest.raises(UnreadableRun) as caught:
        read(folder)
    message = str(caught.value)
    assert str(folder) in message
    assert name in message
    assert reason in message
    assert "\n" not in message
    assert len(message) < len(str(folder)) + 400

    lines: list[str] = []
    assert [found.spec for found in store.runs(lines.append)] == [other.spec]
    assert lines == [f"{message}; left out"]
    assert folder.is_dir()

    lines.clear()
    before = sorted(path.name for path in folder.iterdir())
    assert store.find(run.spec, lines.append) is None
    aside = folder.with_name(f".unreadable-{folder.name}-1")
    assert lines == [f"{message}; moved to {aside}, to be trained again"]
    assert sorted(path.name for path in aside.iterdir()) == before
    assert not folder.exists()
    assert not (folder.parent / "sprung").exists()

    store.save(run)
    assert_same(store.find(run.spec, unexpected), run)
    assert len(list(store.runs(unexpected))) == 2


def test_the_trap_of_these_tests_springs_where_pickles_are_allowed(store: Store, make_run: MakeRun) -> None:
    store.save(make_run(0))
    folder = store.path(make_run(0).spec)
    set_trap("maps.npz", "influence")(folder)
    with np.load(folder / "maps.npz", allow_pickle=True) as archive:
        _ = archive["influence"]
    assert (folder.parent / "sprung").exists()


def test_each_damaged_run_is_kept_aside(store: Store, make_run: MakeRun) -> None:
    run = make_run(0)
    lines: list[str] = []
    for name in ARCHIVES:
        store.save(run)
        (store.path(run.spec) / name).unlink()
        assert store.find(run.spec, lines.append) is None
    assert names(store) == [f".unreadable-{run.spec.digest}-{n}" for n in (1, 2, 3, 4)]
    assert [re.findall(r"\w+\.npz", line) for line in lines] == [[name] for name in ARCHIVES]


def test_a_file_in_the_place_of_a_run_is_moved_aside(store: Store, make_run: MakeRun) -> None:
    run = make_run(0)
    store.path(run.spec).write_text("not a folder")
    lines: list[str] = []
    assert store.find(run.spec, lines.append) is None
    (line,) = lines
    assert "run.json: Not a directory" in line
    store.save(run)
    assert_same(store.find(run.spec, unexpected), run)


def test_a_damaged_run_that_another_process_has_moved_is_not_an_error(
    store: Store, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(0)
    store.save(run)
    folder = store.path(run.spec)
    (folder / "maps.npz").unlink()

    def first_by_another(path: Path, target: Path) -> None:
        os.rename(path, target)  # noqa: PTH104
        os.rename(path, target)  # noqa: PTH104

    monkeypatch.setattr(Path, "rename", first_by_another)
    lines: list[str] = []
    assert store.find(run.spec, lines.append) is None
    assert names(store) == [f".unreadable-{run.spec.digest}-1"]
    assert len(lines) == 1


def test_a_damaged_run_that_cannot_be_moved_is_an_error(
    store: Store, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(0)
    store.save(run)
    (store.path(run.spec) / "maps.npz").unlink()

    def read_only(path: Path, target: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "rename", read_only)
    with pytest.raises(AttnsearchError, match=f"{run.spec.digest} aside: Read-only file system; remove it"):
        store.find(run.spec, unexpected)


# Processes: killed, at the same time, without room, without file descriptors.

CHILD = """
import pickle, sys
from pathlib import Path
from attnsearch.base import AttnsearchError
from attnsearch.store import Store

store, run = Store(Path(sys.argv[1])), pickle.load(sys.stdin.buffer)
"""

PAUSE = """
def pause(event, arguments):
    if event == sys.argv[2] and sys.argv[3] in str(arguments[0]):
        print("ready", flush=True)
        sys.stdin.buffer.read(1)

sys.addaudithook(pause)
store.save(run)
"""

PAUSE_ADDING = PAUSE.replace("save(run)", "save(run, {'a': __import__('numpy').ones(3)})")

LITTLE_ROOM = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    store.save(run)
except AttnsearchError as error:
    print(error)
"""

NO_DESCRIPTORS = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
try:
    store.find(run.spec, print)
except AttnsearchError as error:
    print("error:", error)
"""


@contextmanager
def child(script: str, store: Store, run: StoredRun, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Python running `script` after `CHILD`, with `run` in its standard input; ended on leaving."""
    package_parent = str(Path(attnsearch.base.__file__).parents[1])
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", CHILD + script, str(store.root), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": package_parent},
    )
    with process:
        assert process.stdin is not None
        process.stdin.write(pickle.dumps(run))
        process.stdin.flush()
        try:
            yield process
        finally:
            process.kill()


def wait_until_ready(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"


def output(process: subprocess.Popen[bytes]) -> str:
    written, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return written.decode()


@pytest.mark.parametrize(
    ("event", "path", "files_written"),
    [
        ("open", "run.json", 0),
        ("open", "curves.npz", 2),
        ("open", "maps.npz", 3),
        ("os.rename", ".partial-", 5),
    ],
)
def test_a_run_whose_process_is_killed_is_never_seen(
    store: Store, make_run: MakeRun, event: str, path: str, files_written: int
) -> None:
    earlier, run = make_run(0), make_run(1)
    store.save(earlier)
    with child(PAUSE, store, run, event, path) as process:
        wait_until_ready(process)
        assert store.find(run.spec, unexpected) is None
        assert [found.spec for found in store.runs(unexpected)] == [earlier.spec]
        process.kill()
        assert process.wait(timeout=60) == -9

    (leftover,) = (store.root / "runs").glob(f".partial-{run.spec.digest}-*")
    assert len(list(leftover.iterdir())) == files_written
    again = Store.open(store.root)
    assert leftover.exists()
    assert again.find(run.spec, unexpected) is None
    assert [found.spec for found in again.runs(unexpected)] == [earlier.spec]
    again.save(run)
    assert_same(again.find(run.spec, unexpected), run)

    yesterday = time.time() - 25 * 3600
    os.utime(leftover, (yesterday, yesterday))
    Store.open(store.root)
    assert names(store) == sorted([earlier.spec.digest, run.spec.digest])


@pytest.mark.parametrize("event", ["open", "os.rename"])
def test_a_process_killed_while_it_adds_parameters_adds_nothing(
    store: Store, make_run: MakeRun, event: str
) -> None:
    run = make_run(0)
    store.save(run)
    before = files(store.path(run.spec))
    with child(PAUSE_ADDING, store, run, event, PARAMETER_FILE) as process:
        wait_until_ready(process)
        assert files(store.path(run.spec)) == before
        process.kill()
        assert process.wait(timeout=60) == -9
    assert files(store.path(run.spec)) == before
    assert_same(Store.open(store.root).find(run.spec, unexpected), run)
    store.save(run, PARAMETERS)
    assert store.holds(run.spec, parameters=True)


def test_two_processes_that_save_the_same_run_store_one_whole(store: Store, make_run: MakeRun) -> None:
    ours, theirs = make_run(0), replace(make_run(1), spec=make_run(0).spec)
    assert ours.measures != theirs.measures
    arguments = ("os.rename", ".partial-")
    with child(PAUSE, store, ours, *arguments) as first, child(PAUSE, store, theirs, *arguments) as second:
        wait_until_ready(first)
        wait_until_ready(second)
        assert len(names(store)) == 2
        for process in (first, second):
            assert process.stdin is not None
            process.stdin.write(b"\n")
            process.stdin.flush()
        assert output(first) == output(second) == ""
    found = store.find(ours.spec, unexpected)
    assert found is not None
    assert_same(found, ours if found.measures == ours.measures else theirs)
    assert names(store) == [ours.spec.digest]


def test_a_run_for_which_there_is_no_room_leaves_nothing_behind(store: Store, make_run: MakeRun) -> None:
    earlier, run = make_run(0), make_run(1)
    store.save(earlier)
    influence = np.random.default_rng(0).random((500, 3, 7), dtype=np.float32)
    maps = Maps(np.arange(500, dtype=np.int32), influence)
    run = replace(run, maps=maps, heads=Heads.none(maps))
    with child(LITTLE_ROOM, store, run) as process:
        (line,) = output(process).splitlines()
    assert f"cannot store run {run.spec.digest} in {store.root}: File too large; " in line
    assert "what is stored already stays readable" in line
    assert "the same command again" in line
    assert names(store) == [earlier.spec.digest]
    assert_same(store.find(earlier.spec, unexpected), earlier)
    store.save(run)
    assert_same(store.find(run.spec, unexpected), run)


@pytest.mark.parametrize("whole_files", [0, 1, 3])
def test_a_full_disk_is_named(
    store: Store, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, whole_files: int
) -> None:
    synchronised: list[int] = []

    def fsync(descriptor: int) -> None:
        if len(synchronised) == whole_files:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        synchronised.append(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(AttnsearchError, match="No space left on device") as caught:
        store.save(make_run(0))
    assert "\n" not in str(caught.value)
    assert len(synchronised) == whole_files
    assert names(store) == []


def test_a_run_is_not_moved_aside_for_want_of_file_descriptors(store: Store, make_run: MakeRun) -> None:
    run = make_run(0)
    store.save(run)
    with child(NO_DESCRIPTORS, store, run) as process:
        (line,) = output(process).splitlines()
    assert line == f"error: cannot read {store.path(run.spec) / 'run.json'}: Too many open files"
    assert_same(store.find(run.spec, unexpected), run)


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
    def full(path: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(AttnsearchError, match=r"No space left on device; choose another folder with --out"):
        Store.open(tmp_path)
    assert names(Store(tmp_path)) == []
