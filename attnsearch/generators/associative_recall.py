"""Associative recall: pairs of a key and a value, then keys whose values are asked for.

The pairs are drawn anew for each sequence, so that nothing but the sequence tells them. Keys and values are
symbols of two kinds. No key and no value is there twice, and each query asks for another pair. Filler stands
between the pairs and the queries: any symbols but the keys of the pairs, so that it contradicts none. With
P = 3 pairs, Q = 2 queries, a gap of 3 and k, v for a key and a value::

    position   0   1   2   3   4   5   6   7   8   9  10
    token      k5  v2  k0  v7  k3  v4  v1  k6  v7  k0  k5
    answer                                         v7  v2
    map of v7          #   #                       #

    queries spread by a power law              k0  v1  k5  k6  v7
    answer                                     v7      v2

The answer depends on three tokens: the query, the key that equals it, and the value of that key. Which pair
that is differs between sequences. With many symbols and a power law this is the task of arXiv:2312.04927.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from attnsearch.base import AttnsearchError, Bools, Example, Floats, Integers
from attnsearch.generators.base import Rule
from attnsearch.generators.distinct import distinct
from attnsearch.generators.lazy import jax, jnp
from attnsearch.generators.shortcuts import Shortcut
from attnsearch.generators.symbols import SymbolTask

EXPONENT = 0.01
"""Of the power law of arXiv:2312.04927: a gap of g tokens has the weight g ** (EXPONENT - 1)."""

SAMPLED_FILLER = 32
"""Positions of filler, evenly spread, that are probed where not all targets are mapped."""

UNKNOWN = -1
"""The answer to a query that equals no key, as after a token was replaced."""


@dataclass(frozen=True)
class AssociativeRecall(SymbolTask):
    """Pairs first, then queries among filler; each is answered where it stands.

    num_pairs:    pairs of a key and a value, P
    num_queries:  keys that are asked for, Q, each another one
    num_symbols:  symbols that a key may be, and as many others that a value may be
    gap:          tokens of filler
    spread:       "together" puts the queries behind the filler; "power-law" puts them in it, at distances
                  from the pairs that share out a power law evenly, so that most are near
    """

    num_pairs: int
    num_queries: int
    num_symbols: int
    gap: int
    spread: Literal["together", "power-law"] = "together"

    def __post_init__(self) -> None:
        if self.num_queries > self.num_pairs:
            raise AttnsearchError(f"num_queries {self.num_queries} is more than num_pairs, {self.num_pairs}")
        if self.num_symbols < self.num_pairs:
            raise AttnsearchError(f"num_symbols {self.num_symbols} is less than num_pairs, {self.num_pairs}")
        if self.spread not in ("together", "power-law"):
            raise AttnsearchError(f"spread {self.spread!r} is unknown: together or power-law")

    @property
    def num_kinds(self) -> int:
        return 2

    @property
    def context_length(self) -> int:
        return 2 * self.num_pairs + self.gap + self.num_queries

    @property
    def query_positions(self) -> Integers:
        places, turn = self.gap + self.num_queries, np.arange(self.num_queries)
        if self.spread == "together":
            return (2 * self.num_pairs + self.gap + turn).astype(np.int32)
        # Quantiles of the law, as many as there are queries, each at a place of its own.
        share = (turn + 0.5) / self.num_queries
        reached = (1 + share * ((places + 1) ** EXPONENT - 1)) ** (1 / EXPONENT)
        place = np.maximum.accumulate(reached.astype(int) - 1 - turn) + turn
        return (2 * self.num_pairs + np.minimum(place, self.gap + turn)).astype(np.int32)

    def sample(self, rule: Rule, key: jax.Array) -> Example:
        del rule
        asked = self._asked(key)
        key_key, value_key, filler_key = jax.random.split(jax.random.fold_in(key, 1), 3)
        keys = distinct(key_key, self.num_pairs, self.num_symbols)
        values = self.num_symbols + distinct(value_key, self.num_pairs, self.num_symbols)
        pairs = jnp.stack([keys, values], axis=1).reshape(-1)
        # The symbols that are not a key of a pair, counted: each such key further down moves one up by one.
        number = jax.random.randint(filler_key, (self.gap,), 0, self.vocab_size - self.num_pairs)
        smaller = (keys[:, None] > keys).sum(axis=1)
        filler = number + (keys - smaller <= number[:, None]).sum(axis=1)
        tokens = jnp.concatenate([pairs, filler, keys[asked]])[self._order]
        return Example(tokens, values[asked])

    def answers(self, rule: Rule, key: jax.Array, tokens: jax.Array) -> jax.Array:
        """The value of the key that equals the query.

        Where a replaced token makes two keys equal, the pair that was asked for counts. Where it leaves none,
        the answer is `UNKNOWN`.
        """
        del rule
        asked = self._asked(key)
        equal = self._equal(tokens, np.arange(self.num_queries))
        still = jnp.take_along_axis(equal, asked[:, None], axis=1)[:, 0]
        pair = jnp.where(still, asked, equal.argmax(axis=1))
        return jnp.where(equal.any(axis=1), tokens[2 * pair + 1], UNKNOWN)

    def supports(self, rule: Rule, tokens: jax.Array, targets: Integers | jax.Array) -> jax.Array:
        """The query, the key that equals it, and that key's value."""
        del rule
        position = np.arange(self.context_length)
        query = jnp.asarray(self.query_positions)[targets]
        pair = self._equal(tokens, targets).argmax(axis=1)
        read = (position < 2 * self.num_pairs) & (position // 2 == pair[:, None])
        return read | (position == query[:, None])

    def guess(self, tokens: jax.Array) -> jax.Array:
        """One of the values that are there."""
        values = tokens[1 : 2 * self.num_pairs : 2]
        shares = jax.nn.one_hot(values, self.vocab_size).mean(axis=0)
        return jnp.broadcast_to(shares, (self.num_queries, self.vocab_size))

    @property
    def chance_loss(self) -> float:
        """Of a guess among the values of the sequence, which takes no search: ln P, and not ln of all."""
        return math.log(self.num_pairs)

    def log2_search_space(self, knobs: Mapping[str, Any]) -> float:
        """The pairs: the query is in every support, and a key brings its value."""
        del knobs
        return math.log2(self.num_pairs)

    @property
    def shortcuts(self) -> tuple[Shortcut, ...]:
        return (
            Shortcut(
                "crossing off",
                "A value is guessed, but none whose key an earlier query has asked for.",
                self._by_crossing_off,
            ),
        )

    @property
    def probed_positions(self) -> Bools:
        """Pairs, queries and some filler, where not all targets are mapped."""
        if len(self.mapped_targets) == self.num_targets:
            return self.replaceable
        probed = np.arange(self.context_length) < 2 * self.num_pairs
        probed[self.query_positions] = True
        filler = np.flatnonzero(~probed)
        probed[filler[:: max(1, len(filler) // SAMPLED_FILLER)]] = True
        return probed

    def _by_crossing_off(self, rule: Rule, tokens: Integers) -> Floats:
        del rule
        pairs = tokens[:, : 2 * self.num_pairs]
        equal = tokens[:, self.query_positions, None] == pairs[:, None, ::2]
        left = 1.0 - (np.cumsum(equal, axis=1) - equal)
        values = np.broadcast_to(pairs[:, None, 1::2], left.shape)
        guessed = np.zeros((*left.shape[:2], self.vocab_size))
        np.put_along_axis(guessed, values, left / left.sum(axis=2, keepdims=True), axis=2)
        return guessed

    @property
    def _order(self) -> Integers:
        """`i64[L]`: where the token of each position is among pairs, filler and queries."""
        behind = np.arange(self.context_length)[2 * self.num_pairs :]
        asks = np.isin(behind, self.query_positions)
        first = 2 * self.num_pairs + np.where(asks, self.gap, 0)
        counted = np.where(asks, np.cumsum(asks), np.cumsum(~asks)) - 1
        return np.concatenate([np.arange(2 * self.num_pairs), first + counted])

    def _asked(self, key: jax.Array) -> jax.Array:
        """`i32[Q]`: the pair that each query asks for."""
        return distinct(jax.random.fold_in(key, 0), self.num_queries, self.num_pairs)

    def _equal(self, tokens: jax.Array, targets: Integers | jax.Array) -> jax.Array:
        """`bool[n, P]`: the keys that each target's query equals."""
        queries = tokens[jnp.asarray(self.query_positions)[targets]]
        return queries[:, None] == tokens[: 2 * self.num_pairs : 2]
