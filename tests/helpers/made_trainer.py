"""A trainer without networks: losses are drawn from a run's seed and step. It saves and goes on like others.

Processes on a cluster import it, so it loads no framework.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from attnsearch.base import RECORDING_INTERVAL, Floats, MapRecord
from attnsearch.spec.grid import KnownMixers
from attnsearch.spec.run import RunSpec
from attnsearch.training.backend import Ended, Runs, TrainingSettings
from attnsearch.training.engine import Begun, Engine, Leaves, Points
from attnsearch.training.observer import Observer
from helpers.hand_made import CHANCE, KNOWN_MIXERS, spec_of, truth_of

FAULTY = 13
"""A seed whose runs fail after some points, wherever they are trained."""

FAILS_AT = 50


def made_specs(seeds: Sequence[int], **values: Any) -> list[RunSpec]:
    """Runs of 100 steps."""
    return [spec_of(seed=seed, steps=100, **values) for seed in seeds]


@dataclass(frozen=True)
class MadeCohort:
    """Runs of one state size."""

    specs: tuple[RunSpec, ...]


class MadeTrainer:
    """A `training.Trains` of one lane, and a note of the step at which each run was taken up."""

    known_mixers: KnownMixers = KNOWN_MIXERS

    def __init__(self) -> None:
        self.taken_up: list[tuple[RunSpec, int]] = []

    def cohorts(self, specs: Sequence[RunSpec]) -> list[MadeCohort]:
        grouped: dict[Any, list[RunSpec]] = {}
        for spec in specs:
            grouped.setdefault(dict(spec.cell.task.knobs)["state_size"], []).append(spec)
        return [MadeCohort(tuple(members)) for members in grouped.values()]

    def train(
        self,
        cohort: MadeCohort,
        pending: Sequence[RunSpec],
        runs: Runs,
        observer: Observer,
        settings: TrainingSettings,
    ) -> Iterator[Ended]:
        return Engine(pending, _MadeLanes(self.taken_up), runs, observer, settings).run()


class _MadeLanes:
    """One lane; its state is the run in it and the step."""

    count, preparation = 1, "making"
    environment: Mapping[str, Any] = {"device": "none"}

    def __init__(self, taken_up: list[tuple[RunSpec, int]]):
        self._taken_up = taken_up

    def _take_up(self, spec: RunSpec, step: int) -> None:
        self._taken_up.append((spec, step))
        self._spec, self._step = spec, step

    def begin(self, specs: Mapping[int, RunSpec]) -> Mapping[int, Begun]:
        self._take_up(specs[0], 0)
        return {0: Begun(truth_of(specs[0]), (), self._map())}

    def fits(self, lane: int, spec: RunSpec, leaves: Leaves) -> bool:
        return True

    def restore(self, saved: Mapping[int, tuple[RunSpec, Leaves]]) -> None:
        spec, (step,) = saved[0]
        self._take_up(spec, int(step))

    def advance(self, lanes: Collection[int]) -> None:
        if self._spec.seed == FAULTY and self._step == FAILS_AT:
            raise ValueError("this run cannot be trained")
        self._step += RECORDING_INTERVAL

    def points(self) -> Points:
        drawn = np.random.default_rng([self._spec.seed, self._step])
        loss = CHANCE * drawn.uniform(0.5, 1, (1, 4)).astype(np.float32)
        nothing = np.zeros((1, 0), np.float32)
        return Points(loss, np.zeros_like(loss), loss[:, 0], nothing, np.full(1, np.nan, np.float32))

    def look(self, lanes: Collection[int]) -> Mapping[int, MapRecord]:
        return {0: self._map()}

    def leaves(self, lanes: Collection[int]) -> Mapping[int, tuple[np.ndarray, ...]]:
        return {0: (np.array(self._step),)}

    def parameters(self, lanes: Collection[int]) -> Mapping[int, Mapping[str, Floats]]:
        return {0: {"step": np.array([self._step], np.float32)}}

    def _map(self) -> MapRecord:
        truth = truth_of(self._spec)
        return MapRecord.of(truth.attention_map.astype(np.float32), np.ones(4, np.float32))


def on_worker(cores: int) -> MadeTrainer:
    """What trains on a worker."""
    return MadeTrainer()
