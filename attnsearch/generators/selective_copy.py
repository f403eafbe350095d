"""Marked tokens among noise, to be repeated in their order: which positions are marked differs from sequence
to sequence (selective copying: arXiv:1706.02761; as a task for state-space models: arXiv:2312.00752).

m marked symbols stand at random places among symbols that are not marked. Blank i asks for marked symbol i.
With m = 2 and 4 of noise, where ' is the mark::

    position          0   1   2   3   4   5   6   7
    token             c   a'  b   b   a'  d   _   _       _ is a blank
    answer                                    a'  a'
    map of target 1                   #

A marked symbol and the same symbol unmarked are two tokens. In the works above the noise is one token that is
always the same. Here it is of symbols too, so that only the mark tells what matters. The map is what an
answer depends on, given which tokens are marked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from attnsearch.base import Bools, Example, Floats, Integers
from attnsearch.generators.bags import bag_guess, bag_loss
from attnsearch.generators.base import Rule
from attnsearch.generators.lazy import jax, jnp
from attnsearch.generators.shortcuts import Shortcut, read
from attnsearch.generators.symbols import SymbolTask


@dataclass(frozen=True)
class SelectiveCopy(SymbolTask):
    """Blank i asks for the marked token number i.

    string_length:  marked tokens, m, and answers
    num_noise:      tokens among them that are not marked
    num_symbols:    symbols, marked or not, each as likely as the others
    """

    string_length: int
    num_noise: int
    num_symbols: int

    @property
    def num_kinds(self) -> int:
        """Not marked, and marked."""
        return 2

    @property
    def vocab_size(self) -> int:
        return 2 * self.num_symbols + 1

    @property
    def num_places(self) -> int:
        """Positions at which a marked token may stand."""
        return self.string_length + self.num_noise

    @property
    def context_length(self) -> int:
        return self.num_places + self.string_length

    @property
    def query_positions(self) -> Integers:
        return np.arange(self.num_places, self.context_length, dtype=np.int32)

    @property
    def replaceable(self) -> Bools:
        return np.arange(self.context_length) < self.num_places

    def sample(self, rule: Rule, key: jax.Array) -> Example:
        del rule
        _, symbol_key = jax.random.split(key)
        places = self._places(key)
        symbols = jax.random.randint(symbol_key, (self.num_places,), 0, self.num_symbols)
        shown = symbols.at[places].add(self.num_symbols)
        blanks = jnp.full(self.string_length, 2 * self.num_symbols)
        return Example(jnp.concatenate([shown, blanks]), shown[places])

    def answers(self, rule: Rule, key: jax.Array, tokens: jax.Array) -> jax.Array:
        """The tokens at the places that `key` has marked."""
        del rule
        return tokens[self._places(key)]

    def supports(self, rule: Rule, tokens: jax.Array, targets: Integers | jax.Array) -> jax.Array:
        """The marked token that has as many marked ones before it as there are targets before."""
        del rule
        marked = tokens // self.num_symbols == 1
        return marked & (jnp.cumsum(marked) == 1 + jnp.asarray(targets)[:, None])

    def guess(self, tokens: jax.Array) -> jax.Array:
        """The marked tokens, whatever their order."""
        marked = tokens // self.num_symbols == 1
        return jnp.tile(bag_guess(tokens, marked, self.vocab_size), (self.string_length, 1))

    @property
    def chance_loss(self) -> float:
        """Of a guess that knows which marked tokens are there."""
        return bag_loss(self.string_length, self.num_symbols)

    def log2_search_space(self, knobs: Mapping[str, Any]) -> float:
        """Marked token i has i marked ones before it, and m - 1 - i after it: each has as many places."""
        del knobs
        return math.log2(self.num_noise + 1)

    @property
    def shortcuts(self) -> tuple[Shortcut, ...]:
        return (
            Shortcut(
                "likely places",
                "The tokens are guessed, weighted by how often the right one stands where they stand.",
                self._by_place,
            ),
            Shortcut(
                "likely marked",
                "The marked tokens are guessed, weighted by how often the right one stands where they stand.",
                self._by_place_and_mark,
            ),
        )

    def _places(self, key: jax.Array) -> jax.Array:
        """`i32[m]`, rising: the marked positions of the sequence that `key` draws."""
        place_key, _ = jax.random.split(key)
        return jnp.sort(jax.random.permutation(place_key, self.num_places)[: self.string_length])

    @property
    def _likely(self) -> Floats:
        """`f64[m, L]`: the probability that marked token i stands at a position."""
        number, position = np.arange(self.string_length)[:, None], np.arange(self.num_places)
        before = special.comb(position, number)
        after = special.comb(self.num_places - 1 - position, self.string_length - 1 - number)
        shares = before * after / special.comb(self.num_places, self.string_length)
        return np.pad(shares, ((0, 0), (0, self.string_length)))

    def _by_place(self, rule: Rule, tokens: Integers) -> Floats:
        del rule
        # Marked or not, a symbol that is read may be the symbol asked for.
        marked = np.where(tokens < self.num_symbols, tokens + self.num_symbols, tokens)
        return read(self._likely, marked, self.vocab_size)

    def _by_place_and_mark(self, rule: Rule, tokens: Integers) -> Floats:
        del rule
        marked = (tokens // self.num_symbols == 1)[:, None]
        return read(self._likely * marked, tokens, self.vocab_size)
