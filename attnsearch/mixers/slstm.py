"""The scalar memory of xLSTM."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from attnsearch.base import Integers
from attnsearch.mixers.base import Mixer, rows
from attnsearch.mixers.linear import Linear
from attnsearch.mixers.parts import EPSILON
from attnsearch.spec.heads import chosen_head_width

FIRST_FORGET = (3.0, 6.0)
"""Biases of the forget gates at first, spread between the two over the features of a head."""

_State = tuple[jax.Array, jax.Array, jax.Array, jax.Array]
"""Of each feature: cell c, normaliser n, stabiliser m, hidden state h; `f32[H, d]` each."""


class SLSTM(Mixer):
    """sLSTM: the scalar memory of xLSTM, whose gates read its last output (arXiv:2405.04517, section 2.2).

    Equations 8 to 17. Each gate and the input z have a matrix R for each head, besides one for the token::

        z_t = tanh(W x_t + R h_(t-1) + b)      i_t = exp(...)   f_t = sigmoid(...)   o_t = sigmoid(...)
        c_t = f_t c_(t-1) + i_t z_t            n_t = f_t n_(t-1) + i_t               h_t = o_t c_t / n_t

    All is divided by exp(m_t) (equation 15), so that nothing overflows. The output is the GroupNorm of h. The
    block's MLP stands for the projections that follow in the paper.

    Its cost: the last output is within the gates, which are not linear. So no two tokens can be computed at a
    time, and an accelerator waits for each of them. On a CPU that trains many sequences it matters little.

    num_heads:  heads, H; a feature reads the last output of its own head
    """

    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs, num_heads: int = 8):
        del context_length  # a recurrence serves any length
        self.num_heads = num_heads
        features = chosen_head_width(width, num_heads, None)
        self.inward = Linear(width, 4 * width, rngs=rngs)
        # In each head: z, then input, forget and output gates.
        biases = jnp.zeros((num_heads, 4, features)).at[:, 2].set(jnp.linspace(*FIRST_FORGET, features))
        self.inward.bias = nnx.Param(biases.reshape(-1))
        self.recurrent = nnx.Param(
            jax.random.normal(rngs.params(), (num_heads, features, 4 * features)) / features**0.5
        )
        self.norm = nnx.LayerNorm(features, epsilon=EPSILON, use_scale=False, use_bias=False, rngs=rngs)
        self.scale = nnx.Param(jnp.ones(width))

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.at(x, np.arange(len(x)))

    def at(self, x: jax.Array, positions: Integers) -> jax.Array:
        given = self.inward(x).reshape(len(x), self.num_heads, -1)
        recurrent = self.recurrent[...]
        nothing = jnp.zeros((self.num_heads, recurrent.shape[1]))
        begun = (nothing, nothing, jnp.full_like(nothing, -jnp.inf), nothing)

        def step(state: _State, now: jax.Array) -> tuple[_State, jax.Array]:
            after = _after(state, now + jnp.einsum("hd,hde->he", state[3], recurrent))
            return after, after[3]

        _, hidden = jax.lax.scan(step, begun, given)
        normed = self.norm(rows(hidden, positions))
        return normed.reshape(len(positions), -1) * self.scale[...]


def _after(state: _State, logits: jax.Array) -> _State:
    """The state after a token, of the logits `f32[H, 4 d]` of its input and gates."""
    cell, normaliser, before, _ = state
    z, log_input, forget, output = jnp.split(logits, 4, axis=-1)
    log_kept = nnx.log_sigmoid(forget) + before
    # The stabiliser cancels out, and therefore has no gradient.
    stabiliser = jax.lax.stop_gradient(jnp.maximum(log_kept, log_input))
    kept, added = jnp.exp(log_kept - stabiliser), jnp.exp(log_input - stabiliser)
    cell = kept * cell + added * jnp.tanh(z)
    normaliser = kept * normaliser + added
    return cell, normaliser, stabiliser, nnx.sigmoid(output) * cell / normaliser
