"""A diagonal linear recurrence over the positions, and its gradient, in few steps that follow one another."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

CHUNK = 64
"""Positions that are computed one after another. Chunks are computed side by side, then joined."""


@jax.custom_vjp
def linear_recurrence(decay: jax.Array, added: jax.Array) -> jax.Array:
    """`h[t] = decay[t] * h[t - 1] + added[t]` with `h[-1] = 0`: all of them `[L, ...]`, real or complex.

    The chunks of a long context are computed side by side from zero states. An associative scan over the
    chunks (Blelloch 1990, section 1.4) then gives the state that each begins with. A chunk itself is a loop:
    on a CPU it took half of the time of an associative scan over the positions, which passes over memory
    for each power of two.
    """
    return _recurrence(decay, added)


def _recurrence(decay: jax.Array, added: jax.Array) -> jax.Array:
    length = len(added)
    if length <= CHUNK:
        return _steps(decay, added)
    # Behind the end nothing is added, and nothing reads what is there.
    missing = [(0, -length % CHUNK)] + [(0, 0)] * (added.ndim - 1)
    by_chunk = [jnp.pad(x, missing).reshape(-1, CHUNK, *x.shape[1:]).swapaxes(0, 1) for x in (decay, added)]
    alone = _steps(*by_chunk)
    kept = jnp.cumprod(by_chunk[0], axis=0)
    _, ends = jax.lax.associative_scan(_joined, (kept[-1], alone[-1]))
    begun = jnp.concatenate([jnp.zeros_like(ends[:1]), ends[:-1]])
    return (alone + kept * begun).swapaxes(0, 1).reshape(-1, *added.shape[1:])[:length]


def _steps(decay: jax.Array, added: jax.Array) -> jax.Array:
    def step(state: jax.Array, now: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        state = now[0] * state + now[1]
        return state, state

    return jax.lax.scan(step, jnp.zeros_like(added[0]), (decay, added))[1]


def _joined(
    earlier: tuple[jax.Array, jax.Array], later: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """One step that does what two did."""
    return earlier[0] * later[0], later[0] * earlier[1] + later[1]


def _forward(decay: jax.Array, added: jax.Array) -> tuple[jax.Array, Any]:
    states = _recurrence(decay, added)
    return states, (decay, states)


def _backward(kept: Any, given: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The gradient is the same recurrence from the end to the beginning."""
    decay, states = kept
    following = jnp.concatenate([decay[1:], jnp.zeros_like(decay[:1])])
    of_states = jnp.flip(_recurrence(jnp.flip(following, 0), jnp.flip(given, 0)), 0)
    before = jnp.concatenate([jnp.zeros_like(states[:1]), states[:-1]])
    return of_states * before, of_states


linear_recurrence.defvjp(_forward, _backward)
