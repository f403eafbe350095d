"""Induction: each answer is the token that followed the last time that the present token was seen.

The behaviour is known from arXiv:2209.11895. Random tokens, with an answer at each, are one hop of
arXiv:2402.09268. A sequence begins with each symbol once, in random order, so that every token after has been
seen before. n random tokens follow, and each of them asks. With three symbols and n = 4::

    position         0   1   2   3   4   5   6
    token            b   a   c   a   b   b   a
    answer                       c   a   b   b
    map of target 1  #   #           #              asked at position 4: b was last seen at position 0

An answer depends on the token that asks, the last one like it, and the token that followed that one. A token
between them moves the answer too, if it is replaced by the very symbol that asks. The map leaves this out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from attnsearch.base import Example, Floats, Integers, Truth
from attnsearch.generators.base import Rule
from attnsearch.generators.lazy import jax, jnp
from attnsearch.generators.shortcuts import Shortcut, read
from attnsearch.generators.symbols import SymbolTask

UNKNOWN = -1
"""The answer where no earlier token is like the one that asks, as after one was replaced."""


@dataclass(frozen=True)
class Induction(SymbolTask):
    """Each token of a random string asks what followed the last time that it was seen.

    string_length:  tokens that ask, n
    num_symbols:    symbols, each as likely as the others; the sequence begins with each of them once
    """

    string_length: int
    num_symbols: int

    @property
    def context_length(self) -> int:
        return self.num_symbols + self.string_length

    @property
    def query_positions(self) -> Integers:
        return np.arange(self.num_symbols, self.context_length, dtype=np.int32)

    def sample(self, rule: Rule, key: jax.Array) -> Example:
        del rule
        tokens = self._drawn(key)
        return Example(tokens, tokens[1 + self._last_alike(tokens, np.arange(self.string_length))])

    def answers(self, rule: Rule, key: jax.Array, tokens: jax.Array) -> jax.Array:
        """What followed the last token that is like the one that asks.

        The token that was the last one in the sequence of `key` counts, while it still is alike.
        """
        del rule
        targets = np.arange(self.string_length)
        before = self._last_alike(self._drawn(key), targets)
        still = tokens[before] == tokens[self.query_positions]
        last = jnp.where(still, before, self._last_alike(tokens, targets))
        return jnp.where(last >= 0, tokens[1 + last], UNKNOWN)

    def supports(self, rule: Rule, tokens: jax.Array, targets: Integers | jax.Array) -> jax.Array:
        """The token that asks, the last one that is like it, and the one that followed."""
        del rule
        query = jnp.asarray(self.query_positions)[targets][:, None]
        last = self._last_alike(tokens, targets)[:, None]
        position = jnp.arange(self.context_length)
        return (position == query) | (position == last) | (position == last + 1)

    def log2_search_space(self, knobs: Mapping[str, Any]) -> float:
        """The query at position t has t tokens before it, one of which is the last that is like it."""
        del knobs
        first, end = self.num_symbols, self.context_length
        # The mean of log2 t, by the factorial.
        return (math.lgamma(end) - math.lgamma(first)) / math.log(2) / self.string_length

    def truth(self, rule: Rule, knobs: Mapping[str, Any]) -> Truth:
        return super().truth(rule, knobs)._replace(log2_search_space=np.log2(self.query_positions))

    @property
    def shortcuts(self) -> tuple[Shortcut, ...]:
        return (
            Shortcut(
                "recent tokens",
                "The tokens before are guessed, weighted by how often the right one is so far back.",
                self._from_recent,
            ),
            Shortcut(
                "what ever followed",
                "The tokens that followed at any time are guessed, not only the last time.",
                self._from_all_followers,
            ),
        )

    def _drawn(self, key: jax.Array) -> jax.Array:
        """`i32[L]`: the tokens of the sequence that `key` draws."""
        order_key, string_key = jax.random.split(key)
        first = jax.random.permutation(order_key, self.num_symbols)
        return jnp.concatenate(
            [first, jax.random.randint(string_key, (self.string_length,), 0, self.num_symbols)]
        )

    def _last_alike(self, tokens: jax.Array, targets: Integers | jax.Array) -> jax.Array:
        """`i32[P]`: where a token like the one that asks stood last before it; -1 for nowhere."""
        position, queries = jnp.arange(self.context_length), jnp.asarray(self.query_positions)[targets]
        alike = (tokens == tokens[queries][:, None]) & (position < queries[:, None])
        return jnp.max(jnp.where(alike, position, -1), axis=1)

    def _from_recent(self, rule: Rule, tokens: Integers) -> Floats:
        del rule
        back = self.query_positions[:, None] - np.arange(self.context_length)
        # The token of the query was last seen `back + 1` tokens ago with this probability.
        weights = np.where(back >= 0, (1 - 1 / self.num_symbols) ** np.maximum(back, 0), 0.0)
        return read(weights, tokens, self.vocab_size)

    def _from_all_followers(self, rule: Rule, tokens: Integers) -> Floats:
        del rule
        queries = self.query_positions[:, None]
        alike = tokens[:, None, :-1] == tokens[:, self.query_positions][..., None]
        earlier = np.arange(self.context_length - 1) < queries
        return read(
            np.pad((alike & earlier).astype(float), ((0, 0), (0, 0), (1, 0))), tokens, self.vocab_size
        )
