"""Relative positions of attention: what is done to queries, keys and logits."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from attnsearch.base import Integers
from attnsearch.mixers.base import LogitBias
from attnsearch.spec.positions import NUM_BUCKETS, alibi_slopes, buckets, rotations


def rotated(x: jax.Array, positions: Integers) -> jax.Array:
    """`x`, `f32[Q, H, d]`, with each pair of features turned by its position's angle (arXiv:2104.09864, eq.
    34)."""
    cosine, sine = rotations(positions, x.shape[-1])
    pairs = x.reshape(*x.shape[:-1], -1, 2)
    turned = jnp.stack([-pairs[..., 1], pairs[..., 0]], axis=-1).reshape(x.shape)
    return x * cosine[:, None] + turned * sine[:, None]


def alibi(num_heads: int, length: int) -> LogitBias:
    """What falls with the distance, `f32[H, P, L]` for `i32[P]` positions (arXiv:2108.12409, section 3)."""
    slopes = jnp.asarray(alibi_slopes(num_heads))[:, None, None]
    return lambda positions: -slopes * _distances(length, positions)


class RelativeBias(nnx.Module):
    """A learned number for each head and bucket of distances (arXiv:1910.10683, section 2.1).

    There all layers share one table. Here each layer has its own, as all else of a mixer.

    table:  `f32[buckets, H]`
    """

    def __init__(self, width: int, num_heads: int, *, rngs: nnx.Rngs):
        self.table = nnx.Param(width**-0.5 * jax.random.normal(rngs.params(), (NUM_BUCKETS, num_heads)))

    def __call__(self, length: int, positions: Integers | jax.Array) -> jax.Array:
        """`f32[H, P, L]`: what is added to the logits of the queries at `positions`, `i32[P]`."""
        of_each = jnp.asarray(buckets(length))[_distances(length, positions)]
        # A product with one-hot rows, for the gradient of a look-up is a scatter, slow on a CPU.
        return jnp.einsum("qkb,bh->hqk", jax.nn.one_hot(of_each, NUM_BUCKETS), self.table[...])


def _distances(length: int, positions: Integers | jax.Array) -> jax.Array:
    """`i32[P, L]`: from each query back to each position; 0 for those after it, which it does not see."""
    return jnp.maximum(jnp.asarray(positions)[:, None] - np.arange(length), 0)
