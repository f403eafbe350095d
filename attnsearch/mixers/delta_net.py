"""DeltaNet."""

from __future__ import annotations

import jax
import numpy as np
from flax import nnx

from attnsearch.base import Integers
from attnsearch.mixers.base import Mixer, rows
from attnsearch.mixers.linear import Linear
from attnsearch.mixers.parts import EPSILON, Convolved, heads, side_by_side, unit
from attnsearch.mixers.recurrence import delta_rule
from attnsearch.spec.heads import chosen_head_width


class DeltaNet(Mixer):
    """DeltaNet: linear attention that replaces what a key recalls (arXiv:2102.11174, section 4.2).

    The rule is from section 4.2 there, the layer from arXiv:2406.06484, section 3.3. In each head, with
    queries and keys of norm 1 and a rate b_t from a sigmoid::

        S_t = S_(t-1) + b_t k_t (v_t - S_(t-1)^T k_t)^T      y_t = RMSNorm(S_t^T q_t / sqrt(d))

    Queries, keys and values come from a projection, a short convolution and SiLU.

    num_heads:         heads, H
    head_width:        features of each head's queries, keys and values, d; D / H unless given
    convolution_size:  tokens that the short convolutions span
    """

    def __init__(
        self,
        width: int,
        context_length: int,
        *,
        rngs: nnx.Rngs,
        num_heads: int = 4,
        head_width: int | None = None,
        convolution_size: int = 4,
    ):
        del context_length  # every context is served by the same parameters
        self.num_heads = num_heads
        self.head_width = chosen_head_width(width, num_heads, head_width)
        inner = num_heads * self.head_width
        self.query = Convolved(width, inner, convolution_size, rngs=rngs)
        self.key = Convolved(width, inner, convolution_size, rngs=rngs)
        self.value = Convolved(width, inner, convolution_size, rngs=rngs)
        self.rate = Linear(width, num_heads, use_bias=False, rngs=rngs)
        self.norm = nnx.RMSNorm(self.head_width, epsilon=EPSILON, rngs=rngs)
        self.out = Linear(inner, width, use_bias=False, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.at(x, np.arange(len(x)))

    def at(self, x: jax.Array, positions: Integers) -> jax.Array:
        query = unit(heads(self.query(x), self.num_heads)) * self.head_width**-0.5
        key = unit(heads(self.key(x), self.num_heads))
        value = heads(self.value(x), self.num_heads)
        recalled = jax.vmap(delta_rule)(query, key, value, nnx.sigmoid(self.rate(x)).T)
        return self.out(rows(side_by_side(self.norm(recalled)), positions))
