"""Multi-head softmax attention."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from attnsearch.base import Integers
from attnsearch.mixers.base import LogitBias, LogitMixer, rows
from attnsearch.mixers.linear import Linear
from attnsearch.mixers.positions import RelativeBias, alibi, rotated
from attnsearch.spec.heads import chosen_head_width
from attnsearch.spec.positions import check_relative_positions

LARGEST_LOGITS = 2**16
"""Logits of a head, L times the queries, beyond which these are taken in parts (docs/performance.md)."""

FEWEST_QUERIES = 64
"""Of a part, however long the context is."""

STRETCHES = 4
"""Of a long context: parts of one read the same positions. More would save little, and compile for long."""


class Attention(LogitMixer):
    """Causal multi-head softmax attention (arXiv:1706.03762, section 3.2).

    num_heads:            attention heads, H
    head_width:           features of each head's queries, keys and values; D / H unless given, and free to
                          differ from it
    relative_positions:   `none`; `rotary` (arXiv:2104.09864), `alibi` (arXiv:2108.12409), or `relative_bias`,
                          a learned number for each head and bucket of distances (arXiv:1910.10683)
    qk_norm:              whether the queries and keys of each head are normalised before their product
                          (arXiv:2302.05442, section 2, here by their root mean square), with learned gains
    learned_temperature:  whether each head divides its products by a learned number, which begins at 1 (the
                          factor of arXiv:2010.04245, section 3.2, one for each head)

    Errors: AttnsearchError for heads that do not fit the width, an unknown word, and rotary positions in
    heads of odd width.
    """

    def __init__(
        self,
        width: int,
        context_length: int,
        *,
        rngs: nnx.Rngs,
        num_heads: int = 16,
        head_width: int | None = None,
        relative_positions: str = "none",
        qk_norm: bool = False,
        learned_temperature: bool = False,
    ):
        self.num_heads = num_heads
        self.head_width = chosen_head_width(width, num_heads, head_width)
        check_relative_positions(relative_positions, self.head_width)
        self.rotary, self.falls = relative_positions == "rotary", relative_positions == "alibi"
        inner = self.num_heads * self.head_width
        self.query = Linear(width, inner, use_bias=False, rngs=rngs)
        self.key = Linear(width, inner, use_bias=False, rngs=rngs)
        self.value = Linear(width, inner, use_bias=False, rngs=rngs)
        self.out = Linear(inner, width, use_bias=False, rngs=rngs)
        self.query_norm = nnx.RMSNorm(self.head_width, rngs=rngs) if qk_norm else None
        self.key_norm = nnx.RMSNorm(self.head_width, rngs=rngs) if qk_norm else None
        # Its logarithm, so that it stays positive, and weight decay draws it to 1.
        self.temperature = nnx.Param(jnp.zeros(num_heads)) if learned_temperature else None
        biased = relative_positions == "relative_bias"
        self.relative_bias = RelativeBias(width, num_heads, rngs=rngs) if biased else None

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.at(x, np.arange(len(x)))

    def at(self, x: jax.Array, positions: Integers) -> jax.Array:
        return self.biased_at(x, positions, _no_bias)

    def biased_at(self, x: jax.Array, positions: Integers, bias: LogitBias) -> jax.Array:
        query, key = self._query_and_key(x, positions)
        value = self._heads(self.value(x)).transpose(1, 2, 0)
        attend = _attend if self.relative_bias is None else _attend_with_bias
        mixed = _attend_in_parts(query, key, value, positions, self._added(len(x), bias), attend)
        return self.out(mixed.transpose(2, 0, 1).reshape(len(positions), -1))

    def weights(self, x: jax.Array, positions: Integers) -> jax.Array:
        return self.biased_weights(x, positions, _no_bias)

    def biased_weights(self, x: jax.Array, positions: Integers, bias: LogitBias) -> jax.Array:
        added = self._added(len(x), bias)(positions)
        return _weights(*self._query_and_key(x, positions), _hidden(len(x), positions) + added)

    def without_head(self, head: jax.Array) -> Attention:
        """The same, but that `head`, `i32[]`, adds nothing to the output."""
        kept = (jnp.arange(self.num_heads) != head).repeat(self.head_width)
        silenced = nnx.clone(self)
        silenced.out.kernel[...] = self.out.kernel[...] * kept[:, None]
        return silenced

    def _query_and_key(self, x: jax.Array, positions: Integers) -> tuple[jax.Array, jax.Array]:
        """`f32[H, Q, d]`, scaled, and `f32[H, d, L]`."""
        return self._query(x, positions).transpose(1, 0, 2), self._key(x).transpose(1, 2, 0)

    def _query(self, x: jax.Array, positions: Integers) -> jax.Array:
        """`f32[Q, H, d]`"""
        asked, scale = rows(x, positions), self.head_width**-0.5
        if self.query_norm is None:
            query = self._heads(self.query(asked * scale))
        else:
            query = self.query_norm(self._heads(self.query(asked))) * scale
        if self.temperature is not None:
            query = query * jnp.exp(-self.temperature[...])[:, None]
        return rotated(query, positions) if self.rotary else query

    def _key(self, x: jax.Array) -> jax.Array:
        """`f32[L, H, d]`"""
        key = self._heads(self.key(x))
        if self.key_norm is not None:
            key = self.key_norm(key)
        return rotated(key, np.arange(len(x))) if self.rotary else key

    def _added(self, length: int, bias: LogitBias) -> LogitBias:
        """`bias` and what relative positions add to the logits: `f32[H, P, L]` where these add anything."""
        if self.falls:
            falling = alibi(self.num_heads, length)
            return lambda positions: falling(positions) + bias(positions)
        if (learned := self.relative_bias) is not None:
            return lambda positions: learned(length, positions) + bias(positions)
        return bias

    def _heads(self, x: jax.Array) -> jax.Array:
        """`f32[T, H * d]` as `f32[T, H, d]`."""
        return x.reshape(len(x), self.num_heads, self.head_width)


def _hidden(length: int, positions: Integers | jax.Array) -> jax.Array:
    """`f32[Q, L]`: 0 where a query sees a position, -inf elsewhere.

    Computed where it is used. As a constant, the mask of a long context would be the largest in a program.
    """
    return jnp.where(jnp.arange(length) <= jnp.asarray(positions)[:, None], 0.0, -jnp.inf)


def _weights(query: jax.Array, key: jax.Array, hidden: Any) -> jax.Array:
    return jax.nn.softmax(jnp.einsum("hqd,hdk->hqk", query, key) + hidden)


def _no_bias(positions: Integers | jax.Array) -> jax.Array:
    return jnp.zeros((len(positions), 1))


def _attend_in_parts(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    positions: Integers,
    bias: LogitBias,
    core: Callable[..., jax.Array],
) -> jax.Array:
    """`core`, and of a long context so many queries at a time that their logits stay small.

    Parts follow one another, so that the logits of one are held; they are computed again for the
    gradient. The parts of a stretch of the context read no position that none of its queries sees.
    """
    (heads, count, features), length = query.shape, key.shape[-1]
    if count * length <= LARGEST_LOGITS:
        return _attend_part((query, positions), key, value, bias, core)
    part = max(FEWEST_QUERIES, LARGEST_LOGITS // length)
    missing = -count % part
    asked = np.pad(positions, (0, missing), mode="edge").reshape(-1, part)
    queries = jnp.pad(query, ((0, 0), (0, missing), (0, 0))).reshape(heads, -1, part, features)
    mixed = []
    for stretch in np.array_split(np.arange(len(asked)), min(STRETCHES, len(asked))):
        seen = int(asked[stretch[-1], -1]) + 1
        attend = partial(_attend_part, key=key[..., :seen], value=value[..., :seen], bias=bias, core=core)
        mixed.append(
            jax.lax.map(
                jax.checkpoint(attend), (queries[:, stretch].swapaxes(0, 1), jnp.asarray(asked[stretch]))
            )
        )
    return jnp.concatenate(mixed).transpose(1, 2, 0, 3).reshape(heads, features, -1)[..., :count]


def _attend_part(
    asked: tuple[jax.Array, Integers | jax.Array],
    key: jax.Array,
    value: jax.Array,
    bias: LogitBias,
    core: Callable[..., jax.Array],
) -> jax.Array:
    """`core` of queries and their positions, which see no more than `key` and `value` hold."""
    query, positions = asked
    seen = key.shape[-1]
    return core(query, key, value, _hidden(seen, positions) + bias(positions)[..., :seen])


@jax.custom_vjp
def _attend(query: jax.Array, key: jax.Array, value: jax.Array, hidden: Any) -> jax.Array:
    """The core of every head: `f32[H, d, Q]` of `f32[H, Q, d]`, two `f32[H, d, L]`, and `f32[Q, L]` or
    `f32[H, Q, L]`.

    The last is added to the logits, and has no gradient. The gradient of the others is written out: a
    derived one holds products of transposed matrices, two to three times slower on a CPU.
    """
    return _attend_forward(query, key, value, hidden)[0]


def _attend_forward(query: jax.Array, key: jax.Array, value: jax.Array, hidden: Any) -> tuple[Any, Any]:
    weights = _weights(query, key, hidden)
    return jnp.einsum("hdk,hqk->hdq", value, weights), (query, key, value, weights)


def _attend_backward(kept: Any, mixed: jax.Array) -> tuple[Any, ...]:
    *others, _ = _gradients(kept, mixed)
    return (*others, None)


_attend.defvjp(_attend_forward, _attend_backward)


@jax.custom_vjp
def _attend_with_bias(query: jax.Array, key: jax.Array, value: jax.Array, bias: jax.Array) -> jax.Array:
    """`_attend` where the last, `f32[H, Q, L]`, has a gradient too."""
    return _attend_forward(query, key, value, bias)[0]


def _gradients(kept: Any, mixed: jax.Array) -> tuple[jax.Array, ...]:
    """Of query, key, value and bias, for the gradient of what they were mixed to."""
    query, key, value, weights = kept
    of_weights = jnp.einsum("hqd,hdk->hqk", mixed.swapaxes(1, 2), value)
    of_logits = weights * (of_weights - (of_weights * weights).sum(axis=-1, keepdims=True))
    return (
        jnp.einsum("hqk,hdk->hqd", of_logits, key),
        jnp.einsum("hdq,hqk->hdk", query.swapaxes(1, 2), of_logits),
        jnp.einsum("hdq,hqk->hdk", mixed, weights),
        of_logits,
    )


_attend_with_bias.defvjp(_attend_forward, _gradients)
