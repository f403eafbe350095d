"""What mLSTM reads where the whole context is one chunk, with its gradient written out."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from attnsearch.mixers.sums import EXACT, total


@jax.custom_vjp
def within_a_chunk(
    query: jax.Array, key: jax.Array, value: jax.Array, log_input: jax.Array, log_forget: jax.Array
) -> jax.Array:
    """What the queries of one head read: `f32[L, V]` of two `f32[L, K]`, `f32[L, V]` and two `f32[L]`.

    With b_s, the logarithm of the input gate less all logarithms of forget gates up to token s::

        w_ts = (q_t . k_s) exp(b_s - c_t) for s <= t      y_t = sum_s w_ts v_s / max(|sum_s w_ts|, exp(-m_t))

    c_t is the largest b up to token t, and m_t, the stabiliser, is c_t and the forget gates up to token t.
    Both cancel out, and therefore have no gradient.

    The gradient of a gate is a sum over all weights of a token. It is taken from the token's output and key
    instead, which are shorter.
    """
    return _forward(query, key, value, log_input, log_forget)[0]


def _forward(
    query: jax.Array, key: jax.Array, value: jax.Array, log_input: jax.Array, log_forget: jax.Array
) -> tuple[jax.Array, Any]:
    kept = jnp.matmul(_up_to(len(log_forget)), log_forget, precision=EXACT)
    relative = log_input - kept
    largest = _largest_so_far(relative)
    seen = _up_to(len(kept)) > 0
    decays = jnp.exp(jnp.where(seen, relative - largest[:, None], -jnp.inf))
    weights = query @ key.T * decays
    normaliser, least = total(weights), jnp.exp(-kept - largest)
    mixed = weights @ value / jnp.maximum(jnp.abs(normaliser), least)[:, None]
    return mixed, (query, key, value, decays, weights, normaliser, least, mixed)


def _backward(saved: Any, gradient: jax.Array) -> tuple[jax.Array, ...]:
    query, key, value, decays, weights, normaliser, least, mixed = saved
    divisor, divided = jnp.maximum(jnp.abs(normaliser), least), jnp.abs(normaliser) > least
    of_sums = gradient / divisor[:, None]
    along = total(gradient * mixed)
    of_normaliser = jnp.where(divided, -along * jnp.sign(normaliser) / divisor, 0.0)
    of_logits = (of_sums @ value.T + of_normaliser[:, None]) * decays
    of_key = of_logits.T @ query
    # The gradients of exponents, summed over all that read token s, and over all that token t reads. The last
    # sum is 0 where an output is divided by the sum of its weights.
    read, reading = total(key * of_key), jnp.where(divided, 0.0, along)
    of_forget = jnp.matmul(reading - read, _up_to(len(read)), precision=EXACT)
    return of_logits @ key, of_key, weights.T @ of_sums, read, of_forget


within_a_chunk.defvjp(_forward, _backward)


def _up_to(length: int) -> jax.Array:
    """1 where a row's token is not before a column's, else 0: `f32[L, L]`."""
    return jnp.asarray(np.tri(length, dtype=np.float32))


def _largest_so_far(x: jax.Array) -> jax.Array:
    """The largest of each number of `f32[L]` and those before it. Each turn looks twice as far back."""
    step = 1
    while step < len(x):
        before = jnp.concatenate([jnp.full(step, -jnp.inf), x[:-step]])
        x, step = jnp.maximum(x, before), 2 * step
    return x
