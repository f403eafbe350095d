"""Mamba."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from attnsearch.base import Integers
from attnsearch.mixers.base import Mixer, rows
from attnsearch.mixers.linear import Linear
from attnsearch.mixers.parts import Convolved
from attnsearch.mixers.scan import Selection, selective_scan
from attnsearch.mixers.state_space import check_at_least_one, first_steps


class Mamba(Mixer):
    """Mamba: a state space layer whose decays and writes depend on the token (arXiv:2312.00752).

    S6 (algorithm 2), in the block of section 3.4. Each inner feature has a state h of `state_width` numbers::

        h_t = exp(step_t A) h_(t-1) + step_t B_t u_t      step_t = softplus(W' W u_t + c)      A = -exp(a)
        y_t = C_t . h_t + d u_t                           output = W (y * SiLU(gate))

    u comes from a projection, a short convolution and SiLU; B and C are linear in u.

    state_width:       numbers that each inner feature remembers
    expansion:         inner features for each feature; at 1, the parameters are about as many as in attention
    convolution_size:  tokens that the short convolution spans
    step_width:        rank of the map from u to the steps; D / 16 unless given
    """

    def __init__(
        self,
        width: int,
        context_length: int,
        *,
        rngs: nnx.Rngs,
        state_width: int = 16,
        expansion: int = 1,
        convolution_size: int = 4,
        step_width: int | None = None,
    ):
        del context_length  # a recurrence serves any length
        rank = -(-width // 16) if step_width is None else step_width
        check_at_least_one(state_width=state_width, expansion=expansion, step_width=rank)
        inner = expansion * width
        self.state_width = state_width
        self.inward = Convolved(width, inner, convolution_size, rngs=rngs, use_bias=True)
        self.gate = Linear(width, inner, use_bias=False, rngs=rngs)
        self.selection = Linear(inner, rank + 2 * state_width, use_bias=False, rngs=rngs)
        # Uniform with a deviation of 1 / sqrt(3 rank).
        scaled = nnx.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
        self.step = Linear(rank, inner, use_bias=False, kernel_init=scaled, rngs=rngs)
        self.step_bias = nnx.Param(first_steps(inner, rngs))
        rates = jnp.arange(1.0, state_width + 1)[:, None]
        self.log_rate = nnx.Param(jnp.log(jnp.broadcast_to(rates, (state_width, inner))))
        self.skip = nnx.Param(jnp.ones(inner))
        self.out = Linear(inner, width, use_bias=False, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.at(x, np.arange(len(x)))

    def at(self, x: jax.Array, positions: Integers) -> jax.Array:
        u = self.inward(x)
        selected = self.selection(u)
        written, read = jnp.split(selected[:, -2 * self.state_width :], 2, axis=-1)
        step = nnx.softplus(self.step(selected[:, : -2 * self.state_width]) + self.step_bias[...])
        tokens = Selection(step, step * u, written, read)
        mixed = selective_scan(jnp.exp(self.log_rate[...]), tokens) + self.skip[...] * u
        return self.out(rows(mixed, positions) * nnx.silu(self.gate(rows(x, positions))))
