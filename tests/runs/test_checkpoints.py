"""Checkpoints: what is saved comes back bit for bit, and what could not come back is not saved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from helpers.checkpointed import Make, assert_same, names
from helpers.stored import unexpected

from attnsearch.base import RECORDING_INTERVAL, Truth
from attnsearch.runs.checkpoints import Checkpoint, Checkpoints
from attnsearch.runs.recorder import Recording
from attnsearch.runs.store import Store
from attnsearch.spec.run import PlateauRule, RunSpec


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
    checkpoint.recording.truth = checkpoint.recording.truth._replace(is_target=np.array([True, True, True]))
    return checkpoint


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
