"""Damage to a store is named, moved aside, and trained again."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.damage import (
    Damage,
    flip,
    overwrite,
    rewrite,
    rewrite_array,
    rewrite_json,
    rewrite_member,
    set_trap,
    sprung,
    truncate,
    turn_into_folder,
    write,
)
from helpers.stored import ARCHIVES, FILES, assert_same, make_run, names, unexpected

from attnsearch.base import AttnsearchError
from attnsearch.runs.run_files import UnreadableRun
from attnsearch.runs.store import Store, read
from attnsearch.spec.run import RunSpec


def flip_compressed_bit(content: bytes) -> int:
    """A place among the compressed bytes of the first member."""
    return 50 + int.from_bytes(content[26:28], "little") + int.from_bytes(content[28:30], "little")


def array_file(header: bytes) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


def lengthen_first_name(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[27] = 0xFF
    path.write_bytes(content)


def claim_a_mebibyte(path: Path) -> None:
    """The directory of the zip file says that its last member is stored, and is longer than the file."""
    content = bytearray(path.read_bytes())
    record = content.rindex(b"PK\x01\x02")
    content[record + 10 : record + 12] = bytes(2)
    content[record + 20 : record + 28] = (1 << 20).to_bytes(4, "little") * 2
    path.write_bytes(content)


def become_another_run(document: dict[str, Any]) -> None:
    """Whole and consistent, but under this one's name."""
    document["spec"]["seed"] += 1
    document["digest"] = RunSpec.from_json(document["spec"]).digest


DAMAGES: list[tuple[str, str, str, Damage]] = [
    *((f"{name} empty", name, "", truncate(lambda size: 0)) for name in FILES),
    *((f"{name} one byte", name, "", truncate(lambda size: 1)) for name in FILES),
    *((f"{name} a third", name, "", truncate(lambda size: size // 3)) for name in FILES),
    *((f"{name} nine tenths", name, "", truncate(lambda size: size * 9 // 10)) for name in FILES),
    *((f"{name} one byte short", name, "", truncate(lambda size: size - 1)) for name in FILES),
    *((f"{name} zeros", name, "", overwrite(lambda position: 0)) for name in FILES),
    *((f"{name} garbage", name, "", overwrite(lambda position: position * 37 + 129)) for name in FILES),
    *((f"{name} deleted", name, "No such file", Path.unlink) for name in FILES),
    *((f"{name} a folder", name, "Is a directory", turn_into_folder) for name in FILES),
    *((f"{name} one bit", name, "", flip(flip_compressed_bit)) for name in ARCHIVES),
    ("object in truth", "truth.npz", "", set_trap("chance_loss")),
    ("object in curves", "curves.npz", "", set_trap("step")),
    ("object in maps", "maps.npz", "", set_trap("influence")),
    ("array missing", "maps.npz", "expected", rewrite(lambda arrays: arrays.pop("step"))),
    (
        "array too many",
        "maps.npz",
        "more.npy",
        rewrite(lambda arrays: arrays.update(more=np.zeros(1))),
    ),
    (
        "array renamed",
        "curves.npz",
        "los.npy",
        rewrite(lambda arrays: arrays.update(los=arrays.pop("loss"))),
    ),
    (
        "giant array",
        "curves.npz",
        "cannot reshape",
        rewrite_member("loss", lambda old: old.replace(b"(4, 5)", b"(4, 9999999999999)")),
    ),
    (
        "header without an end",
        "curves.npz",
        "TokenError",
        rewrite_member("loss", lambda old: old.replace(b"(4, 5)", b"((((((")),
    ),
    (
        "header out of line",
        "curves.npz",
        "IndentationError",
        rewrite_member("loss", lambda _: array_file(b"if 1:\n    2\n  3\n")),
    ),
    (
        "header of many words",
        "curves.npz",
        "Header info length (20000) is large",
        rewrite_member("loss", lambda _: array_file(b" " * 20_000)),
    ),
    ("endless name", "truth.npz", "BadZipFile: File name", lengthen_first_name),
    ("more than the file has", "maps.npz", "EOFError", claim_a_mebibyte),
    (
        "array of strings",
        "truth.npz",
        "is_target is <U5[5], expected kind b[Q]",
        rewrite_array("is_target", lambda array: array.astype(str)),
    ),
    (
        "floats for integers",
        "curves.npz",
        "step is float64[4], expected kind i[E]",
        rewrite_array("step", lambda array: array.astype(float)),
    ),
    (
        "axis missing",
        "maps.npz",
        "influence is float32[3, 7], expected kind f[M, K, L]",
        rewrite_array("influence", lambda array: array[0]),
    ),
    (
        "scalar with an axis",
        "truth.npz",
        "chance_loss is float64[1], expected kind f[]",
        rewrite_array("chance_loss", lambda array: array[None]),
    ),
    ("E", "curves.npz", "but E = 3", rewrite_array("step", lambda array: array[1:])),
    ("Q", "curves.npz", "but Q = 5", rewrite_array("loss", lambda array: array[:, 1:])),
    ("M", "maps.npz", "but M = 1", rewrite_array("step", lambda array: array[1:])),
    ("L", "maps.npz", "but L = 7", rewrite_array("influence", lambda array: array[..., 1:])),
    ("K", "maps.npz", "but K = 3", rewrite_array("influence", lambda array: array[:, 1:])),
    (
        "targets",
        "truth.npz",
        "is_target has 2 targets, but R = 3",
        rewrite_array("is_target", np.logical_not),
    ),
    (
        "format version",
        "run.json",
        "format version 999, expected",
        rewrite_json(lambda document: document.update(format_version=999)),
    ),
    (
        "format version of the specification",
        "run.json",
        "format version 999, expected",
        rewrite_json(lambda document: document["spec"].update(format_version=999)),
    ),
    (
        "specification changed",
        "run.json",
        "its specification has the digest",
        rewrite_json(lambda document: document["spec"]["optimizer"].update(learning_rate=1.0)),
    ),
    (
        "digest changed",
        "run.json",
        "its specification has the digest",
        rewrite_json(lambda document: document.update(digest="0" * 64)),
    ),
    ("another run", "run.json", "its specification has the digest", rewrite_json(become_another_run)),
    (
        "specification of another shape",
        "run.json",
        "AttributeError",
        rewrite_json(lambda document: document["spec"]["task"].update(knobs=[])),
    ),
    (
        "unknown setting",
        "run.json",
        "depth",
        rewrite_json(lambda document: document["spec"]["network"].update(depth=3)),
    ),
    (
        "status",
        "run.json",
        "status 'paused', expected one of mastered, exhausted, diverged",
        rewrite_json(lambda document: document.update(status="paused")),
    ),
    ("other JSON", "run.json", "TypeError", write("[]")),
    ("not JSON", "run.json", "JSONDecodeError", write("run = 1")),
    ("deep JSON", "run.json", "RecursionError", write("[" * 100_000)),
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
    damage(folder / name)

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
    assert not sprung(folder / name).exists()

    store.save(run)
    assert_same(store.find(run.spec, unexpected), run)
    assert len(list(store.runs(unexpected))) == 2


def test_the_trap_of_these_tests_springs_where_pickles_are_allowed(store: Store) -> None:
    store.save(make_run(0))
    folder = store.path(make_run(0).spec)
    set_trap("influence")(folder / "maps.npz")
    with np.load(folder / "maps.npz", allow_pickle=True) as archive:
        _ = archive["influence"]
    assert sprung(folder / "maps.npz").exists()


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
