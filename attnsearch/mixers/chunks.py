"""A context computed chunk by chunk, and the system of equations that the tokens of a chunk may make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

CHUNK = 64
"""Tokens that read one another directly. Work within chunks grows with this, and the loop gets shorter."""

SMALL = 8
"""Tokens whose system is solved by powers of its matrix (`solved`).

Where keys repeat, powers grow with this, and with a whole chunk beyond what rounding allows.
"""

Tokens = TypeVar("Tokens", bound=tuple[jax.Array, ...])

Step = Callable[[Any, Tokens], tuple[Any, jax.Array]]
"""The state before a chunk, or None for the first one, and the chunk: the state after it, and outputs."""


def by_chunks(step: Step[Tokens], tokens: Tokens, *, size: int = CHUNK, multiple: int = 1) -> jax.Array:
    """Outputs, `f32[L, V]`, of `step` on chunk after chunk of arrays `f32[L, ...]`.

    size:      tokens of a chunk; fewer where the context is shorter
    multiple:  what the tokens of a chunk are a multiple of; divides `size`

    Tokens of zeros fill the last chunk. They follow all others, and none reads them.
    """
    length = len(tokens[0])
    size = min(size, length + -length % multiple)

    def cut(x: jax.Array) -> jax.Array:
        filled = jnp.pad(x, ((0, -length % size), *[(0, 0)] * (x.ndim - 1)))
        return filled.reshape(-1, size, *x.shape[1:])

    chunks = jax.tree.map(cut, tokens)
    state, first = step(None, jax.tree.map(lambda x: x[0], chunks))
    if length <= size:
        return first[:length]
    rest = jax.lax.scan(step, state, jax.tree.map(lambda x: x[1:], chunks))[1]
    return jnp.concatenate([first, rest.reshape(-1, rest.shape[-1])])[:length]


@jax.custom_vjp
def solved(below: jax.Array, right: jax.Array) -> jax.Array:
    """The x, `f32[C, V]`, for which `(I + below) x = right`; `below`, `f32[C, C]`, is 0 from its diagonal on.

    By products, which a CPU computes many times faster than it solves small systems: the inverse of I + below
    from the inverses of its halves. The gradient is written out: two products.
    """
    return _solved_forward(below, right)[0]


def _solved_forward(below: jax.Array, right: jax.Array) -> tuple[jax.Array, Any]:
    count, size = len(below), SMALL
    while size < count:
        size *= 2
    inverse = _inverse(jnp.pad(below, (0, size - count)))[:count, :count]
    solution = inverse @ right
    return solution, (inverse, solution)


def _inverse(below: jax.Array) -> jax.Array:
    """The inverse of I + below, `f32[C, C]`, where C is `SMALL` times a power of two."""
    size = len(below)
    if size == SMALL:
        # The series I - below + below^2 - ..., of which each turn doubles the terms. It ends at `SMALL`.
        power = -below
        inverse = jnp.eye(size) + power
        for _ in range(SMALL.bit_length() - 2):
            power = power @ power
            inverse += inverse @ power
        return inverse
    half = size // 2
    first, last = jax.vmap(_inverse)(jnp.stack([below[:half, :half], below[half:, half:]]))
    corner = -last @ below[half:, :half] @ first
    return jnp.block([[first, jnp.zeros_like(first)], [corner, last]])


def _solved_backward(kept: Any, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    inverse, solution = kept
    of_right = inverse.T @ gradient
    return -of_right @ solution.T, of_right


solved.defvjp(_solved_forward, _solved_backward)
