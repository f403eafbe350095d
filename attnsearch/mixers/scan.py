"""Diagonal linear recurrences over the positions, and their gradients, in few steps one after another."""

from __future__ import annotations

from typing import Any, NamedTuple

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


class Selection(NamedTuple):
    """What the tokens of a chunk do to a diagonal state, `f32[N, E]`, and how they read it.

    step:     `f32[L, E]`, the time that each token takes
    moved:    `f32[L, E]`, what it adds to the states of each feature
    written:  `f32[L, N]`, with which weights
    read:     `f32[L, N]`, the weights with which it reads
    """

    step: jax.Array
    moved: jax.Array
    written: jax.Array
    read: jax.Array


def selective_scan(rate: jax.Array, tokens: Selection) -> jax.Array:
    """Outputs `h_t^T read_t` of `h_t = exp(-rate * step_t) * h_(t-1) + written_t moved_t^T`: `f32[L, E]`.

    rate:  `f32[N, E]`, 0 or more; as large as the states

    Of the states, `f32[L, N, E]`, each is stored once, for the gradient. Chunks are computed as in
    `linear_recurrence`.
    """
    length = len(tokens.step)
    if length <= CHUNK:
        return _selected(rate, tokens)[0]
    chunks = Selection(
        *(jnp.pad(x, ((0, -length % CHUNK), (0, 0))).reshape(-1, CHUNK, x.shape[1]) for x in tokens)
    )
    alone, ends = jax.vmap(_selected, in_axes=(None, 0))(rate, chunks)
    passed = jnp.cumsum(chunks.step, axis=1)
    _, states = jax.lax.associative_scan(_joined, (jnp.exp(-rate * passed[:, -1:]), ends))
    begun = jnp.concatenate([jnp.zeros_like(states[:1]), states[:-1]])
    kept = jnp.exp(-rate * passed[:, :, None]) * begun[:, None]
    return (alone + jnp.einsum("ctn,ctne->cte", chunks.read, kept)).reshape(-1, rate.shape[1])[:length]


@jax.custom_vjp
def _selected(rate: jax.Array, tokens: Selection) -> tuple[jax.Array, jax.Array]:
    """Of a chunk that begins with a state of zeros: outputs, `f32[L, E]`, and the state after it."""
    return _selected_forward(rate, tokens)[0]


def _selected_forward(rate: jax.Array, tokens: Selection) -> tuple[tuple[jax.Array, jax.Array], Any]:
    def step(state: jax.Array, now: Selection) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        after = jnp.exp(-rate * now.step) * state + now.written[:, None] * now.moved
        return after, ((after * now.read[:, None]).sum(axis=0), state)

    end, (mixed, before) = jax.lax.scan(step, jnp.zeros_like(rate), tokens)
    return (mixed, end), (rate, tokens, before)


def _selected_backward(kept: Any, given: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, Selection]:
    """Backwards through the chunk. What a token kept is computed again, which is faster than to read it."""
    rate, tokens, before = kept

    def step(later: tuple[jax.Array, jax.Array], now: Any) -> tuple[tuple[jax.Array, jax.Array], Selection]:
        (of_state, of_rate), (token, state, of_mixed) = later, now
        decay = jnp.exp(-rate * token.step)
        after = decay * state + token.written[:, None] * token.moved
        of_state = of_state + token.read[:, None] * of_mixed
        of_exponent = of_state * state * decay
        return (decay * of_state, of_rate - of_exponent * token.step), Selection(
            step=-(of_exponent * rate).sum(axis=0),
            moved=(of_state * token.written[:, None]).sum(axis=0),
            # Products, for XLA adds up along the last axis number by number on a CPU.
            written=of_state @ token.moved,
            read=after @ of_mixed,
        )

    begun = (given[1], jnp.zeros_like(rate))
    (_, of_rate), of_tokens = jax.lax.scan(step, begun, (tokens, before, given[0]), reverse=True)
    return of_rate, of_tokens


_selected.defvjp(_selected_forward, _selected_backward)
