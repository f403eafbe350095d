"""RWKV-7."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from attnsearch.base import Integers
from attnsearch.mixers.base import Mixer, rows
from attnsearch.mixers.linear import Linear
from attnsearch.mixers.parts import heads, side_by_side, unit
from attnsearch.mixers.rewriting import Rewrites, rewritten
from attnsearch.mixers.state_space import check_at_least_one
from attnsearch.spec.heads import chosen_head_width

LARGEST_FORGETTING = float(np.exp(-0.5))
"""Minus the logarithm of what a feature keeps at one token is at most this, as published."""

FIRST_DECAY = (-6.5, -1.5)
"""Between these the logits of the decays start, spread over the features of each head."""

NORM_EPSILON = 64e-5
"""Of the normalisation of what each head reads, as published."""


class RWKV7(Mixer):
    """RWKV-7: a delta rule with a decay and a rate for each feature (arXiv:2503.14456, section 4.1).

    The time mixing. In each head, with a removal key u of norm 1 and a replacement key k::

        S_t = (diag(w_t) - (a_t * u_t) u_t^T) S_(t-1) + k_t v_t^T      w_t = exp(-exp(-1/2) sigmoid(...))
        y_t = W (gate_t * (GroupNorm(S_t^T r_t) + (r_t . (rho * k_t)) v_t))      a_t = sigmoid(...)

    Each of r, w, k, v, a and gate reads a mixture of the token and the one before it. Decay, rate and gate
    are maps of low rank. Values of the first layer are not added in later ones: a mixer sees one layer.

    num_heads:  heads, H
    rank:       of the maps to decay, rate and gate
    """

    def __init__(
        self,
        width: int,
        context_length: int,
        *,
        rngs: nnx.Rngs,
        num_heads: int = 4,
        rank: int = 16,
    ):
        del context_length  # a recurrence serves any length
        check_at_least_one(rank=rank)
        features = chosen_head_width(width, num_heads, None)
        self.num_heads = num_heads
        # The share of the token before in what r, w, k, v, a and gate read.
        self.shift = nnx.Param(jnp.tile(jnp.linspace(0.0, 1.0, width), (6, 1)))
        self.receptance = Linear(width, width, use_bias=False, rngs=rngs)
        self.key = Linear(width, width, use_bias=False, rngs=rngs)
        self.value = Linear(width, width, use_bias=False, rngs=rngs)
        self.decay_in = Linear(width, rank, use_bias=False, rngs=rngs)
        self.decay_out = Linear(rank, width, rngs=rngs)
        self.decay_out.bias = nnx.Param(jnp.tile(jnp.linspace(*FIRST_DECAY, features), num_heads))
        self.rate_in = Linear(width, rank, use_bias=False, rngs=rngs)
        self.rate_out = Linear(rank, width, rngs=rngs)
        self.gate_in = Linear(width, rank, use_bias=False, rngs=rngs)
        self.gate_out = Linear(rank, width, use_bias=False, rngs=rngs)
        self.removal = nnx.Param(jnp.full(width, 0.85))
        self.replacement = nnx.Param(jnp.ones(width))
        self.bonus = nnx.Param(jnp.zeros(width))
        self.norm = nnx.LayerNorm(features, epsilon=NORM_EPSILON, use_scale=False, use_bias=False, rngs=rngs)
        self.scale = nnx.Param(jnp.ones(width))
        self.offset = nnx.Param(jnp.zeros(width))
        self.out = Linear(width, width, use_bias=False, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.at(x, np.arange(len(x)))

    def at(self, x: jax.Array, positions: Integers) -> jax.Array:
        before = jnp.pad(x, ((1, 0), (0, 0)))[: len(x)] - x
        for_r, for_w, for_k, for_v, for_a, for_gate = (x + before * share for share in self.shift[...])
        query, key, value = self.receptance(for_r), self.key(for_k), self.value(for_v)
        forgetting = LARGEST_FORGETTING * nnx.sigmoid(self.decay_out(jnp.tanh(self.decay_in(for_w))))
        rate = nnx.sigmoid(self.rate_out(self.rate_in(for_a)))
        gate = self.gate_out(nnx.sigmoid(self.gate_in(rows(for_gate, positions))))
        removed = unit(heads(key * self.removal[...], self.num_heads))
        key = key * (1 + (rate - 1) * self.replacement[...])
        query, key, value, rate, forgetting = (
            heads(x, self.num_heads) for x in (query, key, value, rate, forgetting)
        )
        recalled = jax.vmap(rewritten)(Rewrites(query, key, value, removed, -rate * removed, -forgetting))
        bonus = heads(self.bonus[...][None], self.num_heads)
        own = (query * bonus * key).sum(axis=-1, keepdims=True) * value
        normed = side_by_side(self.norm(recalled)) * self.scale[...] + self.offset[...]
        return self.out(rows(normed + side_by_side(own), positions) * gate)
