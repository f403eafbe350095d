"""Mamba-2."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from attnsearch.base import Integers
from attnsearch.mixers.base import Mixer, rows
from attnsearch.mixers.linear import Linear
from attnsearch.mixers.parts import Convolved, heads, side_by_side
from attnsearch.mixers.recurrence import decayed
from attnsearch.mixers.state_space import check_at_least_one, first_steps
from attnsearch.spec.heads import chosen_head_width

EPSILON = 1e-5
"""Added to a square before its root is divided by."""


class Mamba2(Mixer):
    """Mamba-2: a state space layer with one decay for each head (arXiv:2405.21060).

    SSD by chunks (section 6), in the block of section 7.1. In each head, with B and C shared by all heads::

        S_t = exp(step_t A) S_(t-1) + B_t (step_t u_t)^T      step_t = softplus(w . x_t + c)      A = -exp(a)
        y_t = S_t^T C_t + d u_t                               output = W RMSNorm(y * SiLU(gate))

    u, B and C come from a projection, a short convolution and SiLU.

    num_heads:         heads, which share the inner features
    state_width:       numbers that each inner feature remembers, the length of B and C
    expansion:         inner features for each feature; at 1, the parameters are about as many as in attention
    convolution_size:  tokens that the short convolution spans
    """

    def __init__(
        self,
        width: int,
        context_length: int,
        *,
        rngs: nnx.Rngs,
        num_heads: int = 4,
        state_width: int = 64,
        expansion: int = 1,
        convolution_size: int = 4,
    ):
        del context_length  # a recurrence serves any length
        check_at_least_one(state_width=state_width, expansion=expansion)
        inner = expansion * width
        chosen_head_width(inner, num_heads, None)
        self.num_heads, self.inner, self.state_width = num_heads, inner, state_width
        self.inward = Convolved(width, inner + 2 * state_width, convolution_size, rngs=rngs, use_bias=True)
        self.gate = Linear(width, inner, use_bias=False, rngs=rngs)
        self.step = Linear(width, num_heads, use_bias=False, rngs=rngs)
        self.step_bias = nnx.Param(first_steps(num_heads, rngs))
        self.log_rate = nnx.Param(jnp.log(jnp.arange(1.0, num_heads + 1)))
        self.skip = nnx.Param(jnp.ones(num_heads))
        self.norm = nnx.RMSNorm(inner, epsilon=EPSILON, rngs=rngs)
        self.out = Linear(inner, width, use_bias=False, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.at(x, np.arange(len(x)))

    def at(self, x: jax.Array, positions: Integers) -> jax.Array:
        value, written, read = jnp.split(self.inward(x), [self.inner, self.inner + self.state_width], axis=-1)
        value = heads(value, self.num_heads)
        step = nnx.softplus(self.step(x) + self.step_bias[...]).T
        log_decay = -jnp.exp(self.log_rate[...])[:, None] * step
        over_heads = jax.vmap(decayed, in_axes=(None, None, 0, 0))
        mixed = over_heads(read, written, value * step[..., None], log_decay)
        mixed = rows(side_by_side(mixed + self.skip[...][:, None, None] * value), positions)
        return self.out(self.norm(mixed * nnx.silu(self.gate(rows(x, positions)))))
