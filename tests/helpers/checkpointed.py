"""Checkpoints of one run that differ in all their numbers, and how they compare with what comes back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from attnsearch.base import MapRecord, Truth
from attnsearch.runs.checkpoints import Checkpoint, Checkpoints
from attnsearch.runs.recorder import Recording
from attnsearch.spec.run import RunSpec

Make = Callable[..., Checkpoint]


def maker(spec: RunSpec, truth: Truth) -> Make:
    """Makes a checkpoint after some recorded points."""

    def map_record(random: np.random.Generator) -> MapRecord:
        return MapRecord.of(random.random((2, 4), dtype=np.float32), random.random(2, dtype=np.float32))

    def checkpoint(points: int = 4, random_seed: int = 0) -> Checkpoint:
        random = np.random.default_rng(random_seed)
        recording = Recording(spec, truth)
        recording.add_map(map_record(random))
        for _ in range(points):
            if recording.add(1 + random.random(3, np.float32), random.random(3, np.float32)):
                recording.add_map(map_record(random))
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
    for name in ("loss", "accuracy", "update_norm"):
        for point, point_then in zip(getattr(ours, name), getattr(theirs, name), strict=True):
            assert_same_array(np.asarray(point), np.asarray(point_then))
    for record, record_then in zip(ours.maps, theirs.maps, strict=True):
        for field, field_then in zip(record, record_then, strict=True):
            assert_same_array(np.asarray(field), np.asarray(field_then))
    assert type(ours.truth) is Truth
    for array, array_then in zip(ours.truth, theirs.truth, strict=True):
        assert_same_array(array, array_then)
    assert vars(ours).keys() == vars(theirs).keys()
    assert ours._escaped == theirs._escaped
