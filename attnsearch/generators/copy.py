"""A string and its repetition: each answer is the token at one offset, the same for all targets.

n random symbols, a gap of blanks, and n places that ask for the string once more. With n = 4 and a gap of 2::

    position         0   1   2   3   4   5   6   7   8   9
    token            x0  x1  x2  x3  _   _   _   _   _   _       _ is a blank
    answer                                   x0  x1  x2  x3      emitted answers hidden
    map of target 1      #

    token            x0  x1  x2  x3  _   _   _   x0  x1  x2      emitted answers shown
    answer                                   x0  x1  x2  x3      next-token prediction

The offset, n + gap, is the pattern. It is the only way to an answer where emitted answers are hidden. Where
they are shown, the symbol before can be looked up in the string, and symbols can be crossed off as they come.
A target is then cheaper than its offset.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from attnsearch.base import Floats, Integers
from attnsearch.generators.answered_string import AnsweredString
from attnsearch.generators.bags import bag_guess, bag_loss
from attnsearch.generators.base import Rule
from attnsearch.generators.lazy import jax, jnp
from attnsearch.generators.shortcuts import Shortcut, read


@dataclass(frozen=True)
class Copy(AnsweredString):
    """Each answer is the symbol of the string at the same place.

    num_symbols:  symbols, each as likely as the others
    gap:          blanks between the string and the first answer
    """

    num_symbols: int
    gap: int

    @property
    def num_values(self) -> int:
        return self.num_symbols

    @property
    def num_blanks(self) -> int:
        return self.gap

    def answers_to(self, string: jax.Array) -> jax.Array:
        return string

    def supports(self, rule: Rule, tokens: jax.Array, targets: Integers | jax.Array) -> jax.Array:
        """The symbol at one offset before the query; the same for all sequences."""
        del rule, tokens
        return jnp.arange(self.context_length) == jnp.asarray(targets)[:, None]

    def guess(self, tokens: jax.Array) -> jax.Array:
        """Every symbol as often as the string holds it."""
        string = jnp.arange(self.context_length) < self.string_length
        return jnp.tile(bag_guess(tokens, string, self.vocab_size), (self.string_length, 1))

    @property
    def chance_loss(self) -> float:
        """Of a guess that knows which symbols the string holds."""
        return bag_loss(self.string_length, self.num_symbols)

    def log2_search_space(self, knobs: Mapping[str, Any]) -> float:
        """Any symbol of the string could have been the answer."""
        del knobs
        return math.log2(self.string_length)

    @property
    def shortcuts(self) -> tuple[Shortcut, ...]:
        if self.emitted == "hidden":
            return ()
        left = Shortcut(
            "crossing off",
            "Every symbol is guessed as often as the string holds it beyond the answers so far.",
            self._by_crossing_off,
        )
        before = Shortcut(
            "what followed",
            "The symbols that follow the answer before in the string are guessed.",
            self._by_what_followed,
        )
        return left, before

    def _by_crossing_off(self, rule: Rule, tokens: Integers) -> Floats:
        del rule
        string = np.eye(self.vocab_size)[tokens[:, : self.string_length]]
        emitted = np.cumsum(string, axis=1) - string
        left = string.sum(axis=1, keepdims=True) - emitted
        return left / left.sum(axis=-1, keepdims=True)

    def _by_what_followed(self, rule: Rule, tokens: Integers) -> Floats:
        del rule
        string = tokens[:, : self.string_length]
        follows = np.zeros((len(tokens), self.string_length, self.context_length))
        # The first answer has none before it: any symbol may be the first.
        follows[:, 0, : self.string_length] = 1
        follows[:, 1:, 1 : self.string_length] = string[:, :-1, None] == string[:, None, :-1]
        return read(follows, tokens, self.vocab_size)
