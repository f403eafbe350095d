"""A checkpoint that is not whole is never taken for one: it is named and removed."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.checkpointed import Make, assert_same, names
from helpers.damage import (
    Damage,
    flip,
    overwrite,
    rewrite,
    rewrite_array,
    rewrite_member,
    set_trap,
    sprung,
    truncate,
)
from helpers.stored import unexpected

from attnsearch.base import AttnsearchError
from attnsearch.runs.checkpoints import Checkpoints
from attnsearch.spec.run import RunSpec


def rewrite_document(change: Callable[[dict[str, object]], object]) -> Damage:
    def rewritten(text: np.ndarray) -> np.ndarray:
        document = json.loads(text.tobytes())
        change(document)
        return np.frombuffer(json.dumps(document).encode(), np.uint8)

    return rewrite_array("document", rewritten)


def write_document(text: bytes) -> Damage:
    return rewrite_array("document", lambda _: np.frombuffer(text, np.uint8))


def with_shape_of_loss(shape: bytes) -> Damage:
    return rewrite_member("loss", lambda member: member.replace(b"(4, 3)", shape))


def one_point_less(arrays: dict[str, np.ndarray]) -> None:
    arrays.update({name: arrays[name][:-1] for name in ("loss", "accuracy", "update_norm")})


DAMAGES: list[tuple[str, str, Damage]] = [
    ("empty", "BadZipFile", truncate(lambda size: 0)),
    ("one byte", "BadZipFile", truncate(lambda size: 1)),
    ("half", "BadZipFile", truncate(lambda size: size // 2)),
    ("one byte short", "BadZipFile", truncate(lambda size: size - 1)),
    ("zeros", "BadZipFile", overwrite(lambda position: 0)),
    ("a bit of a leaf", "Bad CRC-32", flip(lambda content: content.rindex(b"arr_0.npy", 0, -2000) + 160)),
    ("a bit of a name", "differ", flip(lambda content: content.index(b"loss.npy"))),
    ("trap in a leaf", "", set_trap("arr_0")),
    ("trap in the curves", "", set_trap("loss")),
    ("trap in the document", "", set_trap("document")),
    ("no document", "'document'", rewrite(lambda arrays: arrays.pop("document"))),
    ("not JSON", "JSONDecodeError", write_document(b"run = 1")),
    ("other JSON", "TypeError", write_document(b"[]")),
    (
        "version",
        "checkpoint version 0, expected 5",
        rewrite_document(lambda d: d.update(checkpoint_version=0)),
    ),
    ("no version", "'checkpoint_version'", rewrite_document(lambda d: d.pop("checkpoint_version"))),
    ("another run", "it is of the run abc", rewrite_document(lambda d: d.update(digest="abc"))),
    ("no digest", "'digest'", rewrite_document(lambda d: d.pop("digest"))),
    ("no step", "'step'", rewrite_document(lambda d: d.pop("step"))),
    ("step", "4 points of 10 steps at 50", rewrite_document(lambda d: d.update(step=50))),
    ("a point less", "3 points of 10 steps at 40", rewrite(one_point_less)),
    ("a leaf less", "KeyError: 'arr_22'", rewrite(lambda arrays: arrays.pop("arr_22"))),
    ("a leaf more", "missing or unknown: arr_23;", rewrite(lambda arrays: arrays.update(arr_23=np.zeros(1)))),
    ("fewer leaves", "missing or unknown: arr_22;", rewrite_document(lambda d: d.update(leaves=22))),
    ("array missing", "missing or unknown: influence;", rewrite(lambda arrays: arrays.pop("influence"))),
    ("array too many", "missing or unknown: more;", rewrite(lambda arrays: arrays.update(more=np.zeros(1)))),
    ("leaf of strings", "leaves are <U", rewrite_array("arr_0", lambda array: array.astype(str))),
    ("targets", "but R = 1 by is_target", rewrite_array("is_target", np.logical_not)),
    ("Q", "accuracy is float32[4, 2], but Q = 3", rewrite_array("accuracy", lambda array: array[:, 1:])),
    ("M", "but M = 0", rewrite_array("map_steps", lambda array: array[1:])),
    ("L", "but L = 4", rewrite_array("influence", lambda array: array[..., 1:])),
    ("kind", "loss is int64[4, 3], expected kind f", rewrite_array("loss", lambda array: array.astype(int))),
    ("axis missing", "expected kind f[E, Q]", rewrite_array("loss", lambda array: array[0])),
    (
        "giant array",
        "cannot reshape",
        rewrite_member("loss", lambda old: old.replace(b"(4, 3)", b"(4, 9999999999999)")),
    ),
    (
        "header without an end",
        "TokenError",
        rewrite_member("loss", lambda old: old.replace(b"(4, 3)", b"((((((")),
    ),
]


@pytest.mark.parametrize(
    ("reason", "damage"), [case[1:] for case in DAMAGES], ids=[case[0] for case in DAMAGES]
)
def test_a_damaged_checkpoint_is_named_and_removed(
    checkpoints: Checkpoints, make: Make, spec: RunSpec, reason: str, damage: Damage
) -> None:
    checkpoints.save(make())
    path = checkpoints.path(spec)
    damage(path)
    lines: list[str] = []
    assert checkpoints.load(spec, lines.append) is None
    (line,) = lines
    assert line.startswith(f"cannot read {path}: ")
    assert line.endswith("; removed, its run starts anew")
    assert reason in line
    assert "\n" not in line
    assert len(line) < len(str(path)) + 400
    assert names(checkpoints) == []
    assert not sprung(path).exists()

    assert checkpoints.load(spec, unexpected) is None
    checkpoints.save(make())
    assert_same(checkpoints.load(spec, unexpected), make())


def test_a_checkpoint_under_the_name_of_another_run_is_refused(
    checkpoints: Checkpoints, make: Make, spec: RunSpec
) -> None:
    other = replace(spec, seed=spec.seed + 1)
    checkpoints.save(make())
    checkpoints.path(spec).rename(checkpoints.path(other))
    lines: list[str] = []
    assert checkpoints.load(other, lines.append) is None
    assert [f"it is of the run {spec.digest}; removed" in line for line in lines] == [True]
    assert names(checkpoints) == []


def test_the_trap_of_these_tests_springs_where_pickles_are_allowed(
    checkpoints: Checkpoints, make: Make, spec: RunSpec
) -> None:
    checkpoints.save(make())
    set_trap("loss")(checkpoints.path(spec))
    with np.load(checkpoints.path(spec), allow_pickle=True) as archive:
        _ = archive["loss"]
    assert sprung(checkpoints.path(spec)).exists()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EACCES, errno.EIO])
def test_what_cannot_be_read_now_is_not_removed(
    checkpoints: Checkpoints, make: Make, spec: RunSpec, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    checkpoints.save(make())

    def failing(path: str, flags: int) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", failing)
        with pytest.raises(AttnsearchError) as caught:
            checkpoints.load(spec, unexpected)
    assert str(caught.value) == f"cannot read {checkpoints.path(spec)}: {os.strerror(number)}"
    assert_same(checkpoints.load(spec, unexpected), make())


def test_what_cannot_be_removed_is_an_error(
    checkpoints: Checkpoints, make: Make, spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(path: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    checkpoints.save(make())
    monkeypatch.setattr(Path, "unlink", read_only)
    expected = f"cannot remove {checkpoints.path(spec)}: Read-only file system; remove it"
    with pytest.raises(AttnsearchError) as caught:
        checkpoints.remove(spec)
    assert str(caught.value) == expected
    truncate(lambda size: size - 1)(checkpoints.path(spec))
    with pytest.raises(AttnsearchError) as caught:
        checkpoints.load(spec, unexpected)
    assert str(caught.value) == expected
