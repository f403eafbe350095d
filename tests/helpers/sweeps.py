"""Sweeps of a tiny linear map: what they ask for, who watches them, and how their ends compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attnsearch.backends import specify
from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec.run import RunSpec
from attnsearch.training.observer import Observer
from helpers.tiny import VALUES

BOTH = {**VALUES, "support_size": [1, 2]}
"""Two cells of one cohort."""

Undisturbed = Mapping[RunSpec, StoredRun]


def sweep(
    seeds: Iterable[int], values: Mapping[str, list[Any]] = BOTH, **changes: list[Any]
) -> list[RunSpec]:
    return specify(["linear_map"], ["attention"], {**values, **changes}, seeds=seeds)


class Watcher(Observer):
    """Notes what it is told, and stops after so many points."""

    def __init__(self, points: float = float("inf")):
        self.points = points
        self.pending: list[RunSpec] = []
        self.stored: list[StoredRun] = []
        self.finished_runs: list[RunSpec] = []
        self.compiled = 0
        self.warnings: list[str] = []
        self.advances: list[list[RunSpec]] = []
        self.steps: list[int] = []

    def planned(self, pending: Sequence[RunSpec], stored: Sequence[StoredRun]) -> None:
        self.pending, self.stored = list(pending), list(stored)

    def preparing(self, runs: Sequence[RunSpec], num_lanes: int, work: str) -> None:
        self.compiled += 1

    def advanced(self, running: Sequence[Any], num_lanes: int) -> None:
        self.advances.append([at.spec for at in running])
        self.steps += [at.step for at in running]

    def finished(self, run: StoredRun) -> None:
        self.finished_runs.append(run.spec)

    def warned(self, message: str) -> None:
        self.warnings.append(message)

    def wants_to_stop(self) -> bool:
        return len(self.advances) >= self.points


def stored(root: Path) -> dict[RunSpec, StoredRun]:
    return {run.spec: run for run in Store.open(root).runs(pytest.fail)}


def same(one: StoredRun, other: StoredRun) -> None:
    """Equal bit for bit in everything that training makes."""
    assert len(one.updates.norm) == len(one.curves.step)
    parts = [(*run.curves, *run.maps, *run.updates) for run in (one, other)]
    for ours, theirs in zip(*parts, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert one.status == other.status
    assert one.measures.to_json(one.maps) == other.measures.to_json(other.maps)


def all_the_same(root: Path, undisturbed: Undisturbed) -> None:
    """The folder holds these runs, and neither more nor checkpoints."""
    found = stored(root)
    assert set(found) == set(undisturbed)
    for spec, run in found.items():
        same(run, undisturbed[spec])
    assert not list(root.glob("runs/.checkpoint-*"))
