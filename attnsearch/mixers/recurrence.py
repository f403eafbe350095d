"""Recurrences of one head whose state is a matrix, computed by chunks of tokens.

Each is defined by its update of a state S, `f32[K, V]`, which starts at 0. Queries and keys have K features,
and values have V. The output at token t is `S_t^T q_t`, `f32[V]`.

Within a chunk, tokens read one another by products of matrices, as attention does. A state is carried from
chunk to chunk, and gives what earlier chunks wrote. A context of one chunk therefore has no loop. Arrays of
all tokens are `f32[L, ...]`; map over the heads from outside.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from attnsearch.mixers.chunks import by_chunks, solved

BLOCK = 8
"""Tokens whose forgetting, feature by feature, is counted from one of them (`gated`). Divides a chunk."""

LARGEST_DECAY = 10.0
"""The most that a feature forgets at a token in `gated`, as a logarithm: exp(80) in a block is a float32."""


def decayed(query: jax.Array, key: jax.Array, value: jax.Array, log_decay: jax.Array) -> jax.Array:
    """`S_t = a_t S_(t-1) + k_t v_t^T`, where one number a_t says how much is kept.

    query, key:  `f32[L, K]`
    value:       `f32[L, V]`
    log_decay:   `f32[L]`, log a_t, 0 or below
    """
    return by_chunks(_decayed_chunk, (query, key, value, log_decay))


def gated(query: jax.Array, key: jax.Array, value: jax.Array, log_decay: jax.Array) -> jax.Array:
    """`S_t = diag(a_t) S_(t-1) + k_t v_t^T`, where each feature of the keys has its own a_t.

    As `decayed`, but log_decay is `f32[L, K]`. It counts as -`LARGEST_DECAY` where it is below.
    """
    bounded = jnp.maximum(log_decay, -LARGEST_DECAY)
    return by_chunks(_gated_chunk, (query, key, value, bounded), multiple=BLOCK)


def delta_rule(
    query: jax.Array, key: jax.Array, value: jax.Array, rate: jax.Array, log_decay: jax.Array | None = None
) -> jax.Array:
    """`S_t = a_t (I - b_t k_t k_t^T) S_(t-1) + b_t k_t v_t^T`: what the key k_t recalls moves towards v_t.

    query, key:  `f32[L, K]`, keys of norm 1
    value:       `f32[L, V]`
    rate:        `f32[L]`, b_t in [0, 1]
    log_decay:   `f32[L]`, log a_t, 0 or below; a_t = 1 unless given

    With `u_t = b_t (v_t - a_t S_(t-1)^T k_t)` the update is `S_t = a_t S_(t-1) + k_t u_t^T`. All u_t of a
    chunk solve one triangular system: the WY form of arXiv:2406.06484, section 3.2, which section 3.3 of
    arXiv:2412.06464 extends by a_t.
    """
    decay = jnp.zeros_like(rate) if log_decay is None else log_decay
    return by_chunks(_delta_chunk, (query, key, value, rate, decay))


def _decayed_chunk(state: Any, tokens: Any) -> tuple[jax.Array, jax.Array]:
    query, key, value, log_decay = tokens
    total = jnp.cumsum(log_decay)
    mixed = (query @ key.T * _kept(total)) @ value
    return _carried(state, query, key, value, mixed, total[:, None])


def _gated_chunk(state: Any, tokens: Any) -> tuple[jax.Array, jax.Array]:
    """Queries of a block are decayed since its start, and keys until there.

    Keys of the block itself grow by that, at most by exp(`BLOCK` `LARGEST_DECAY`). Keys of later blocks,
    which the mask hides, must stay finite for the gradient.
    """
    query, key, value, log_decay = tokens
    total = jnp.cumsum(log_decay, axis=0)
    size, features = total.shape
    blocks = total.reshape(-1, BLOCK, features)
    start = blocks[:, :1]
    near = query.reshape(blocks.shape) * jnp.exp(blocks - start)
    far = key * jnp.exp(jnp.minimum(start - total, BLOCK * LARGEST_DECAY))
    scores = jnp.einsum("ntk,nsk->nts", near, far).reshape(size, size)
    mixed = jnp.where(_seen(size), scores, 0.0) @ value
    return _carried(state, query, key, value, mixed, total)


def _delta_chunk(state: Any, tokens: Any) -> tuple[jax.Array, jax.Array]:
    query, key, value, rate, log_decay = tokens
    total = jnp.cumsum(log_decay)
    kept = _kept(total)
    if state is not None:
        value = value - (key * jnp.exp(total)[:, None]) @ state
    recalled = rate[:, None] * (key @ key.T * kept)
    written = solved(jnp.where(_seen(len(total), 1), recalled, 0.0), rate[:, None] * value)
    mixed = (query @ key.T * kept) @ written
    return _carried(state, query, key, written, mixed, total[:, None])


def _carried(
    state: Any, query: jax.Array, key: jax.Array, written: jax.Array, mixed: jax.Array, total: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The state after a chunk, and its outputs: `mixed` from the chunk itself, and the rest from the state.

    total:  `f32[C, 1]` or `f32[C, K]`, log of what is kept since before the chunk
    """
    after = (key * jnp.exp(total[-1] - total)).T @ written
    if state is None:
        return after, mixed
    return jnp.exp(total[-1])[:, None] * state + after, mixed + (query * jnp.exp(total)) @ state


def _seen(size: int, least: int = 0) -> np.ndarray:
    """`bool[C, C]`: whether one token, a row, follows another, a column, by `least` tokens or more."""
    return np.tri(size, k=-least, dtype=bool)


def _kept(total: jax.Array) -> jax.Array:
    """`f32[C, C]`: how much of what one token wrote, a column, another one reads, a row; 0 for later ones."""
    return jnp.exp(jnp.where(_seen(len(total)), total[:, None] - total, -jnp.inf))
