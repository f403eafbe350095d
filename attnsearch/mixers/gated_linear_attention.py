"""Gated linear attention."""

from __future__ import annotations

import jax
import numpy as np
from flax import nnx

from attnsearch.base import AttnsearchError, Integers
from attnsearch.mixers.base import Mixer, rows
from attnsearch.mixers.linear import Linear
from attnsearch.mixers.parts import EPSILON, chosen_key_width, heads, side_by_side
from attnsearch.mixers.recurrence import gated
from attnsearch.spec.heads import chosen_head_width

TEMPERATURE = 16
"""Root that is taken of a gate: at first a feature keeps nearly all (section 4.4 of the paper)."""


class GatedLinearAttention(Mixer):
    """Gated linear attention: each feature of the state is forgotten as the token says (arXiv:2312.06635).

    Section 4.1, in the layer of section 4.4. In each head::

        S_t = diag(a_t) S_(t-1) + k_t v_t^T      a_t = sigmoid(W2 W1 x_t + b)^(1/16)
        y_t = LayerNorm(S_t^T q_t / sqrt(K)) * SiLU(gate_t)

    num_heads:   heads, H
    head_width:  features of each head's values; D / H unless given
    key_width:   features of each head's queries and keys, K; half of its values' unless given
    gate_rank:   rank of the matrix W2 W1 of the gates a_t
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
        gate_rank: int = 16,
    ):
        del context_length  # every context is served by the same parameters
        if gate_rank < 1:
            raise AttnsearchError(f"gate_rank {gate_rank} must be at least 1")
        self.num_heads = num_heads
        self.head_width = chosen_head_width(width, num_heads, head_width)
        self.key_width = chosen_key_width(self.head_width, key_width)
        keys, values = num_heads * self.key_width, num_heads * self.head_width
        self.query = Linear(width, keys, use_bias=False, rngs=rngs)
        self.key = Linear(width, keys, use_bias=False, rngs=rngs)
        self.value = Linear(width, values, use_bias=False, rngs=rngs)
        self.decay_inward = Linear(width, gate_rank, use_bias=False, rngs=rngs)
        self.decay_outward = Linear(gate_rank, keys, rngs=rngs)
        self.gate = Linear(width, values, rngs=rngs)
        self.norm = nnx.LayerNorm(self.head_width, epsilon=EPSILON, rngs=rngs)
        self.out = Linear(values, width, use_bias=False, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.at(x, np.arange(len(x)))

    def at(self, x: jax.Array, positions: Integers) -> jax.Array:
        query = heads(self.query(x), self.num_heads) * self.key_width**-0.5
        key, value = heads(self.key(x), self.num_heads), heads(self.value(x), self.num_heads)
        log_decay = nnx.log_sigmoid(self.decay_outward(self.decay_inward(x))) / TEMPERATURE
        recalled = jax.vmap(gated)(query, key, value, heads(log_decay, self.num_heads))
        mixed = rows(side_by_side(self.norm(recalled)), positions)
        return self.out(mixed * nnx.silu(self.gate(rows(x, positions))))
