"""Recurrences of one head whose state is a matrix, computed by chunks of tokens.

Each is defined by its update of a state S, `f32[K, V]`, which starts at 0. Queries and keys have K features,
and values have V. The output at token t is `S_t^T q_t`, `f32[V]`.

Within a chunk, tokens read one another by products of matrices, as attention does. A state is carried from
chunk to chunk, and gives what earlier chunks wrote. A context of one chunk therefore has no loop. Arrays of
all tokens are `f32[L, ...]`; map over the heads from outside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

CHUNK = 64
"""Tokens that read one another directly. Work within chunks grows with this, and the loop gets shorter."""

BLOCK = 8
"""Tokens whose forgetting, feature by feature, is counted from one of them (`gated`). Divides a chunk."""

LARGEST_DECAY = 10.0
"""The most that a feature forgets at a token in `gated`, as a logarithm: exp(80) in a block is a float32."""

SMALL = 8
"""Tokens whose system is solved by powers of its matrix (`solved`).

Where keys repeat, powers grow with this, and with a whole chunk beyond what rounding allows.
"""

Tokens = TypeVar("Tokens", bound=tuple[jax.Array, ...])

Step = Callable[[Any, Tokens], tuple[Any, jax.Array]]
"""The state before a chunk, or None for the first one, and the chunk: the state after it, and outputs."""


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


def by_chunks(step: Step[Tokens], tokens: Tokens, *, size: int = CHUNK, multiple: int = 1) -> jax.Array:
    """Outputs, `f32[L, V]`, of `step` on chunk after chunk of arrays `f32[L, ...]`.

    size:      tokens of a chunk; fewer where the context is shorter
    multiple:  what the tokens of a chunk are a multiple of; divides `size`

    Tokens of zeros fill the last chunk. They follow all others, and none reads them.
    """
    length = len(tokens[0])
    size = min(size, length + -length % multiple)

    def cut(x: jax.Array) -> jax.Array:
        filled = jnp.pad(x, ((0, -length % size), *[(0, 0)] * (x.ndim - 1)))
        return filled.reshape(-1, size, *x.shape[1:])

    chunks = jax.tree.map(cut, tokens)
    state, first = step(None, jax.tree.map(lambda x: x[0], chunks))
    if length <= size:
        return first[:length]
    rest = jax.lax.scan(step, state, jax.tree.map(lambda x: x[1:], chunks))[1]
    return jnp.concatenate([first, rest.reshape(-1, rest.shape[-1])])[:length]


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


@jax.custom_vjp
def solved(below: jax.Array, right: jax.Array) -> jax.Array:
    """The x, `f32[C, V]`, for which `(I + below) x = right`; `below`, `f32[C, C]`, is 0 from its diagonal on.

    By products, which a CPU computes many times faster than it solves small systems: the inverse of I + below
    from the inverses of its halves. The gradient is written out: two products.
    """
    return _solved_forward(below, right)[0]


def _solved_forward(below: jax.Array, right: jax.Array) -> tuple[jax.Array, Any]:
    count, size = len(below), SMALL
    while size < count:
        size *= 2
    inverse = _inverse(jnp.pad(below, (0, size - count)))[:count, :count]
    solution = inverse @ right
    return solution, (inverse, solution)


def _inverse(below: jax.Array) -> jax.Array:
    """The inverse of I + below, `f32[C, C]`, where C is `SMALL` times a power of two."""
    size = len(below)
    if size == SMALL:
        # The series I - below + below^2 - ..., of which each turn doubles the terms. It ends at `SMALL`.
        power = -below
        inverse = jnp.eye(size) + power
        for _ in range(2):
            power = power @ power
            inverse += inverse @ power
        return inverse
    half = size // 2
    first, last = jax.vmap(_inverse)(jnp.stack([below[:half, :half], below[half:, half:]]))
    corner = -last @ below[half:, :half] @ first
    return jnp.block([[first, jnp.zeros_like(first)], [corner, last]])


def _solved_backward(kept: Any, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    inverse, solution = kept
    of_right = inverse.T @ gradient
    return -of_right @ solution.T, of_right


solved.defvjp(_solved_forward, _solved_backward)


def _seen(size: int, least: int = 0) -> np.ndarray:
    """`bool[C, C]`: whether one token, a row, follows another, a column, by `least` tokens or more."""
    return np.tri(size, k=-least, dtype=bool)


def _kept(total: jax.Array) -> jax.Array:
    """`f32[C, C]`: how much of what one token wrote, a column, another one reads, a row; 0 for later ones."""
    return jnp.exp(jnp.where(_seen(len(total)), total[:, None] - total, -jnp.inf))
