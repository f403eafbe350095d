"""Compiled lanes: where the run axis is mapped, over the lanes of a device and over devices. Nowhere else.

On a CPU each core is a device with one lane, because two small single-lane programs side by side were
faster than one program whose products share the cores (docs/performance.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from attnsearch.base import Bools, Floats, MapRecord
from attnsearch.sequences.contests import nothing_contested
from attnsearch.training.jax.cohorts import JaxCohort
from attnsearch.training.jax.devices import gradient_parts
from attnsearch.training.jax.parameters import named
from attnsearch.training.jax.probes import look
from attnsearch.training.jax.trainer import Record, RunInputs, RunState, Trainer

_LANES = PartitionSpec("lanes")

FIRST_TRIED = 4
"""Lanes on an accelerator below which nothing is tried: one run never fills it."""

WORTHWHILE = 1.1
"""Doubling the lanes must raise the steps a second of all lanes together by this factor."""


class CompiledLanes:
    """The compiled programs of one cohort: N lanes of `trainer`, shared evenly by `devices`.

    Every method takes and returns arrays with a leading axis N. A lane never reads another.
    """

    def __init__(self, trainer: Trainer, devices: Sequence[Any], lanes_per_device: int):
        platform = devices[0].platform
        parts = gradient_parts(platform, trainer.batch_size, trainer.generator.context_length)
        self._trainer = trainer = replace(trainer, parts=parts)
        self.count = len(devices) * lanes_per_device
        mesh = Mesh(np.array(devices), ("lanes",), axis_types=(jax.sharding.AxisType.Auto,))
        self._sharding = NamedSharding(mesh, _LANES)
        if platform == "cpu":
            one_after_another: Callable[..., Any] = _map_in_turn
        else:
            one_after_another = jax.vmap

        def over_lanes(function: Callable[..., Any], donate: tuple[int, ...] = ()) -> Callable[..., Any]:
            mapped = jax.shard_map(
                one_after_another(function), mesh=mesh, in_specs=_LANES, out_specs=_LANES, check_vma=False
            )
            return jax.jit(mapped, donate_argnums=donate)

        self._refill = over_lanes(partial(_refill, trainer), donate=(0,))
        self._advance = over_lanes(partial(_advance, trainer), donate=(0,))
        self._look = over_lanes(partial(_look, trainer))

    def begin(self, inputs: RunInputs) -> RunState:
        """Every lane before its first step."""
        shapes = jax.eval_shape(jax.vmap(self._trainer.begin), inputs)
        empty = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
        return self.refill(self._put(empty), inputs, np.ones(self.count, dtype=bool))

    def refill(self, states: RunState, inputs: RunInputs, fresh: Bools) -> RunState:
        """Begin the runs of `inputs` in the lanes where `fresh`, `bool[N]`; the others are untouched."""
        return self._refill(states, *self._put((inputs, fresh)))

    def fits(self, inputs: RunInputs, leaves: Sequence[np.ndarray]) -> bool:
        """Whether `leaves` have the shapes and types of one lane's state; `inputs` of any one lane."""
        expected = jax.tree.leaves(jax.eval_shape(self._trainer.begin, inputs))
        return [(leaf.shape, leaf.dtype) for leaf in expected] == [
            (leaf.shape, leaf.dtype) for leaf in leaves
        ]

    def restore(self, states: RunState, leaves: Mapping[int, Sequence[np.ndarray]]) -> RunState:
        """Put runs that were set aside, as the leaves of a lane's state, into the lanes that are the keys.

        Nothing is computed, so a run goes on bit for bit as if it had never left. The leaves are those
        that `fits` has accepted.
        """
        flat, structure = jax.tree.flatten(states)
        hosts = [np.array(leaf) for leaf in flat]
        for lane, values in leaves.items():
            for host, value in zip(hosts, values, strict=True):
                host[lane] = value
        return self._put(jax.tree.unflatten(structure, hosts))

    def advance(self, states: RunState, active: Bools) -> tuple[RunState, Record]:
        """One recorded point further where `active`, `bool[N]`; on a CPU idle lanes cost nothing."""
        return self._advance(states, self._put(active))

    def look(self, states: RunState, wanted: Bools) -> MapRecord:
        """The maps of all lanes, a leading axis N on every field, on the host. A lane that is not `wanted`,
        `bool[N]`, has zeros."""
        return jax.tree.map(np.asarray, self._look(states, self._put(wanted)))

    def parameters(self, states: RunState, lanes: Collection[int]) -> dict[int, dict[str, Floats]]:
        """The parameters in each of `lanes`, by their names, copied to the host."""
        arrays = named(states.parameters)
        return {lane: {name: array[lane].copy() for name, array in arrays.items()} for lane in lanes}

    def _put(self, values: Any) -> Any:
        return jax.device_put(values, self._sharding)


def stacked(inputs: Sequence[RunInputs]) -> Any:
    """The inputs of N runs as one, with a leading axis N on every field; on the host."""
    return jax.tree.map(lambda *scalars: np.stack(scalars), *inputs)


def is_out_of_memory(error: Exception) -> bool:
    """Whether a device reports that something did not fit into its memory."""
    return "RESOURCE_EXHAUSTED" in str(error)


def lanes_that_pay(cohort: JaxCohort) -> int:
    """Lanes for each local device. One on a CPU, where more gained nothing; elsewhere as measured.

    Trying costs a compilation for each number, kept for later processes where compilations are kept.
    """
    available = jax.local_devices()
    if available[0].platform == "cpu":
        return 1
    most = -(-len(cohort.specs) // len(available))
    return doubled_while_it_pays(lambda lanes: _steps_per_second(cohort, available, lanes), most)


def doubled_while_it_pays(rate: Callable[[int], float], most: int) -> int:
    """The number of lanes from which doubling gains too little, up to `most` and to what memory holds.

    rate:  steps a second of all lanes together, by their number
    """
    lanes = min(FIRST_TRIED, most)
    try:
        best = rate(lanes)
        while lanes < most:
            doubled = min(2 * lanes, most)
            faster = rate(doubled)
            if faster < WORTHWHILE * best:
                return lanes
            lanes, best = doubled, faster
    except jax.errors.JaxRuntimeError as error:
        if not is_out_of_memory(error):
            raise
    return lanes


def _steps_per_second(cohort: JaxCohort, available: Sequence[Any], lanes_per_device: int) -> float:
    lanes = CompiledLanes(cohort.trainer, available, lanes_per_device)
    states = lanes.begin(stacked([cohort.inputs(cohort.specs[0])] * lanes.count))
    everyone = np.ones(lanes.count, dtype=bool)
    states, record = lanes.advance(states, everyone)
    jax.block_until_ready(record)
    start = time.perf_counter()
    for _ in range(3):
        states, record = lanes.advance(states, everyone)
    jax.block_until_ready(record)
    return lanes.count / (time.perf_counter() - start)


def _map_in_turn(function: Callable[..., Any]) -> Callable[..., Any]:
    """`vmap` as a loop, in which a `cond` skips work; batched small products are slow on a CPU."""

    def mapped(*arguments: Any) -> Any:
        return jax.lax.map(lambda one: function(*one), arguments)

    return mapped


def _refill(trainer: Trainer, state: RunState, inputs: RunInputs, fresh: jax.Array) -> RunState:
    return jax.lax.cond(fresh, lambda: trainer.begin(inputs), lambda: state)


def _advance(trainer: Trainer, state: RunState, active: jax.Array) -> tuple[RunState, Record]:
    return jax.lax.cond(active, trainer.advance, partial(_idle, trainer), state)


def _idle(trainer: Trainer, state: RunState) -> tuple[RunState, Record]:
    nothing = jnp.full(len(trainer.network.query_positions), jnp.nan)
    return state, Record(nothing, nothing, nothing[0], *nothing_contested(trainer.generator))


def _look(trainer: Trainer, state: RunState, wanted: jax.Array) -> MapRecord:
    shapes = jax.eval_shape(partial(look, trainer), state)
    nothing = jax.tree.map(lambda field: jnp.zeros(field.shape, field.dtype), shapes)
    return jax.lax.cond(wanted, partial(look, trainer), lambda _: nothing, state)
