"""Damage to a store is named, moved aside, and trained again."""

from __future__ import annotations

import errno
import json
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.stored import ARCHIVES, FILES, assert_same, make_run, names, unexpected

from attnsearch.base import AttnsearchError
from attnsearch.runs.store import Store, UnreadableRun, read
from attnsearch.spec.run import RunSpec

Damage = Callable[[Path], None]


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
    ("other JSON", "run.json", "TypeError", write_document("[]")),
    ("not JSON", "run.json", "JSONDecodeError", write_document("run = 1")),
    ("deep JSON", "run.json", "RecursionError", write_document("[" * 100_000)),
]


@pytest.mark.parametrize(
    ("name", "reason", "damage"), [case[1:] for case in DAMAGES], ids=[case[0] for case in DAMAGES]
)
def test_a_damaged_run_is_named_moved_aside_and_replaced(
    store: Store, name: str, reason: str, damage: Damage
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


def test_the_trap_of_these_tests_springs_where_pickles_are_allowed(store: Store) -> None:
    store.save(make_run(0))
    folder = store.path(make_run(0).spec)
    set_trap("maps.npz", "influence")(folder)
    with np.load(folder / "maps.npz", allow_pickle=True) as archive:
        _ = archive["influence"]
    assert (folder.parent / "sprung").exists()


def test_each_damaged_run_is_kept_aside(store: Store) -> None:
    run = make_run(0)
    lines: list[str] = []
    for name in ARCHIVES:
        store.save(run)
        (store.path(run.spec) / name).unlink()
        assert store.find(run.spec, lines.append) is None
    assert names(store) == [f".unreadable-{run.spec.digest}-{n}" for n in (1, 2, 3, 4)]
    assert [re.findall(r"\w+\.npz", line) for line in lines] == [[name] for name in ARCHIVES]


def test_a_file_in_the_place_of_a_run_is_moved_aside(store: Store) -> None:
    run = make_run(0)
    store.path(run.spec).write_text("not a folder")
    lines: list[str] = []
    assert store.find(run.spec, lines.append) is None
    (line,) = lines
    assert "run.json: Not a directory" in line
    store.save(run)
    assert_same(store.find(run.spec, unexpected), run)


def test_a_damaged_run_that_another_process_has_moved_is_not_an_error(
    store: Store, monkeypatch: pytest.MonkeyPatch
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
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(0)
    store.save(run)
    (store.path(run.spec) / "maps.npz").unlink()

    def read_only(path: Path, target: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "rename", read_only)
    with pytest.raises(AttnsearchError, match=f"{run.spec.digest} aside: Read-only file system; remove it"):
        store.find(run.spec, unexpected)
