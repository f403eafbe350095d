"""What several mixers are made of: heads, a short convolution, normalisations."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

from attnsearch.base import AttnsearchError
from attnsearch.mixers.linear import Linear

EPSILON = 1e-6
"""Added to a square before its root is divided by."""


class ShortConvolution(nnx.Module):
    """A causal convolution of each feature on its own, over a few tokens: `f32[L, D] -> f32[L, D]`.

    size:    tokens that it spans, N
    kernel:  `f32[N, D]`; its last row is for the token itself, the row above for the token before

    Errors: AttnsearchError for a size below 1.
    """

    def __init__(self, width: int, size: int, *, rngs: nnx.Rngs):
        if size < 1:
            raise AttnsearchError(f"convolution_size {size} must be at least 1")
        self.kernel = nnx.Param(jax.random.uniform(rngs.params(), (size, width), minval=-1) / size**0.5)

    def __call__(self, x: jax.Array) -> jax.Array:
        kernel, length = self.kernel[...], len(x)
        before = jnp.pad(x, ((len(kernel) - 1, 0), (0, 0)))
        # Sums of shifted copies, which become one loop. A convolution of XLA is slow on a CPU.
        return sum(
            (before[shift : shift + length] * row for shift, row in enumerate(kernel)),
            start=jnp.zeros_like(x),
        )


def heads(x: jax.Array, num_heads: int) -> jax.Array:
    """`f32[L, H * d]` as `f32[H, L, d]`."""
    return x.reshape(len(x), num_heads, -1).swapaxes(0, 1)


def side_by_side(x: jax.Array) -> jax.Array:
    """`f32[H, L, d]` as `f32[L, H * d]`."""
    return x.swapaxes(0, 1).reshape(x.shape[1], -1)


def unit(x: jax.Array) -> jax.Array:
    """`x` with norm 1 along its last axis."""
    return x * jax.lax.rsqrt((x * x).sum(axis=-1, keepdims=True) + EPSILON)


class Convolved(nnx.Module):
    """A projection, then a short convolution and SiLU: `f32[L, D] -> f32[L, O]`."""

    def __init__(self, width: int, out: int, size: int, *, rngs: nnx.Rngs):
        self.linear = Linear(width, out, use_bias=False, rngs=rngs)
        self.convolution = ShortConvolution(out, size, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return nnx.silu(self.convolution(self.linear(x)))


def chosen_key_width(head_width: int, key_width: int | None) -> int:
    """Features of a head's queries and keys: half of its values' unless `key_width` is given.

    Errors: AttnsearchError for a `key_width` that is not at least 1.
    """
    if key_width is None:
        return max(1, head_width // 2)
    if not isinstance(key_width, int) or key_width < 1:
        raise AttnsearchError(f"key_width {key_width!r} must be a whole number, at least 1")
    return key_width
