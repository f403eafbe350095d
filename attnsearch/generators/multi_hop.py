"""Pointers from table to table, followed h times: each answer needs as many hops as there are tables.

Each table holds N symbols, a fresh permutation for each sequence: place i of a table points to the place of
the next table that its symbol names. A query holds a start. The answer is the symbol where the walk from
there ends. With N = 4 symbols, h = 2 hops and two queries::

    position          0   1   2   3   4   5   6   7   8   9
    token             2   0   3   1   1   3   0   2   1   2
                      table 1         table 2         starts
    answer                                            1   2
    map of target 1               #               #       #      start 2: place 2 of table 1, 3 of table 2

Every table is a permutation, so that the answer is uniform for whoever has made fewer hops. A layer can make
one hop for a query. A network may also join hops at the places of the tables, all at once:
docs/families/depth.md counts them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from attnsearch.base import Example, Floats, Integers
from attnsearch.generators.base import Generator, Rule
from attnsearch.generators.lazy import jax, jnp
from attnsearch.generators.shortcuts import Shortcut


@dataclass(frozen=True)
class MultiHop(Generator):
    """num_symbols: places of a table, N; num_hops: tables, h; num_queries: walks of a sequence."""

    num_symbols: int
    num_hops: int
    num_queries: int

    @property
    def vocab_size(self) -> int:
        return self.num_symbols

    @property
    def context_length(self) -> int:
        return self.num_hops * self.num_symbols + self.num_queries

    @property
    def query_positions(self) -> Integers:
        return np.arange(self.context_length - self.num_queries, self.context_length, dtype=np.int32)

    def log2_search_space(self, knobs: Mapping[str, Any]) -> float:
        """One place of each table."""
        del knobs
        return self.num_hops * math.log2(self.num_symbols)

    def sample(self, rule: Rule, key: jax.Array) -> Example:
        start_key, *table_keys = jax.random.split(key, 1 + self.num_hops)
        tables = jax.vmap(jax.random.permutation, (0, None))(jnp.stack(table_keys), self.num_symbols)
        starts = jax.random.randint(start_key, (self.num_queries,), 0, self.num_symbols)
        tokens = jnp.concatenate([tables.reshape(-1), starts])
        return Example(tokens, self.answers(rule, key, tokens))

    def answers(self, rule: Rule, key: jax.Array, tokens: jax.Array) -> jax.Array:
        """Where each walk ends in the tables as they stand."""
        del rule, key
        return tokens[self._walks(tokens)[-1]]

    def supports(self, rule: Rule, tokens: jax.Array, targets: Integers | jax.Array) -> jax.Array:
        """The query itself, and the place that its walk meets in each table."""
        queries = jnp.asarray(self.query_positions)[jnp.asarray(targets)]
        at_query = jnp.arange(self.context_length) == queries[:, None]
        return at_query | self.routes(rule, tokens, targets).any(axis=0)

    @property
    def route_names(self) -> tuple[str, ...]:
        return tuple(f"hop {hop + 1}" for hop in range(self.num_hops))

    def routes(self, rule: Rule, tokens: jax.Array, targets: Integers | jax.Array) -> jax.Array:
        """The place that each hop reads."""
        del rule
        walks = self._walks(tokens)[:, jnp.asarray(targets)]
        return jnp.arange(self.context_length) == walks[:, :, None]

    @property
    def shortcuts(self) -> tuple[Shortcut, ...]:
        return (
            Shortcut(
                "one hop fewer",
                "The symbol that the walk has reached before the last table is guessed.",
                self._before_the_end,
            ),
        )

    def _before_the_end(self, rule: Rule, tokens: Integers) -> Floats:
        del rule
        symbol = tokens[:, self.query_positions]
        for hop in range(self.num_hops - 1):
            symbol = np.take_along_axis(tokens, hop * self.num_symbols + symbol, axis=1)
        return np.eye(self.vocab_size)[symbol]

    def _walks(self, tokens: jax.Array) -> jax.Array:
        """`i32[h, Q]`: the position that each hop of each query reads."""
        symbol = tokens[self.query_positions]
        walks = []
        for hop in range(self.num_hops):
            walks.append(hop * self.num_symbols + symbol)
            symbol = tokens[walks[-1]]
        return jnp.stack(walks)
