"""The matrix memory of xLSTM."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from attnsearch.base import Integers
from attnsearch.mixers.base import Mixer, rows
from attnsearch.mixers.chunks import CHUNK, by_chunks
from attnsearch.mixers.joined import projected
from attnsearch.mixers.linear import Linear
from attnsearch.mixers.mlstm_chunk import within_a_chunk
from attnsearch.mixers.parts import chosen_key_width, heads, side_by_side
from attnsearch.mixers.sums import normalised
from attnsearch.spec.heads import chosen_head_width

LARGEST_GATE = 15.0
"""No logit of a gate goes beyond it, in either direction (arXiv:2503.13427)."""

FIRST_INPUT, FIRST_FORGET = 0.0, (3.0, 6.0)
"""Biases of the gates at first; forget gates are spread between the two.

Published is -10 for input gates, for models with billions of parameters. It makes the first outputs so small
that the norm cannot restore them.
"""

_Memory = tuple[jax.Array, jax.Array]
"""The memory `f32[K, V + 1]`, whose last column is the normaliser n, and the stabiliser m, `f32[]`."""


class MLSTM(Mixer):
    """mLSTM: the matrix memory of xLSTM, with exponential input gates (arXiv:2405.04517, section 2.3).

    Equations 19 to 27, in each head, with keys divided by sqrt(K)::

        C_t = f_t C_(t-1) + i_t k_t v_t^T      n_t = f_t n_(t-1) + i_t k_t
        y_t = C_t^T q_t / max(|n_t . q_t|, 1)  f_t = sigmoid(w . x_t + c)      i_t = exp(w' . x_t + c')

    All is divided by exp(m_t), the stabiliser of equation 15, so that nothing overflows. The LayerNorm of
    each head, the output gate, the projections and the bound of the gates are as in arXiv:2503.13427.

    num_heads:  heads, H, each with a matrix as its memory
    key_width:  features of each head's queries and keys, K; half of its values' unless given
    """

    def __init__(
        self,
        width: int,
        context_length: int,
        *,
        rngs: nnx.Rngs,
        num_heads: int = 4,
        key_width: int | None = None,
    ):
        del context_length  # a recurrence serves any length
        self.num_heads = num_heads
        value_width = chosen_head_width(width, num_heads, None)
        self.key_width = chosen_key_width(value_width, key_width)
        self.query = Linear(width, num_heads * self.key_width, use_bias=False, rngs=rngs)
        self.key = Linear(width, num_heads * self.key_width, use_bias=False, rngs=rngs)
        self.value = Linear(width, width, use_bias=False, rngs=rngs)
        self.gates = Linear(width, 2 * num_heads, rngs=rngs)  # input gates, then forget gates
        self.gates.bias = nnx.Param(
            jnp.concatenate([jnp.full(num_heads, FIRST_INPUT), jnp.linspace(*FIRST_FORGET, num_heads)])
        )
        self.output_gate = Linear(width, width, use_bias=False, rngs=rngs)
        self.scale = nnx.Param(jnp.ones(width))
        self.out = Linear(width, width, use_bias=False, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.at(x, np.arange(len(x)))

    def at(self, x: jax.Array, positions: Integers) -> jax.Array:
        every = (self.query, self.key, self.value)
        (query, key, value), (output_gate,) = projected(x, positions, every, (self.output_gate,))
        query = heads(query * self.key_width**-0.5, self.num_heads)
        key, value = heads(key, self.num_heads), heads(value, self.num_heads)
        gates = LARGEST_GATE * jnp.tanh(self.gates(x) / LARGEST_GATE)
        log_input, forget = jnp.split(gates.T, 2)
        mixed = jax.vmap(remembered)(query, key, value, log_input, nnx.log_sigmoid(forget))
        mixed = rows(side_by_side(normalised(mixed)), positions) * self.scale[...]
        return self.out(mixed * nnx.sigmoid(output_gate))


def remembered(
    query: jax.Array, key: jax.Array, value: jax.Array, log_input: jax.Array, log_forget: jax.Array
) -> jax.Array:
    """What the queries of one head read: `f32[L, V]` of two `f32[L, K]`, `f32[L, V]` and two `f32[L]`.

    A context of one chunk is computed as attention is, with its gradient written out. A longer one has a loop
    over its chunks.
    """
    if len(query) <= CHUNK:
        return within_a_chunk(query, key, value, log_input, log_forget)
    # The normaliser is what the memory holds of a value that is always 1.
    value = jnp.pad(value, ((0, 0), (0, 1)), constant_values=1.0)
    return by_chunks(_chunk, (query, key, value, log_input, log_forget))


def _chunk(memory: _Memory | None, tokens: tuple[jax.Array, ...]) -> tuple[_Memory, jax.Array]:
    """The memory after a chunk, and the outputs of the chunk."""
    query, key, value, log_input, log_forget = tokens
    kept = jnp.cumsum(log_forget)
    index = jnp.arange(len(kept))
    seen = index[:, None] >= index
    exponents = jnp.where(seen, kept[:, None] - kept + log_input, -jnp.inf)
    # The stabiliser cancels out, and therefore has no gradient.
    stabiliser = jax.lax.stop_gradient(exponents.max(axis=1))
    if memory is not None:
        stabiliser = jnp.maximum(stabiliser, jax.lax.stop_gradient(kept + memory[1]))
    weights = jnp.exp(exponents - stabiliser[:, None])
    mixed = (query @ key.T * weights) @ value
    after = (key * weights[-1][:, None]).T @ value
    if memory is not None:
        carried = jnp.exp(kept + memory[1] - stabiliser)
        mixed = mixed + (query * carried[:, None]) @ memory[0]
        after = after + carried[-1] * memory[0]
    normaliser = jnp.maximum(jnp.abs(mixed[:, -1]), jnp.exp(-stabiliser))
    return (after, stabiliser[-1]), mixed[:, :-1] / normaliser[:, None]
