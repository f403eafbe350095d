"""Checkpoints: a run goes on from one bit for bit, and one that is not whole is never taken for one."""

from __future__ import annotations

import errno
import json
import os
import pickle
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import attnsearch.base
from attnsearch.base import RECORDING_INTERVAL, AttnsearchError, Floats, MapRecord, Truth
from attnsearch.runs.checkpoints import Checkpoint, Checkpoints
from attnsearch.runs.recorder import Recording
from attnsearch.runs.store import Store
from attnsearch.spec.run import PlateauRule, RunSpec

Make = Callable[..., Checkpoint]
Damage = Callable[[Path], None]


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(Store.open(tmp_path / "results").root)


@pytest.fixture
def make(spec: RunSpec, truth: Truth) -> Make:
    """Checkpoints of one run that differ in all their numbers, after some recorded points."""

    def checkpoint(points: int = 4, random_seed: int = 0) -> Checkpoint:
        random = np.random.default_rng(random_seed)
        recording = Recording(spec, truth)
        recording.add_map(
            MapRecord.of(random.random((2, 4), dtype=np.float32), random.random(2, dtype=np.float32))
        )
        for _ in range(points):
            if recording.add(1 + random.random(3, np.float32), random.random(3, np.float32)):
                recording.add_map(
                    MapRecord.of(random.random((2, 4), dtype=np.float32), random.random(2, dtype=np.float32))
                )
        return Checkpoint(recording, leaves(random))

    return checkpoint


def leaves(random: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Every dtype that a state may have, all their bits used, and every shape that is easily lost."""

    def of_bytes(dtype: str, *shape: int) -> np.ndarray:
        # A 0-d array of random bytes too; floats that are no numbers among them.
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return np.frombuffer(random.bytes(size), dtype).reshape(shape)

    return (
        *(of_bytes(dtype, 3, 5) for dtype in ("f2", "f4", "f8", "c8", "i1", "i2", "i4", "i8", "u1", "u2")),
        *(of_bytes(dtype) for dtype in ("f4", "i4", "u4", "u8", "f2")),
        of_bytes("u4", 2),
        of_bytes("f4", 0, 3),
        of_bytes("f4", 1, 1, 1),
        np.array([-0.0, np.nan, -np.inf, 1e-45], np.float32),
        random.random(7) < 0.5,
        np.array(True),
        np.asfortranarray(of_bytes("f4", 4, 6)),
        of_bytes("f4", 4, 6)[:, ::2],
    )


def unexpected(line: str) -> None:
    pytest.fail(f"reported as unreadable: {line}")


def names(checkpoints: Checkpoints) -> list[str]:
    return sorted(path.name for path in (checkpoints.root / "runs").iterdir())


def assert_same_array(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert isinstance(ours, np.ndarray)
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    assert ours.tobytes() == theirs.tobytes()


def assert_same(found: Checkpoint | None, expected: Checkpoint) -> None:
    assert found is not None
    for ours, theirs in zip(found.leaves, expected.leaves, strict=True):
        assert_same_array(ours, theirs)
    ours, theirs = found.recording, expected.recording
    assert (ours.spec, ours.status, ours.step) == (theirs.spec, theirs.status, theirs.step)
    assert ours.map_steps == theirs.map_steps
    assert {type(step) for step in ours.map_steps} <= {int}
    for name in ("loss", "accuracy"):
        for point, point_then in zip(getattr(ours, name), getattr(theirs, name), strict=True):
            assert_same_array(point, point_then)
    for record, record_then in zip(ours.maps, theirs.maps, strict=True):
        for field, field_then in zip(record, record_then, strict=True):
            assert_same_array(field, field_then)
    assert type(ours.truth) is Truth
    for array, array_then in zip(ours.truth, theirs.truth, strict=True):
        assert_same_array(array, array_then)
    assert vars(ours).keys() == vars(theirs).keys()
    assert ours._escaped == theirs._escaped


# What is saved comes back.


@pytest.mark.parametrize("points", [0, 1, 7])
def test_a_checkpoint_comes_back_bit_for_bit(checkpoints: Checkpoints, make: Make, points: int) -> None:
    checkpoint = make(points)
    assert checkpoint.recording.step == points * RECORDING_INTERVAL
    checkpoints.save(checkpoint)
    assert_same(checkpoints.load(checkpoint.recording.spec, unexpected), checkpoint)
    # Loading does not use it up: the process may be killed again.
    assert_same(checkpoints.load(checkpoint.recording.spec, unexpected), checkpoint)


def test_nothing_recorded_and_no_state_come_back(
    checkpoints: Checkpoints, spec: RunSpec, truth: Truth
) -> None:
    checkpoint = Checkpoint(Recording(spec, truth), ())
    checkpoints.save(checkpoint)
    assert_same(checkpoints.load(spec, unexpected), checkpoint)


def test_scalars_come_back_as_arrays(checkpoints: Checkpoints, make: Make) -> None:
    scalars = (np.float32(0.1), np.uint32(7), np.bool_(True))
    checkpoint = replace(make(), leaves=scalars)
    checkpoints.save(checkpoint)
    arrays = tuple(np.asarray(scalar) for scalar in scalars)
    assert_same(checkpoints.load(checkpoint.recording.spec, unexpected), replace(checkpoint, leaves=arrays))


def test_the_last_checkpoint_is_the_one(checkpoints: Checkpoints, make: Make) -> None:
    for points in (6, 2, 3):
        checkpoint = make(points, random_seed=points)
        checkpoints.save(checkpoint)
        assert_same(checkpoints.load(checkpoint.recording.spec, unexpected), checkpoint)
        assert names(checkpoints) == [f".checkpoint-{checkpoint.recording.spec.digest}.npz"]


def test_a_run_without_one_starts_from_its_beginning(
    checkpoints: Checkpoints, make: Make, spec: RunSpec
) -> None:
    assert checkpoints.load(spec, unexpected) is None
    checkpoints.save(make())
    assert checkpoints.load(replace(spec, seed=spec.seed + 1), unexpected) is None
    assert checkpoints.load(spec, unexpected) is not None


def test_removing_is_final_and_may_be_done_twice(checkpoints: Checkpoints, make: Make, spec: RunSpec) -> None:
    checkpoints.remove(spec)
    checkpoints.save(make())
    checkpoints.remove(spec)
    assert names(checkpoints) == []
    assert checkpoints.load(spec, unexpected) is None
    checkpoints.remove(spec)


def test_a_store_neither_sees_nor_removes_checkpoints(checkpoints: Checkpoints, make: Make) -> None:
    checkpoint = make()
    checkpoints.save(checkpoint)
    assert list(Store.open(checkpoints.root).runs(unexpected)) == []
    assert_same(checkpoints.load(checkpoint.recording.spec, unexpected), checkpoint)


def test_a_checkpoint_is_as_open_to_others_as_any_file(
    checkpoints: Checkpoints, make: Make, spec: RunSpec
) -> None:
    checkpoints.save(make())
    (checkpoints.root / "plain").touch()
    assert checkpoints.path(spec).stat().st_mode == (checkpoints.root / "plain").stat().st_mode


def test_what_is_on_disk_is_not_compressed(checkpoints: Checkpoints, make: Make, spec: RunSpec) -> None:
    checkpoint = replace(make(), leaves=(np.zeros(100_000, np.float32),))
    checkpoints.save(checkpoint)
    assert checkpoints.path(spec).stat().st_size > 400_000
    with np.load(checkpoints.path(spec)) as archive:
        np.testing.assert_array_equal(archive["loss"], checkpoint.recording.loss)


def test_thresholds_are_those_that_are_asked_for(
    checkpoints: Checkpoints, spec: RunSpec, truth: Truth
) -> None:
    recording = Recording(spec, truth)
    recording.add(np.array([1, 0.8, 0.8], np.float32), np.zeros(3, np.float32))
    checkpoints.save(Checkpoint(recording, ()))
    task = replace(spec.cell.task, plateau=PlateauRule(escape=0.7))
    other = replace(spec, cell=replace(spec.cell, task=task))
    for asked, wanted in ((spec, False), (other, True)):
        checkpoint = checkpoints.load(asked, unexpected)
        assert checkpoint is not None
        assert checkpoint.recording.spec == asked
        # A map is wanted at the escape; under the first thresholds that was before.
        again = np.full(3, 0.6, np.float32)
        assert checkpoint.recording.add(again, again) is wanted


# A run that goes on is the run that was never stopped.


def random_curve(random: np.random.Generator, spec: RunSpec, truth: Truth) -> tuple[RunSpec, Floats]:
    """A specification and more points than its run can have; most of them are at the very thresholds."""
    rule, points = spec.cell.task.plateau, int(random.integers(2, 16))
    levels = np.array([1, rule.escape, 0.92, rule.found, rule.mastery, 0.01])
    # Some search long, others know soon.
    low = random.random()
    shares = np.array([0.6, 0.2, 0.1, 0.1, 0, 0]) * (1 - low) + np.array([0, 0, 0, 0, 0.2, 0.8]) * low
    loss = random.choice(levels, p=shares, size=(points, 1)).astype(np.float32)
    loss = np.repeat(loss, truth.is_target.size, axis=1)
    wobble = random.integers(-1, 2, size=loss.shape)
    loss = np.where(wobble == 0, loss, np.nextafter(loss, loss + wobble)).astype(np.float32)
    loss[:, ~truth.is_target] = 1
    loss[random.random(loss.shape) < 0.03 * random.integers(2)] = np.nan
    budget = replace(
        spec.cell.budget, steps=points * RECORDING_INTERVAL, early_stopping=bool(random.integers(2))
    )
    return replace(spec, cell=replace(spec.cell, budget=budget)), loss


def go_on(recording: Recording, losses: Floats) -> list[int]:
    """Train from where `recording` is to the end of its run; the steps at which a map was asked for."""
    asked = []
    for loss in losses[len(recording.loss) :]:
        if recording.add(loss, -loss):
            asked.append(recording.step)
            recording.add_map(
                MapRecord.of(np.full((2, 4), recording.step, np.float32), np.zeros(2, np.float32))
            )
        if recording.status is not None:
            break
    return asked


def test_going_on_from_a_checkpoint_is_going_on(
    checkpoints: Checkpoints, spec: RunSpec, truth: Truth, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Hundreds of files need not reach the disk.
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    ends: list[str] = []
    escaped: list[tuple[bool, bool]] = []
    for seed in range(300):
        random = np.random.default_rng(seed)
        curve_spec, losses = random_curve(random, spec, truth)
        original = Recording(curve_spec, truth)
        original.add_map(MapRecord.of(np.zeros((2, 4), np.float32), np.zeros(2, np.float32)))
        stop = int(random.integers(len(losses)))
        go_on(original, losses[:stop])
        if original.status is not None:
            continue
        checkpoints.save(Checkpoint(original, (np.array(stop),)))
        loaded = checkpoints.load(curve_spec, unexpected)
        assert loaded is not None
        escaped_before = original._escaped

        assert go_on(loaded.recording, losses) == go_on(original, losses), seed
        ours, theirs = loaded.recording.stored({}), original.stored({})
        assert ours.status == theirs.status, seed
        assert ours.measures.to_json() == theirs.measures.to_json(), seed
        for name in ("truth", "curves", "maps"):
            for array, array_then in zip(getattr(ours, name), getattr(theirs, name), strict=True):
                assert_same_array(array, array_then)
        ends.append(theirs.status)
        escaped.append((escaped_before, theirs.measures.escaped))
        checkpoints.remove(curve_spec)
    # The curves are worth their name: runs stop before, after and without an escape, and end as all do.
    assert min(ends.count(end) for end in ("mastered", "exhausted", "diverged")) > 10
    assert min(escaped.count(case) for case in ((False, False), (False, True), (True, True))) > 10


# What could not be read back is refused.


def with_end(checkpoint: Checkpoint) -> Checkpoint:
    checkpoint.recording.status = "mastered"
    return checkpoint


def with_leaf(leaf: np.ndarray) -> Callable[[Checkpoint], Checkpoint]:
    return lambda checkpoint: replace(checkpoint, leaves=(*checkpoint.leaves, leaf))


def with_ragged_loss(checkpoint: Checkpoint) -> Checkpoint:
    checkpoint.recording.loss[-1] = checkpoint.recording.loss[-1][1:]
    return checkpoint


def without_one_accuracy(checkpoint: Checkpoint) -> Checkpoint:
    checkpoint.recording.accuracy.pop()
    return checkpoint


def without_one_map(checkpoint: Checkpoint) -> Checkpoint:
    checkpoint.recording.maps.pop()
    return checkpoint


def with_another_truth(checkpoint: Checkpoint) -> Checkpoint:
    truth = checkpoint.recording.truth._replace(is_target=np.array([True, True, True]))
    return replace(checkpoint, recording=replace(checkpoint.recording, truth=truth))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (with_end, r"has ended \(mastered\)"),
        (with_leaf(np.array([None])), "leaves are object, expected numpy's own"),
        (with_leaf(np.zeros(2, "V2")), r"leaves are \|V2, expected numpy's own"),
        (with_leaf(np.array("text")), "leaves are <U4, expected numpy's own"),
        (with_ragged_loss, "same shape"),
        (without_one_accuracy, r"accuracy is float32\[3, 3\], but E = 4 by loss"),
        (without_one_map, r"influence is float32\[0, 2, 4\], but M = 1 by map_steps"),
        (with_another_truth, r"log2_search_space is float64\[2\], but R = 3 by is_target"),
    ],
    ids=["ended", "objects", "void", "strings", "ragged", "accuracy", "maps", "truth"],
)
def test_what_could_not_be_read_back_is_the_callers_bug(
    checkpoints: Checkpoints,
    make: Make,
    spec: RunSpec,
    change: Callable[[Checkpoint], Checkpoint],
    reason: str,
) -> None:
    checkpoints.save(make())
    with pytest.raises(ValueError, match=reason):
        checkpoints.save(change(make()))
    assert_same(checkpoints.load(spec, unexpected), make())
    assert len(names(checkpoints)) == 1


# Damage is named and removed.


class Trap:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.path,)


def truncate(keep: Callable[[int], int]) -> Damage:
    def damage(path: Path) -> None:
        content = path.read_bytes()
        path.write_bytes(content[: keep(len(content))])

    return damage


def zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def flip(bit_of: Callable[[bytes], int]) -> Damage:
    """Another value for the lowest bit of the byte at that place."""

    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[bit_of(bytes(content))] ^= 1
        path.write_bytes(content)

    return damage


def rewrite(change: Callable[[dict[str, np.ndarray]], object]) -> Damage:
    """A whole file, its check sums right, with other arrays."""

    def damage(path: Path) -> None:
        with np.load(path) as archive:
            arrays = dict(archive)
        change(arrays)
        np.savez(path, **arrays)

    return damage


def rewrite_array(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Damage:
    return rewrite(lambda arrays: arrays.update({name: change(arrays[name])}))


def rewrite_document(change: Callable[[dict[str, object]], object]) -> Damage:
    def rewritten(text: np.ndarray) -> np.ndarray:
        document = json.loads(text.tobytes())
        change(document)
        return np.frombuffer(json.dumps(document).encode(), np.uint8)

    return rewrite_array("document", rewritten)


def write_document(text: bytes) -> Damage:
    return rewrite_array("document", lambda _: np.frombuffer(text, np.uint8))


def rewrite_header(name: str, old: bytes, new: bytes) -> Damage:
    def damage(path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            members = {member: archive.read(member) for member in archive.namelist()}
        assert old in members[f"{name}.npy"]
        members[f"{name}.npy"] = members[f"{name}.npy"].replace(old, new)
        with zipfile.ZipFile(path, "w") as archive:
            for member, content in members.items():
                archive.writestr(member, content)

    return damage


def set_trap(name: str) -> Damage:
    def damage(path: Path) -> None:
        trap = np.empty((), object)
        trap[()] = Trap(path.with_name("sprung"))
        rewrite_array(name, lambda _: trap)(path)

    return damage


def one_point_less(arrays: dict[str, np.ndarray]) -> None:
    arrays.update({name: arrays[name][:-1] for name in ("loss", "accuracy")})


DAMAGES: list[tuple[str, str, Damage]] = [
    ("empty", "BadZipFile", truncate(lambda size: 0)),
    ("one byte", "BadZipFile", truncate(lambda size: 1)),
    ("half", "BadZipFile", truncate(lambda size: size // 2)),
    ("one byte short", "BadZipFile", truncate(lambda size: size - 1)),
    ("zeros", "BadZipFile", zeros),
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
        "checkpoint version 0, expected 4",
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
    ("giant array", "cannot reshape", rewrite_header("loss", b"(4, 3)", b"(4, 9999999999999)")),
    ("header without an end", "TokenError", rewrite_header("loss", b"(4, 3)", b"((((((")),
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
    assert checkpoints.path(spec).with_name("sprung").exists()


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


# Killed while saving, and no room.

CHILD = """
import pickle, sys
from pathlib import Path
from attnsearch.runs.checkpoints import Checkpoint, Checkpoints

checkpoints = Checkpoints(Path(sys.argv[1]))
checkpoint = Checkpoint(*pickle.load(sys.stdin.buffer))

def pause(event, arguments):
    if event == sys.argv[2] and ".partial-" in str(arguments[0]):
        print("ready", flush=True)
        sys.stdin.buffer.read(1)

sys.addaudithook(pause)
checkpoints.save(checkpoint)
"""


@contextmanager
def saving(checkpoints: Checkpoints, checkpoint: Checkpoint, event: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that saves `checkpoint`, stopped at `event`; ended on leaving."""
    package_parent = str(Path(attnsearch.base.__file__).parents[1])
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", CHILD, str(checkpoints.root), event],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": package_parent},
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(pickle.dumps((checkpoint.recording, checkpoint.leaves)))
        process.stdin.flush()
        assert process.stdout.readline() == b"ready\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("event", "files"), [("os.mkdir", None), ("open", 0), ("os.rename", 1)], ids=["begun", "empty", "written"]
)
@pytest.mark.parametrize("earlier", [True, False], ids=["second", "first"])
def test_a_save_whose_process_is_killed_leaves_the_last_checkpoint(
    checkpoints: Checkpoints, make: Make, spec: RunSpec, event: str, files: int | None, earlier: bool
) -> None:
    def assert_untouched() -> None:
        if earlier:
            assert_same(checkpoints.load(spec, unexpected), make(2))
        else:
            assert checkpoints.load(spec, unexpected) is None

    if earlier:
        checkpoints.save(make(2))
    with saving(checkpoints, make(5, random_seed=1), event) as process:
        assert_untouched()
        process.kill()
        assert process.wait(timeout=60) == -9
    assert_untouched()
    leftovers = list((checkpoints.root / "runs").glob(".partial-*"))
    assert [len(list(leftover.iterdir())) for leftover in leftovers] == ([] if files is None else [files])

    checkpoints.save(make(6, random_seed=2))
    assert_same(checkpoints.load(spec, unexpected), make(6, random_seed=2))
    # A day later the store cleans up.
    yesterday = time.time() - 25 * 3600
    for leftover in leftovers:
        os.utime(leftover, (yesterday, yesterday))
    Store.open(checkpoints.root)
    assert names(checkpoints) == [checkpoints.path(spec).name]


@pytest.mark.parametrize("call", ["mkdir", "fsync", "replace"])
def test_without_room_the_last_checkpoint_stays(
    checkpoints: Checkpoints, make: Make, spec: RunSpec, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    checkpoints.save(make(2))

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os if call == "fsync" else Path, call, full)
        with pytest.raises(AttnsearchError) as caught:
            checkpoints.save(make(5))
    assert str(caught.value) == (
        f"cannot save a checkpoint of run {spec.digest} in {checkpoints.root}: No space left on device; "
        "stored runs stay readable; make room, then give the same command again"
    )
    assert names(checkpoints) == [checkpoints.path(spec).name]
    assert_same(checkpoints.load(spec, unexpected), make(2))
