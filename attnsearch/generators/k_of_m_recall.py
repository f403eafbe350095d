"""Recall by k of m attributes: which of them matter is hidden in a run, and which block they pick differs.

A block is m attributes and a value. Behind the blocks stand the m attributes of a query. A set of k
attributes is drawn once a run: the answer is the value of the one block that agrees with the query on all of
them. With B = 3 blocks, m = 4, k = 2, v for a value and the hidden set 0, 2::

    position   0  1  2  3  4    5  6  7  8  9   10 11 12 13 14   15 16 17 18
    token      a  a  b  d  v5   b  c  b  a  v1   b  a  d  a  v7   b  a  b  a
    answer                                                                 v1
    agrees on     1  2          0     2  3       0  1     3
    map                         #     #     #                     #     #

The other blocks agree with the query on k attributes too, each on a set of its own: the last one on 0 and 1,
and on 3 by chance. So a block that agrees in much is not more likely to be the right one. Nothing else in a
sequence tells it either to whom the hidden set is unknown. Chance is therefore ln B for every k.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from attnsearch.base import AttnsearchError, Bools, Example, Floats, Integers
from attnsearch.generators.associative_recall import UNKNOWN
from attnsearch.generators.distinct import distinct
from attnsearch.generators.lazy import jax, jnp
from attnsearch.generators.shortcuts import Shortcut
from attnsearch.generators.symbols import SymbolTask

MOST_SETS = 2**14
"""Sets of k of m attributes, at most: all of them are listed."""


@dataclass(frozen=True)
class KOfMRecall(SymbolTask):
    """Blocks, then a query, which is answered at its last attribute.

    num_blocks:      B
    num_attributes:  of a block, and of the query, m
    support_size:    attributes that matter, k
    num_symbols:     symbols that an attribute may be, and as many others that a value may be
    """

    num_blocks: int
    num_attributes: int
    support_size: int
    num_symbols: int

    def __post_init__(self) -> None:
        if self.num_symbols < self.num_blocks:
            raise AttnsearchError(
                f"num_symbols {self.num_symbols} is less than num_blocks, {self.num_blocks}"
            )
        sets = math.comb(self.num_attributes, self.support_size)
        if not self.num_blocks <= sets <= MOST_SETS:
            raise AttnsearchError(
                f"num_attributes {self.num_attributes} with support_size {self.support_size} has {sets:,}"
                f" sets: expected {self.num_blocks}, one for each of num_blocks, to {MOST_SETS:,}"
            )

    @property
    def num_kinds(self) -> int:
        return 2

    @property
    def context_length(self) -> int:
        return self.num_blocks * (self.num_attributes + 1) + self.num_attributes

    @property
    def query_positions(self) -> Integers:
        return np.array([self.context_length - 1], np.int32)

    def init(self, key: jax.Array, knobs: Mapping[str, jax.Array]) -> jax.Array:
        """`bool[m]`: the attributes that matter."""
        del knobs
        sets = self._sets
        return jnp.asarray(sets)[jax.random.randint(key, (), 0, len(sets))]

    def sample(self, rule: jax.Array, key: jax.Array) -> Example:
        block = self._block(key)
        query_key, other_key, value_key, agreeing_key = jax.random.split(jax.random.fold_in(key, 1), 4)
        agrees = self._agreeing(rule, block, agreeing_key)
        query = jax.random.randint(query_key, (self.num_attributes,), 0, self.num_symbols)
        shifts = jax.random.randint(other_key, agrees.shape, 1, self.num_symbols)
        attributes = jnp.where(agrees, query, (query + shifts) % self.num_symbols)
        values = self.num_symbols + distinct(value_key, self.num_blocks, self.num_symbols)
        blocks = jnp.concatenate([attributes, values[:, None]], axis=1)
        return Example(jnp.concatenate([blocks.reshape(-1), query]), values[block][None])

    def answers(self, rule: jax.Array, key: jax.Array, tokens: jax.Array) -> jax.Array:
        """The value of the block that agrees with the query on the attributes that matter.

        Where a replaced token makes two blocks agree, the block that was drawn counts. Where it leaves none,
        the answer is `UNKNOWN`.
        """
        matches, block = self._matches(rule, tokens), self._block(key)
        found = jnp.where(matches[block], block, matches.argmax())
        value = tokens[found * (self.num_attributes + 1) + self.num_attributes]
        return jnp.where(matches.any(), value, UNKNOWN)[None]

    def supports(self, rule: jax.Array, tokens: jax.Array, targets: Integers | jax.Array) -> jax.Array:
        """The attributes that matter, of the query and of the block that agrees on them, and its value."""
        right = jnp.arange(self.num_blocks) == self._matches(rule, tokens).argmax()
        blocks = right[:, None] & jnp.append(rule, True)
        row = jnp.concatenate([blocks.reshape(-1), rule])
        return jnp.broadcast_to(row, (len(targets), self.context_length))

    def guess(self, tokens: jax.Array) -> jax.Array:
        """One of the values that are there."""
        values = self._blocks(tokens)[:, -1]
        return jax.nn.one_hot(values, self.vocab_size).mean(axis=0)[None]

    @property
    def chance_loss(self) -> float:
        """Of a guess among the values of the sequence: ln B."""
        return math.log(self.num_blocks)

    def log2_search_space(self, knobs: Mapping[str, Any]) -> float:
        """The sets of k of m attributes, and the blocks."""
        del knobs
        return math.log2(math.comb(self.num_attributes, self.support_size)) + math.log2(self.num_blocks)

    @property
    def shortcuts(self) -> tuple[Shortcut, ...]:
        most = Shortcut(
            "most alike",
            "The value of the block that agrees with the query on most attributes is guessed.",
            lambda rule, tokens: self._best(tokens, lambda agrees: agrees.sum(axis=2)),
        )
        least = Shortcut(
            "least alike elsewhere",
            "The value of the block that agrees on the fewest attributes that do not matter is guessed.",
            lambda rule, tokens: self._best(tokens, lambda agrees: -(agrees & ~np.asarray(rule)).sum(axis=2)),
        )
        part = Shortcut(
            "all but one",
            "The value of a block that agrees on all attributes that matter but the last is guessed.",
            lambda rule, tokens: self._best(
                tokens, lambda agrees: agrees[:, :, np.flatnonzero(rule)[:-1]].all(axis=2)
            ),
        )
        return (most, least, part) if self.support_size > 1 else (most, least)

    def _best(self, tokens: Integers, score: Callable[[Bools], Any]) -> Floats:
        """`f64[N, 1, V]`: the values of the blocks with the highest score, which is `i64[N, B]` for the
        attributes on which blocks agree with the query, `bool[N, B, m]`."""
        blocks = tokens[:, : -self.num_attributes].reshape(len(tokens), self.num_blocks, -1)
        scores = score(blocks[:, :, :-1] == tokens[:, None, -self.num_attributes :]).astype(int)
        best = scores == scores.max(axis=1, keepdims=True)
        guessed = np.zeros((len(tokens), self.vocab_size))
        np.put_along_axis(guessed, blocks[:, :, -1], best / best.sum(axis=1, keepdims=True), axis=1)
        return guessed[:, None]

    @property
    def _sets(self) -> Bools:
        return _sets(self.num_attributes, self.support_size)

    def _block(self, key: jax.Array) -> jax.Array:
        """`i32[]`: the block that the query asks for."""
        return jax.random.randint(jax.random.fold_in(key, 0), (), 0, self.num_blocks)

    def _agreeing(self, rule: jax.Array, block: jax.Array, key: jax.Array) -> jax.Array:
        """`bool[B, m]`: on which attributes each block agrees with the query.

        Each has a set of its own. The sets are drawn alike for every block, so that the hidden one could be
        any of them. Beyond its set a block agrees with even odds, which hides what does not matter; not where
        that would complete the set of another.
        """
        set_key, more_key = jax.random.split(key)
        sets = jnp.asarray(self._sets)
        hidden = (sets == rule).all(axis=1).argmax()
        others = distinct(set_key, self.num_blocks - 1, len(sets) - 1)
        others = sets[others + (others >= hidden)]
        turn = (jnp.arange(self.num_blocks) - block) % self.num_blocks
        own = jnp.concatenate([rule[None], others])[turn]
        more = own | jax.random.bernoulli(more_key, shape=own.shape)
        completes = ~(own[None] & ~more[:, None]).any(axis=2) & ~jnp.eye(self.num_blocks, dtype=bool)
        return jnp.where(completes.any(axis=1)[:, None], own, more)

    def _blocks(self, tokens: jax.Array) -> jax.Array:
        """`i32[B, m + 1]`"""
        return tokens[: -self.num_attributes].reshape(self.num_blocks, -1)

    def _matches(self, rule: jax.Array, tokens: jax.Array) -> jax.Array:
        """`bool[B]`: which blocks agree with the query on the attributes that matter."""
        agrees = self._blocks(tokens)[:, :-1] == tokens[-self.num_attributes :]
        return (agrees | ~rule).all(axis=1)


@cache
def _sets(number: int, chosen: int) -> Bools:
    """`bool[C(number, chosen), number]`: every set of so many."""
    members = np.array(list(itertools.combinations(range(number), chosen)))
    return (members[:, :, None] == np.arange(number)).any(axis=1)
