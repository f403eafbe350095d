"""Retention."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from attnsearch.base import AttnsearchError, Integers
from attnsearch.mixers.base import Mixer, rows
from attnsearch.mixers.linear import Linear
from attnsearch.mixers.parts import EPSILON, chosen_key_width, heads, side_by_side
from attnsearch.mixers.recurrence import decayed
from attnsearch.spec.heads import chosen_head_width

LONGEST_TURN = 10_000.0
"""Positions, divided by 2 pi, in which the slowest pair of features turns once, about."""


class Retention(Mixer):
    """Multi-scale retention, as in RetNet: each head forgets at a rate of its own (arXiv:2307.08621).

    Equations 6 and 8. In each head h, with queries and keys whose pairs of features are turned by an angle
    that grows with the position, so that products depend on distances::

        S_t = g_h S_(t-1) + k_t v_t^T      g_h = 1 - 2^(-5 - h), h = 0 ... H - 1
        y_t = GroupNorm(S_t^T q_t / sqrt(K)) * SiLU(gate_t)

    The group norm takes each head as a group, and has no parameters. It makes the paper's further
    normalisations of the scores (section 2.4) change nothing, and they are left out.

    num_heads:   heads, H
    head_width:  features of each head's values; D / H unless given
    key_width:   features of each head's queries and keys, K, an even number; half of its values' unless given
    """

    def __init__(
        self,
        width: int,
        context_length: int,
        *,
        rngs: nnx.Rngs,
        num_heads: int = 4,
        head_width: int | None = None,
        key_width: int | None = None,
    ):
        self.num_heads = num_heads
        self.head_width = chosen_head_width(width, num_heads, head_width)
        self.key_width = chosen_key_width(self.head_width, key_width)
        if self.key_width % 2:
            raise AttnsearchError(
                f"key_width {self.key_width} must be even, for pairs of features are turned: give key_width,"
                " or other heads"
            )
        keys, values = num_heads * self.key_width, num_heads * self.head_width
        self.query = Linear(width, keys, use_bias=False, rngs=rngs)
        self.key = Linear(width, keys, use_bias=False, rngs=rngs)
        self.value = Linear(width, values, use_bias=False, rngs=rngs)
        self.gate = Linear(width, values, use_bias=False, rngs=rngs)
        self.out = Linear(values, width, use_bias=False, rngs=rngs)
        self.log_decay = np.log1p(-np.exp2(-5.0 - np.arange(num_heads))).astype(np.float32)
        pairs = self.key_width // 2
        angles = np.arange(context_length)[:, None] / LONGEST_TURN ** (np.arange(pairs) / pairs)
        self.cosine, self.sine = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.at(x, np.arange(len(x)))

    def at(self, x: jax.Array, positions: Integers) -> jax.Array:
        query, key = self._turned(self.query(x)) * self.key_width**-0.5, self._turned(self.key(x))
        log_decay = jnp.broadcast_to(jnp.asarray(self.log_decay)[:, None], query.shape[:2])
        recalled = jax.vmap(decayed)(query, key, heads(self.value(x), self.num_heads), log_decay)
        centred = recalled - recalled.mean(axis=-1, keepdims=True)
        normed = centred * jax.lax.rsqrt((centred**2).mean(axis=-1, keepdims=True) + EPSILON)
        mixed = rows(side_by_side(normed), positions)
        return self.out(mixed * nnx.silu(self.gate(rows(x, positions))))

    def _turned(self, x: jax.Array) -> jax.Array:
        """`f32[H, L, K]`: feature i of a head makes a pair with feature i + K / 2."""
        one, other = jnp.split(heads(x, self.num_heads), 2, axis=-1)
        cosine, sine = self.cosine[: len(x)], self.sine[: len(x)]
        return jnp.concatenate([one * cosine - other * sine, one * sine + other * cosine], axis=-1)
