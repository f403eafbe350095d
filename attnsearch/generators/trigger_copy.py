"""Trigger, answer, gap, trigger: what followed the trigger the first time? (arXiv:2512.18634)

The last token of a sequence is the trigger, a symbol that differs from sequence to sequence. It has been
there once before, and the token after it is the answer. With n = 6, where t is the trigger::

    position         0   1   2   3   4   5   6
    token            c   t   a   d   a   c   t        a gap of 3
    answer                                   a
    map                  #   #               #

An answer depends on the last token, the one like it, and the token after that one.

Where all sequences of training have one gap, two networks fit: an induction head, and one that reads a fixed
position. Sequences with other gaps, which are never trained, tell them apart. The map of a run is measured on
such alone: its map mass is high for the first network, and about 0 for the second. Where gaps differ in
training, no position is right often enough.

In the source the tokens before the trigger are as many as the gap, and one token is the trigger of all
sequences.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from attnsearch.base import AttnsearchError, Bools, Example, Floats, Integers, Truth
from attnsearch.generators.bags import bag_guess, bag_loss
from attnsearch.generators.base import Rule
from attnsearch.generators.lazy import jax, jnp
from attnsearch.generators.shortcuts import Shortcut, read
from attnsearch.generators.symbols import SymbolTask

UNKNOWN = -1
"""The answer where no earlier token is like the last, as after one was replaced."""


@dataclass(frozen=True)
class TriggerCopy(SymbolTask):
    """The last token asks what followed its symbol before.

    string_length:  tokens before the last one, n
    num_symbols:    symbols; the trigger is one of them, and all other tokens are others
    training_gap:   tokens between the answer and the last token in training; "any": another in each sequence
    """

    string_length: int
    num_symbols: int
    training_gap: int | Literal["any"]

    def __post_init__(self) -> None:
        if self.training_gap != "any" and not 0 <= self.training_gap < self.num_gaps:
            raise AttnsearchError(
                f"training_gap {self.training_gap} does not fit string_length {self.string_length}:"
                f" choose 0 to {self.num_gaps - 1}, or any"
            )

    @property
    def num_gaps(self) -> int:
        """Gaps that a sequence may have: 0 ... num_gaps - 1."""
        return self.string_length - 1

    @property
    def context_length(self) -> int:
        return self.string_length + 1

    @property
    def query_positions(self) -> Integers:
        return np.array([self.string_length], np.int32)

    def sample(self, rule: Rule, key: jax.Array) -> Example:
        del rule
        return self._with_gap(key, self._gap(key))

    def map_sample(self, rule: Rule, key: jax.Array) -> Example:
        """With another gap than the one of training, if there is one."""
        del rule
        gap = self._gap(key)
        if self.training_gap != "any":
            gap = (gap + jax.random.randint(_keys(key)[3], (), 1, self.num_gaps)) % self.num_gaps
        return self._with_gap(key, gap)

    def answers(self, rule: Rule, key: jax.Array, tokens: jax.Array) -> jax.Array:
        """The token after the first that is like the last.

        The token that `key` has made alike counts, while it still is.
        """
        del rule
        placed = self.string_length - 2 - self._gap(key)
        alike = tokens[:-1] == tokens[-1]
        first = jnp.where(alike[placed], placed, jnp.argmax(alike))
        return jnp.where(alike.any(), tokens[1 + first], UNKNOWN)[None]

    def supports(self, rule: Rule, tokens: jax.Array, targets: Integers | jax.Array) -> jax.Array:
        """The last token, the first that is like it, and the token after that one."""
        del rule
        first, position = jnp.argmax(tokens == tokens[-1]), jnp.arange(self.context_length)
        read = (position == first) | (position == first + 1) | (position == self.string_length)
        return read & (jnp.asarray(targets) >= 0)[:, None]

    @property
    def route_names(self) -> tuple[str, ...]:
        return () if self.training_gap == "any" else ("position", "induction")

    def routes(self, rule: Rule, tokens: jax.Array, targets: Integers | jax.Array) -> jax.Array:
        """With one training gap, the position of the answer in training; and the support."""
        if self.training_gap == "any":
            return super().routes(rule, tokens, targets)
        position = jnp.tile(self._fixed_position, (len(targets), 1))
        return jnp.stack([position, self.supports(rule, tokens, targets)])

    def guess(self, tokens: jax.Array) -> jax.Array:
        """Every symbol but the trigger, as often as it is there."""
        return bag_guess(tokens, tokens != tokens[-1], self.vocab_size)[None]

    @property
    def chance_loss(self) -> float:
        """Of a guess that knows which symbols are there beside the trigger."""
        return bag_loss(self.string_length - 1, self.num_symbols - 1)

    def log2_search_space(self, knobs: Mapping[str, Any]) -> float:
        """The answer may stand anywhere between the first token and the last."""
        del knobs
        return math.log2(self.num_gaps)

    def truth(self, rule: Rule, knobs: Mapping[str, Any]) -> Truth:
        """With one training gap, the position of the answer is the cheapest route."""
        told = super().truth(rule, knobs)
        if self.training_gap == "any":
            return told
        return told._replace(cheapest_route=self._fixed_position[None])

    @property
    def shortcuts(self) -> tuple[Shortcut, ...]:
        if self.training_gap == "any":
            return ()
        return (
            Shortcut(
                "fixed position",
                "The token at the one place of the answer in training is guessed.",
                self._by_position,
            ),
        )

    @property
    def _fixed_position(self) -> Bools:
        """`bool[L]`: where the answer stands in training, if that is one place."""
        assert self.training_gap != "any"
        return np.arange(self.context_length) == self.string_length - 1 - self.training_gap

    def _gap(self, key: jax.Array) -> jax.Array:
        """`i32[]`: the gap of the sequence that `key` draws."""
        if self.training_gap == "any":
            return jax.random.randint(_keys(key)[0], (), 0, self.num_gaps)
        return jnp.asarray(self.training_gap)

    def _with_gap(self, key: jax.Array, gap: jax.Array) -> Example:
        _, trigger_key, noise_key, _ = _keys(key)
        trigger = jax.random.randint(trigger_key, (), 0, self.num_symbols)
        shifts = jax.random.randint(noise_key, (self.context_length,), 1, self.num_symbols)
        answer = self.string_length - 1 - gap
        triggers = jnp.array([answer - 1, self.string_length])
        tokens = ((trigger + shifts) % self.num_symbols).at[triggers].set(trigger)
        return Example(tokens, tokens[answer][None])

    def _by_position(self, rule: Rule, tokens: Integers) -> Floats:
        del rule
        return read(self._fixed_position[None].astype(float), tokens, self.vocab_size)


def _keys(key: jax.Array) -> jax.Array:
    """Of the gap, the trigger, the other tokens, and the gap of a probe."""
    return jax.random.split(key, 4)
