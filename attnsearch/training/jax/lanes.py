"""The runs that are in the lanes of one compilation."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

from attnsearch.base import Bools, Floats, MapRecord
from attnsearch.spec.run import RunSpec
from attnsearch.training.engine import Begun, Leaves, OutOfDeviceMemory, Points
from attnsearch.training.jax import devices
from attnsearch.training.jax.cohorts import JaxCohort
from attnsearch.training.jax.compiled import CompiledLanes, is_out_of_memory, stacked
from attnsearch.training.jax.trainer import Record, RunState


class JaxLanes:
    """`training.engine.Lanes` of one cohort: its compiled programs, and the state of every lane."""

    preparation = "compiling"

    def __init__(self, cohort: JaxCohort, programs: CompiledLanes):
        self._cohort, self._programs = cohort, programs
        self._inputs = [cohort.inputs(cohort.specs[0])] * programs.count
        self._kept: RunState | None = None
        self._record: Record | None = None

    @property
    def count(self) -> int:
        """Lanes of all devices together."""
        return self._programs.count

    @property
    def environment(self) -> Mapping[str, Any]:
        """Versions, devices and lanes."""
        return devices.describe(self.count)

    def begin(self, specs: Mapping[int, RunSpec]) -> Mapping[int, Begun]:
        """Every lane's network is drawn where it is asked for; the first call compiles."""
        self._assign(specs)
        with _telling_of_memory():
            fresh = self._mask(specs)
            self._kept = self._programs.refill(self._states, stacked(self._inputs), fresh)
            maps = self._programs.look(self._kept, fresh)
            rules = jax.tree.map(np.array, self._kept.rule)
        generator = self._cohort.trainer.generator
        found = {}
        for lane in specs:
            rule = jax.tree.map(lambda array, lane=lane: array[lane], rules)
            truth = generator.truth(rule, self._inputs[lane].knobs)
            found[lane] = Begun(truth, generator.route_names, _of_lane(maps, lane))
        return found

    def fits(self, lane: int, spec: RunSpec, leaves: Leaves) -> bool:
        """The same for every lane."""
        return self._programs.fits(self._cohort.inputs(spec), leaves)

    def restore(self, saved: Mapping[int, tuple[RunSpec, Leaves]]) -> None:
        """Nothing is computed."""
        self._assign({lane: spec for lane, (spec, _) in saved.items()})
        with _telling_of_memory():
            leaves = {lane: leaves for lane, (_, leaves) in saved.items()}
            self._kept = self._programs.restore(self._states, leaves)

    def advance(self, lanes: Collection[int]) -> None:
        """Begins the work on the device."""
        with _telling_of_memory():
            self._kept, self._record = self._programs.advance(self._states, self._mask(lanes))

    def points(self) -> Points:
        """Waits for the device."""
        assert self._record is not None
        with _telling_of_memory():
            return Points(*map(np.asarray, self._record))

    def look(self, lanes: Collection[int]) -> Mapping[int, MapRecord]:
        """Measured on the device, all lanes at once."""
        with _telling_of_memory():
            maps = self._programs.look(self._states, self._mask(lanes))
        return {lane: _of_lane(maps, lane) for lane in lanes}

    def leaves(self, lanes: Collection[int]) -> Mapping[int, tuple[np.ndarray, ...]]:
        """Copies, for the device's own arrays are reused."""
        with _telling_of_memory():
            hosts = [np.array(leaf) for leaf in jax.tree.leaves(self._states)]
        return {lane: tuple(host[lane] for host in hosts) for lane in lanes}

    def parameters(self, lanes: Collection[int]) -> Mapping[int, Mapping[str, Floats]]:
        """As `CompiledLanes.parameters` has them."""
        with _telling_of_memory():
            return self._programs.parameters(self._states, lanes)

    @property
    def _states(self) -> RunState:
        """The state of every lane, begun when it is first asked for."""
        if self._kept is None:
            self._kept = self._programs.begin(stacked(self._inputs))
        return self._kept

    def _assign(self, specs: Mapping[int, RunSpec]) -> None:
        for lane, spec in specs.items():
            self._inputs[lane] = self._cohort.inputs(spec)

    def _mask(self, lanes: Collection[int]) -> Bools:
        """`bool[N]`: True at `lanes`."""
        mask = np.zeros(self.count, dtype=bool)
        mask[list(lanes)] = True
        return mask


@contextmanager
def _telling_of_memory() -> Iterator[None]:
    """Errors: OutOfDeviceMemory where a device reports that something did not fit."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if is_out_of_memory(error):
            raise OutOfDeviceMemory from error
        raise


def _of_lane(maps: MapRecord, lane: int) -> MapRecord:
    return MapRecord(*(field[lane] for field in maps))
