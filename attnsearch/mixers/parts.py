"""What several mixers are made of: heads, a convolved projection, normalisations."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

from attnsearch.base import AttnsearchError
from attnsearch.mixers.convolution import convolved
from attnsearch.mixers.linear import Linear

EPSILON = 1e-6
"""Added to a square before its root is divided by."""


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
    """A projection, then a causal convolution over a few tokens and SiLU: `f32[L, D] -> f32[L, O]`.

    size:    tokens that the convolution spans, N
    kernel:  `f32[N, O]`; each feature is convolved on its own, and row j is for the token j before

    Errors: AttnsearchError for a size below 1.
    """

    def __init__(self, width: int, out: int, size: int, *, rngs: nnx.Rngs, use_bias: bool = False):
        if size < 1:
            raise AttnsearchError(f"convolution_size {size} must be at least 1")
        self.linear = Linear(width, out, use_bias=False, rngs=rngs)
        bound = size**-0.5
        self.kernel = nnx.Param(jax.random.uniform(rngs.params(), (size, out), minval=-bound, maxval=bound))
        self.bias = nnx.Param(jnp.zeros(out)) if use_bias else None

    def __call__(self, x: jax.Array) -> jax.Array:
        y = convolved(self.linear(x), self.kernel[...])
        return nnx.silu(y if self.bias is None else y + self.bias[...])


def chosen_key_width(head_width: int, key_width: int | None) -> int:
    """Features of a head's queries and keys: half of its values' unless `key_width` is given.

    Errors: AttnsearchError for a `key_width` that is not at least 1.
    """
    if key_width is None:
        return max(1, head_width // 2)
    if not isinstance(key_width, int) or key_width < 1:
        raise AttnsearchError(f"key_width {key_width!r} must be a whole number, at least 1")
    return key_width
