"""Gated DeltaNet."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from attnsearch.base import Integers
from attnsearch.mixers.base import Mixer, rows
from attnsearch.mixers.linear import Linear
from attnsearch.mixers.parts import EPSILON, Convolved, chosen_key_width, heads, side_by_side, unit
from attnsearch.mixers.recurrence import delta_rule
from attnsearch.spec.heads import chosen_head_width

LARGEST_FORGETTING = 16.0
"""Of the factors that a head's forgetting starts with, which are spread between 1 and this, as in Mamba-2."""

SHORTEST_STEP, LONGEST_STEP = 1e-3, 1e-1
"""What a token forgets by is multiplied with at first, spread evenly in its logarithm, as in Mamba-2."""


class GatedDeltaNet(Mixer):
    """Gated DeltaNet: the delta rule with a state that is forgotten as the token says (arXiv:2412.06464).

    Equation 10, in the layer of section 3.4. In each head, with queries and keys of norm 1 and a rate b_t
    from a sigmoid::

        S_t = a_t (I - b_t k_t k_t^T) S_(t-1) + b_t k_t v_t^T      a_t = exp(-exp(A) softplus(w . x_t + c))
        y_t = RMSNorm(S_t^T q_t / sqrt(K)) * SiLU(gate_t)

    Queries, keys and values come from a projection, a short convolution and SiLU.

    num_heads:         heads, H
    head_width:        features of each head's values; D / H unless given
    key_width:         features of each head's queries and keys, K; half of its values' unless given
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
        key_width: int | None = None,
        convolution_size: int = 4,
    ):
        del context_length  # every context is served by the same parameters
        self.num_heads = num_heads
        self.head_width = chosen_head_width(width, num_heads, head_width)
        self.key_width = chosen_key_width(self.head_width, key_width)
        keys, values = num_heads * self.key_width, num_heads * self.head_width
        self.query = Convolved(width, keys, convolution_size, rngs=rngs)
        self.key = Convolved(width, keys, convolution_size, rngs=rngs)
        self.value = Convolved(width, values, convolution_size, rngs=rngs)
        self.rate = Linear(width, num_heads, use_bias=False, rngs=rngs)
        self.step = Linear(width, num_heads, use_bias=False, rngs=rngs)
        spread = jax.random.uniform(rngs.params(), (num_heads,))
        first = SHORTEST_STEP * (LONGEST_STEP / SHORTEST_STEP) ** spread
        self.step_bias = nnx.Param(jnp.log(jnp.expm1(first)))  # softplus gives `first`
        self.log_forgetting = nnx.Param(
            jnp.log(jax.random.uniform(rngs.params(), (num_heads,), minval=1.0, maxval=LARGEST_FORGETTING))
        )
        self.gate = Linear(width, values, use_bias=False, rngs=rngs)
        self.norm = nnx.RMSNorm(self.head_width, epsilon=EPSILON, rngs=rngs)
        self.out = Linear(values, width, use_bias=False, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.at(x, np.arange(len(x)))

    def at(self, x: jax.Array, positions: Integers) -> jax.Array:
        query = unit(heads(self.query(x), self.num_heads)) * self.key_width**-0.5
        key = unit(heads(self.key(x), self.num_heads))
        value = heads(self.value(x), self.num_heads)
        step = nnx.softplus(self.step(x) + self.step_bias[...])
        log_decay = -jnp.exp(self.log_forgetting[...]) * step
        recalled = jax.vmap(delta_rule)(query, key, value, nnx.sigmoid(self.rate(x)).T, log_decay.T)
        mixed = rows(side_by_side(self.norm(recalled)), positions)
        return self.out(mixed * nnx.silu(self.gate(rows(x, positions))))
