"""A run that goes on from a checkpoint is the run that was never stopped."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
from helpers.checkpointed import assert_same_array
from helpers.stored import unexpected

from attnsearch.base import RECORDING_INTERVAL, Floats, MapRecord, Truth
from attnsearch.runs.checkpoints import Checkpoint, Checkpoints
from attnsearch.runs.recorder import Recording
from attnsearch.spec.run import RunSpec


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
        assert ours.measures.to_json(ours.maps) == theirs.measures.to_json(theirs.maps), seed
        for name in ("truth", "curves", "maps"):
            for array, array_then in zip(getattr(ours, name), getattr(theirs, name), strict=True):
                assert_same_array(array, array_then)
        ends.append(theirs.status)
        escaped.append((escaped_before, theirs.measures.escaped))
        checkpoints.remove(curve_spec)
    # The curves are worth their name: runs stop before, after and without an escape, and end as all do.
    assert min(ends.count(end) for end in ("mastered", "exhausted", "diverged")) > 10
    assert min(escaped.count(case) for case in ((False, False), (False, True), (True, True))) > 10
