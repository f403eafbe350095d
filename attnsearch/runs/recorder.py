"""A run while it trains, seen from the host: what was recorded, and whether it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from attnsearch.base import (
    RECORDING_INTERVAL,
    Contests,
    Curves,
    Floats,
    Heads,
    MapRecord,
    Maps,
    RouteMass,
    Truth,
    Updates,
)
from attnsearch.runs.escape import escape_threshold
from attnsearch.runs.outline import MASTERY_HOLD, Targets, escapes, finds, held, masters, outlined
from attnsearch.runs.store import Status, StoredRun
from attnsearch.spec.run import RunSpec

_NOT_CONTESTED: Floats = np.zeros(0, np.float32)


def is_map_step(step: int) -> bool:
    """Whether every run's map is measured at `step`: at 0, at 50, and on by fourth roots of two."""
    if step < 50:
        return step == 0
    power = round(4 * np.log2(step / 50))
    return step == round(50 * 2 ** (power / 4) / RECORDING_INTERVAL) * RECORDING_INTERVAL


@dataclass
class Recording:
    """One run's recorded points and maps so far. `status` is None until the run has ended."""

    spec: RunSpec
    truth: Truth
    route_names: tuple[str, ...] = ()
    status: Status | None = None
    loss: list[Floats] = field(default_factory=list)
    accuracy: list[Floats] = field(default_factory=list)
    update_norm: list[Any] = field(default_factory=list)
    margin: list[Floats] = field(default_factory=list)
    agreement: list[Any] = field(default_factory=list)
    map_steps: list[int] = field(default_factory=list)
    maps: list[MapRecord] = field(default_factory=list)
    _targets: Targets = field(init=False)
    _escaped: bool = field(init=False)

    def __post_init__(self) -> None:
        self._targets = Targets.of(self.truth)
        # One that goes on from a checkpoint begins with points.
        self._escaped = bool(self.loss) and self._escapes(np.stack(self.loss))

    @classmethod
    def of(cls, run: StoredRun) -> Self:
        """What was recorded of a run that has ended."""
        points, maps, heads = len(run.curves.step), run.maps, run.heads
        contested, routes = bool(run.contests.margin.size), run.routes
        rows, unknown = len(run.truth.attention_map), [np.float32(np.nan)] * points
        route_mass = routes.mass if len(routes.names) else np.zeros((len(maps.step), 0, rows), np.float32)
        return cls(
            run.spec,
            run.truth,
            tuple(routes.names.tolist()),
            run.status,
            loss=list(run.curves.loss),
            accuracy=list(run.curves.accuracy),
            update_norm=list(run.updates.norm) if run.updates.norm.size else unknown,
            margin=list(run.contests.margin) if contested else [_NOT_CONTESTED] * points,
            agreement=list(run.contests.agreement) if contested else unknown,
            map_steps=maps.step.tolist(),
            maps=list(
                map(
                    MapRecord,
                    *(maps.influence, maps.mass, maps.later, route_mass),
                    *(heads.weights, heads.mass, heads.entropy),
                )
            ),
        )

    @property
    def step(self) -> int:
        """Steps recorded so far."""
        return len(self.loss) * RECORDING_INTERVAL

    @property
    def target_loss(self) -> Floats:
        """`f32[R]`: the latest loss of each target, in nats."""
        return self.loss[-1][self.truth.is_target]

    @property
    def found(self) -> int:
        """Targets whose latest loss is below the found threshold."""
        return int(finds(self.target_loss, self._targets, self.spec.cell.task.plateau).sum())

    def add(
        self,
        loss: Floats,
        accuracy: Floats,
        update_norm: Any = np.nan,
        margin: Floats = _NOT_CONTESTED,
        agreement: Any = np.nan,
    ) -> bool:
        """Take in a recorded point; True if the map should be measured here.

        loss, accuracy:     `f32[Q]`
        update_norm:        `f32[]`, as in `base.Updates`; nan where it is not known
        margin, agreement:  `f32[P]` and `f32[]`, as in `base.Contests`; P = 0 where no routes compete

        Ends the run when it has mastered every target for `MASTERY_HOLD` points in a row, when its
        loss is no longer finite, or when its budget is used up.
        """
        self.loss.append(loss)
        self.accuracy.append(accuracy)
        self.update_norm.append(np.float32(update_norm))
        # A checkpoint may be older than what is asked now; then the run goes on as it began.
        self.margin.append(margin[: len(self.margin[0])] if self.margin else margin)
        self.agreement.append(np.float32(agreement))
        budget = self.spec.cell.budget
        if not np.isfinite(loss).all():
            self.status = "diverged"
        elif budget.early_stopping and self._masters(self.loss[-MASTERY_HOLD:]):
            self.status = "mastered"
        elif self.step >= budget.steps:
            self.status = "mastered" if self._masters(self.loss) else "exhausted"
        below = self._escapes(loss)
        first, self._escaped = below and not self._escaped, below or self._escaped
        return first or self.status is not None or is_map_step(self.step)

    def add_map(self, record: MapRecord) -> None:
        """Take in the map measured at the present step."""
        self.map_steps.append(self.step)
        # In 255ths a weight is as fine as a picture shows it, and takes little room when packed. Weights of a
        # diverged run are not numbers.
        weights = np.rint(np.nan_to_num(record.weights) * 255).astype(np.uint8)
        routes = record.route_mass[: len(self.route_names)]
        self.maps.append(record._replace(weights=weights, later=np.float32(record.later), route_mass=routes))

    def stored(self, environment: Mapping[str, Any]) -> StoredRun:
        """The ended run, as it is to be stored."""
        assert self.status is not None
        steps = RECORDING_INTERVAL * np.arange(1, len(self.loss) + 1, dtype=np.int32)
        curves = Curves(steps, np.stack(self.loss), np.stack(self.accuracy))
        recorded = self.stacked_maps()
        steps_of_maps = np.array(self.map_steps, np.int32)
        maps = Maps(steps_of_maps, recorded.influence, recorded.map_mass, recorded.later)
        heads = Heads(recorded.weights, recorded.mass, recorded.entropy)
        run = StoredRun(self.spec, self.status, environment, self.truth, curves, maps, heads)
        norm = np.stack(self.update_norm)
        if np.isfinite(norm).any():
            run = replace(run, updates=Updates(steps, norm))
        if self.margin[0].size:
            run = replace(run, contests=Contests(steps, np.stack(self.margin), np.stack(self.agreement)))
        if recorded.route_mass.size:
            names = np.array(self.route_names)
            run = replace(run, routes=RouteMass(names, steps_of_maps, recorded.route_mass))
        return run

    def so_far(self) -> StoredRun:
        """What was recorded, as of a run whose budget ends here: to be looked at, never to be stored."""
        seen = self.until(self.step)
        seen.status = "exhausted"
        return seen.stored({})

    def stacked_maps(self) -> MapRecord:
        """The maps so far, a leading axis M on every field; M = 0 where none was measured."""
        shape = self.truth.attention_map.shape
        routes = np.zeros((len(self.route_names), *shape[:1]), np.float32)
        rows = np.zeros(shape[:1], np.float32)
        nothing = MapRecord.of(np.zeros(shape, np.float32), rows, route_mass=routes)
        records = self.maps or [nothing._replace(weights=nothing.weights.astype(np.uint8))]
        stacked = map(np.stack, zip(*records, strict=True))
        return MapRecord(*(array[: len(self.maps)] for array in stacked))

    def until(self, step: int) -> Recording:
        """What was recorded up to `step`, a multiple of `RECORDING_INTERVAL`, as of a run that goes on."""
        points = step // RECORDING_INTERVAL
        maps = sum(at <= step for at in self.map_steps)
        return Recording(
            self.spec,
            self.truth,
            self.route_names,
            loss=self.loss[:points],
            accuracy=self.accuracy[:points],
            update_norm=self.update_norm[:points],
            margin=self.margin[:points],
            agreement=self.agreement[:points],
            map_steps=self.map_steps[:maps],
            maps=self.maps[:maps],
        )

    def _escapes(self, loss: Floats) -> bool:
        """Whether it has escaped at any of the points `loss`, `f32[..., Q]`."""
        outline = outlined(loss[..., self.truth.is_target], self._targets)
        return bool(escapes(outline, self._targets, escape_threshold(self.spec.cell.task)).any())

    def _masters(self, points: list[Floats]) -> bool:
        outline = outlined(np.stack(points)[:, self.truth.is_target], self._targets)
        return bool(held(masters(outline, self._targets, self.spec.cell.task.plateau)).any())
