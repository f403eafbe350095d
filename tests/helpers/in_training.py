"""Runs in training as a folder has them: made runs that are checkpointed in the middle."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from attnsearch.base import MapRecord
from attnsearch.runs.checkpoints import Checkpoint, Checkpoints
from attnsearch.runs.recorder import Recording
from attnsearch.runs.store import StoredRun


def recorded(run: StoredRun, step: int) -> Recording:
    """What is recorded of `run` until `step`, at which it has not ended."""
    recording = Recording(run.spec, run.truth)
    recording.add_map(_map_at(run, 0))
    for loss, accuracy in zip(run.curves.loss, run.curves.accuracy, strict=True):
        if recording.step >= step:
            break
        if recording.add(loss, accuracy):
            recording.add_map(_map_at(run, recording.step))
    return recording


def checkpointed(root: Path, run: StoredRun, step: int, saved: float | None = None) -> Path:
    """Save `run` as of `step` in the store at `root`; `saved` is when, in seconds since 1970."""
    checkpoints = Checkpoints(root)
    checkpoints.save(Checkpoint(recorded(run, step), (np.zeros(3, np.float32),)))
    path = checkpoints.path(run.spec)
    if saved is not None:
        os.utime(path, (saved, saved))
    return path


def _map_at(run: StoredRun, step: int) -> MapRecord:
    """The map of `run` that was measured last until `step`, with its heads."""
    at = int(np.searchsorted(run.maps.step, step, "right")) - 1
    return MapRecord.of(run.maps.influence[at], run.maps.mass[at])._replace(
        weights=run.heads.weights[at] / 255, mass=run.heads.mass[at], entropy=run.heads.entropy[at]
    )
