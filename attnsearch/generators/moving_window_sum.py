"""The moving window sum: each answer is the sum of two neighbours, modulo p (arXiv:2506.13688).

n random numbers below p are followed by n places. Place i asks for (x_{i-1} + x_i) mod p, and place 0 for
x_0. With n = 4::

    position         0   1   2   3   4   5   6   7
    token            x0  x1  x2  x3  _   y0  y1  y2       _ is a blank
    answer                           y0  y1  y2  y3       next-token prediction, as published
    map of target 1  #   #

No answer is cheaper than its window, though earlier answers are shown: x_{i-1} could be had from y_{i-1} and
x_{i-2}, which is one token more. Hidden answers leave a blank at each place.

In the source no number is 0. Here each is as likely as any other, and so is each answer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from attnsearch.base import Bools, Floats, Integers, Truth
from attnsearch.generators.answered_string import AnsweredString
from attnsearch.generators.base import Rule
from attnsearch.generators.lazy import jax, jnp
from attnsearch.generators.rows import bag_loss_of_rows, by_bag
from attnsearch.generators.shortcuts import Shortcut, read


@dataclass(frozen=True)
class MovingWindowSum(AnsweredString):
    """Each answer is the sum of a number of the string and the number before it, modulo p.

    modulus:  p; numbers are 0 ... p - 1
    """

    modulus: int

    @property
    def num_values(self) -> int:
        return self.modulus

    def answers_to(self, string: jax.Array) -> jax.Array:
        before = jnp.concatenate([jnp.zeros_like(string[:1]), string[:-1]])
        return (before + string) % self.modulus

    def supports(self, rule: Rule, tokens: jax.Array, targets: Integers | jax.Array) -> jax.Array:
        """A number and the one before it; the same for all sequences."""
        del rule, tokens
        back = jnp.asarray(targets)[:, None] - jnp.arange(self.context_length)
        return (back == 0) | (back == 1)

    def log2_search_space(self, knobs: Mapping[str, Any]) -> float:
        """Any two numbers of the string, as in a linear map; any one for the first answer."""
        del knobs
        return float(self._bits.mean())

    def truth(self, rule: Rule, knobs: Mapping[str, Any]) -> Truth:
        return super().truth(rule, knobs)._replace(log2_search_space=self._bits)

    @property
    def shortcuts(self) -> tuple[Shortcut, ...]:
        return (
            Shortcut(
                "bag of inputs",
                "A sum is guessed as often as the numbers of the string, in any order, have it.",
                self._by_bag,
                lambda knobs: bag_loss_of_rows(
                    self.string_length, self._rows.sum(axis=1).tolist(), self.modulus
                ),
            ),
            Shortcut("first answer", "The first answer is copied, and all others are guessed.", self._first),
        )

    @property
    def _rows(self) -> Bools:
        """`bool[n, n]`: the numbers that each answer adds."""
        back = np.arange(self.string_length)[:, None] - np.arange(self.string_length)
        return (back == 0) | (back == 1)

    def _by_bag(self, rule: Rule, tokens: Integers) -> Floats:
        del rule
        shares = by_bag(self._rows, np.asarray(tokens[:, : self.string_length], np.int64), self.modulus)
        return np.pad(shares, ((0, 0), (0, 0), (0, 1)))

    @property
    def _bits(self) -> Floats:
        """`f64[n]`."""
        sizes = np.minimum(1 + np.arange(self.string_length), 2)
        return np.log2([math.comb(self.string_length, size) for size in sizes.tolist()])

    def _first(self, rule: Rule, tokens: Integers) -> Floats:
        del rule
        copied = (np.arange(self.context_length) == 0).astype(float)
        guessed = np.full((len(tokens), self.string_length, self.vocab_size), 1 / self.modulus)
        guessed[:, 0] = read(copied[None], tokens, self.vocab_size)[:, 0]
        return guessed
