"""The matrix products of a function in jax, alone: its time if nothing else had to be computed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core
from jax.interpreters.partial_eval import dce_jaxpr


class Shape(NamedTuple):
    """`batch` products of `rows` x `inner` with `inner` x `columns`, at once."""

    batch: int
    rows: int
    inner: int
    columns: int


def matrix_products(function: Callable[..., Any], *arguments: Any) -> Counter[Shape]:
    """How many products of each shape `function(*arguments)` computes, that its results need.

    The body of a scan counts as often as it turns. Products with a vector are left out: they are sums.
    """
    traced = jax.make_jaxpr(function)(*arguments).jaxpr
    needed, _ = dce_jaxpr(traced, [True] * len(traced.outvars))
    found = Counter[Shape]()
    _count(needed, 1, found)
    return Counter({shape: times for shape, times in found.items() if min(shape.rows, shape.columns) > 1})


def _count(traced: core.Jaxpr, times: int, found: Counter[Shape]) -> None:
    for step in traced.eqns:
        if step.primitive.name == "dot_general":
            found[_shape(step)] += times
        turns = step.params["length"] if step.primitive.name == "scan" else 1
        for inner in core.jaxprs_in_params(step.params):
            _count(inner, times * turns, found)


def _shape(step: core.JaxprEqn) -> Shape:
    (left_inner, _), (left_batch, _) = step.params["dimension_numbers"]
    left, right = (cast("jax.ShapeDtypeStruct", operand.aval).shape for operand in step.invars)
    batch = math.prod(left[axis] for axis in left_batch)
    inner = math.prod(left[axis] for axis in left_inner)
    return Shape(batch, math.prod(left) // (batch * inner), inner, math.prod(right) // (batch * inner))


class Products:
    """Products of random matrices, one after another. Operands lie as a product reads them, in the cache.

    products:  how many of each shape
    times:     all of them are computed so often by each `advance`
    work:      of each `advance`, in any unit
    """

    def __init__(self, products: Mapping[Shape, int], times: int, work: float):
        self.work = work
        random = np.random.default_rng(0)

        def drawn(*sizes: int) -> jax.Array:
            return jnp.asarray(random.normal(size=sizes), jnp.float32)

        self._operands = [
            (drawn(shape.batch, shape.rows, shape.inner), drawn(shape.batch, shape.inner, shape.columns))
            for shape in products
        ]
        turns = [times * count for count in products.values()]

        def compute(operands: Sequence[tuple[jax.Array, jax.Array]]) -> list[jax.Array]:
            return [
                _repeated(left, right, often) for (left, right), often in zip(operands, turns, strict=True)
            ]

        self._compute = jax.jit(compute)

    def advance(self) -> None:
        """Once, to its end."""
        jax.block_until_ready(self._compute(self._operands))


def _repeated(left: jax.Array, right: jax.Array, turns: int) -> jax.Array:
    """One product, computed `turns` times."""
    if len(left) == 1:
        left, right = left[0], right[0]

    def again(_: Any, carried: tuple[jax.Array, jax.Array, jax.Array]) -> Any:
        # Without the barrier, XLA would see that every turn computes the same, and leave out all but one.
        left, right, _before = carried
        return jax.lax.optimization_barrier((left, right, left @ right))

    return jax.lax.fori_loop(0, turns, again, (left, right, jnp.zeros_like(left @ right)))[2]
