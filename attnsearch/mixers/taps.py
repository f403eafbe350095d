"""A causal convolution of each feature over a few tokens, as a sum of shifted copies."""

from __future__ import annotations

from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp

from attnsearch.mixers.convolution import convolved

LONGEST = 16
"""Tokens that a kernel spans up to which copies are summed. A longer one is a product with a matrix."""

LONGEST_CONTEXT = 4_096
"""Tokens of context up to which copies are summed. Copies of more leave the cache."""


def convolved_by_taps(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`y_t = sum_j kernel_j * x_(t-j)`, feature by feature: `f32[L, D]` of `f32[L, D]` and `f32[K, D]`.

    As `convolution.convolved` has it, and faster for a kernel that is short and the same for every sequence.
    """
    kernel = kernel[: len(x)]
    short = len(kernel) <= LONGEST and len(x) <= LONGEST_CONTEXT
    return _summed(x, kernel) if short else convolved(x, kernel)


@jax.custom_vjp
def _summed(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The copies of `x`, weighted and summed. The gradient is written out: a derived one adds up the gradient
    of the kernel number by number."""
    return _summed_forward(x, kernel)[0]


def _summed_forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, Any]:
    # The barrier has zeros written once, and not asked for at every number of every copy.
    filled = jax.lax.optimization_barrier(jnp.pad(x, ((len(kernel) - 1, 0), (0, 0))))
    return _weighted(_copies(filled, len(x))[::-1], kernel), (filled, kernel)


def _summed_backward(kept: Any, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    filled, kernel = kept
    length = len(gradient)
    after = jax.lax.optimization_barrier(jnp.pad(gradient, ((0, len(kernel) - 1), (0, 0))))
    of_kernel = [_over_tokens(after[:length] * copy) for copy in _copies(filled, length)[::-1]]
    return _weighted(_copies(after, length), kernel), jnp.stack(of_kernel)


_summed.defvjp(_summed_forward, _summed_backward)


def _copies(filled: jax.Array, length: int) -> list[jax.Array]:
    """Each `length` rows that follow one another, from the first row on, from the second, and so on."""
    return [filled[first : first + length] for first in range(len(filled) - length + 1)]


def _weighted(copies: list[jax.Array], kernel: jax.Array) -> jax.Array:
    return reduce(jnp.add, [row * copy for row, copy in zip(kernel, copies, strict=True)])


def _over_tokens(x: jax.Array) -> jax.Array:
    """The sum of all rows: `f32[D]` of `f32[L, D]`. By halves, in which whole rows are added at once."""
    while len(x) > 1:
        half = -(-len(x) // 2)
        x = x[:half] + jnp.pad(x[half:], ((0, 2 * half - len(x)), (0, 0)))
    return x[0]
