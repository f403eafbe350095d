"""A recurrence with a matrix for a state, where each feature has its own decay and tokens rewrite."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from attnsearch.mixers.chunks import by_chunks, solved

CHUNK = 32
"""Tokens that read one another directly. Keys grow by what a chunk forgets, at most by exp(0.61 `CHUNK`)."""


class Rewrites(NamedTuple):
    """What the tokens of one head do: `f32[L, K]` each, but `value`, `f32[L, V]`.

    query:      what is read
    key:        where `value` is written
    removed:    what is recalled, before the token writes
    removal:    where what is recalled is added; minus `removed` times a rate, to remove it
    log_decay:  how much each feature keeps, from -0.61 to 0
    """

    query: jax.Array
    key: jax.Array
    value: jax.Array
    removed: jax.Array
    removal: jax.Array
    log_decay: jax.Array


def rewritten(tokens: Rewrites) -> jax.Array:
    """Outputs `S_t^T query_t`, `f32[L, V]`, of a state S, `f32[K, V]`, that starts at 0.

    `S_t = (diag(exp(log_decay_t)) + removal_t removed_t^T) S_(t-1) + key_t value_t^T`

    What the tokens of a chunk recall solves one triangular system, as in `recurrence.delta_rule`.
    """
    return by_chunks(_chunk, tokens, size=CHUNK)


def _chunk(state: jax.Array | None, tokens: Rewrites) -> tuple[jax.Array, jax.Array]:
    """The state after a chunk, and the outputs of the chunk."""
    total = jnp.cumsum(tokens.log_decay, axis=0)
    index = jnp.arange(len(total))
    # What a token reads was kept until it, but what it recalls until the token before.
    query = tokens.query * jnp.exp(total)
    removed = tokens.removed * jnp.exp(total - tokens.log_decay)
    grown = jnp.exp(-total)
    both = jnp.concatenate([tokens.removal * grown, tokens.key * grown])
    seen = jnp.tile(index[:, None] >= index, 2)
    of_query = jnp.where(seen, query @ both.T, 0.0)
    of_removed = jnp.where(jnp.tile(index[:, None] > index, 2), removed @ both.T, 0.0)
    by_removal, by_key = jnp.split(of_removed, 2, axis=1)
    recalled = by_key @ tokens.value
    if state is not None:
        recalled = recalled + removed @ state
    recalled = solved(-by_removal, recalled)
    written = jnp.concatenate([recalled, tokens.value])
    mixed = of_query @ written
    last = jnp.exp(total[-1])
    after = (both * last).T @ written
    if state is not None:
        mixed, after = mixed + query @ state, after + last[:, None] * state
    return after, mixed
