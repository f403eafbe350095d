"""Competing routes: each answer can be read from a hint, which is mostly right, or be computed.

A hidden map of R rows is drawn once for each run, each of s of S inputs, as for the linear map. Target r is
the sum of its row mod C. The inputs are followed by a hint for each target. A hint is the answer in a share
of cases, and another value otherwise. With S = 4, R = 2, s = 2 and row 1 = 1 0 1 0::

    position          0   1   2   3   4   5   6   7
    token             x   x   x   x   h0  h1  _   _       _ is a blank
    answer                                    t0  t1
    general route of 1    #       #
    shallow route of 1                    #

Only the general route is the support: where a hint is replaced, the right answer stays. Probe items tell the
routes apart: all of their hints are wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from attnsearch.base import AttnsearchError, Bools, Example, Floats, Integers
from attnsearch.generators.base import Generator, ProbeItem
from attnsearch.generators.lazy import jax, jnp
from attnsearch.generators.linear_map import log2_choose
from attnsearch.generators.rows import bag_loss_of_rows, by_bag, drawn
from attnsearch.generators.shortcuts import Shortcut, read


class CompetingRule(NamedTuple):
    """What is hidden, and how often hints are right.

    rows:         `bool[R, S]`
    share:        `f32[]` of hints that are right, in [0, 1], at the first step
    last_share:   `f32[]` the same from step `share_steps`, `i32[]`, on, where that is not 0; evenly between
    """

    rows: jax.Array
    share: jax.Array
    last_share: jax.Array
    share_steps: jax.Array


@dataclass(frozen=True)
class CompetingRoutes(Generator):
    """state_size: inputs, S; num_rows: targets, each with a hint, R; modulus: values of a token, C."""

    state_size: int
    num_rows: int
    modulus: int

    traced_knobs = ("support_size", "share", "last_share", "share_steps")

    def __post_init__(self) -> None:
        for name, least in (("state_size", 2), ("num_rows", 1), ("modulus", 2)):
            if getattr(self, name) < least:
                raise AttnsearchError(f"{name} {getattr(self, name)} is too small: at least {least}")

    @property
    def vocab_size(self) -> int:
        return self.modulus + 1

    @property
    def num_values(self) -> int:
        return self.modulus

    @property
    def context_length(self) -> int:
        return self.state_size + 2 * self.num_rows

    @property
    def query_positions(self) -> Integers:
        return np.arange(self.state_size + self.num_rows, self.context_length, dtype=np.int32)

    @property
    def replaceable(self) -> Bools:
        return np.arange(self.context_length) < self.state_size + self.num_rows

    def log2_search_space(self, knobs: Mapping[str, Any]) -> float:
        """Of the general route."""
        return log2_choose(self.state_size, int(knobs["support_size"]))

    def init(self, key: jax.Array, knobs: Mapping[str, jax.Array]) -> CompetingRule:
        """The same key gives nested rows at growing support size, and the same rows at any share."""
        rows = drawn(key, self.num_rows, self.state_size, knobs["support_size"])
        return CompetingRule(rows, knobs["share"] / 100, knobs["last_share"] / 100, knobs["share_steps"])

    def at(self, rule: CompetingRule, step: Any) -> CompetingRule:
        """With the share of right hints at that step."""
        gone = jnp.minimum(step / jnp.maximum(rule.share_steps, 1), 1.0) * (rule.share_steps > 0)
        return rule._replace(share=rule.share + gone * (rule.last_share - rule.share))

    def sample(self, rule: CompetingRule, key: jax.Array) -> Example:
        key, share_key = jax.random.split(key)
        right = jax.random.uniform(share_key, (self.num_rows,)) < rule.share
        item = self._item(rule, key, right)
        return Example(item.tokens, item.general)

    @property
    def competes(self) -> bool:
        return True

    def probe(self, rule: CompetingRule, key: jax.Array) -> ProbeItem:
        """An item whose hints are all wrong."""
        return self._item(rule, key, jnp.zeros(self.num_rows, bool))

    def agreeing(self, rule: CompetingRule, key: jax.Array) -> ProbeItem:
        """An item whose hints are all right: what both routes answer."""
        return self._item(rule, key, jnp.ones(self.num_rows, bool))

    def _item(self, rule: CompetingRule, key: jax.Array, right: jax.Array) -> ProbeItem:
        """The sequence of `key` whose hints are `right`, `bool[R]`."""
        state_key, wrong_key = jax.random.split(key)
        state = jax.random.randint(state_key, (self.state_size,), 0, self.modulus)
        general = self._sums(rule, state)
        shifts = jax.random.randint(wrong_key, (self.num_rows,), 1, self.modulus)
        shallow = jnp.where(right, general, (general + shifts) % self.modulus)
        blanks = jnp.full_like(general, self.modulus)
        return ProbeItem(jnp.concatenate([state, shallow, blanks]), general, shallow)

    def answers(self, rule: CompetingRule, key: jax.Array, tokens: jax.Array) -> jax.Array:
        """The sums of the rows, whatever the hints say."""
        del key
        return self._sums(rule, tokens[: self.state_size])

    def _sums(self, rule: CompetingRule, state: jax.Array) -> jax.Array:
        return rule.rows.astype(jnp.int32) @ state % self.modulus

    def supports(self, rule: CompetingRule, tokens: jax.Array, targets: Integers | jax.Array) -> jax.Array:
        """The general route."""
        return self.routes(rule, tokens, targets)[1]

    @property
    def shortcuts(self) -> tuple[Shortcut, ...]:
        bag = Shortcut(
            "bag of inputs",
            "A sum is guessed as often as the inputs, in any order, have it.",
            self._by_bag,
            lambda knobs: bag_loss_of_rows(self.state_size, [int(knobs["support_size"])], self.modulus),
        )
        return bag, Shortcut("hints", "The hint of each target is guessed.", self._by_hint)

    def _by_bag(self, rule: CompetingRule, tokens: Integers) -> Floats:
        inputs = np.asarray(tokens[:, : self.state_size], np.int64)
        shares = by_bag(np.asarray(rule.rows), inputs, self.modulus)
        return np.pad(shares, ((0, 0), (0, 0), (0, self.vocab_size - self.modulus)))

    def _by_hint(self, rule: CompetingRule, tokens: Integers) -> Floats:
        del rule
        hints = np.eye(self.num_rows, self.context_length, self.state_size)
        return read(hints, tokens, self.vocab_size)

    @property
    def route_names(self) -> tuple[str, ...]:
        return ("shallow", "general")

    def routes(self, rule: CompetingRule, tokens: jax.Array, targets: Integers | jax.Array) -> jax.Array:
        """The hint of each target, and its row."""
        del tokens
        targets = jnp.asarray(targets)
        hints = jnp.arange(self.context_length) == self.state_size + targets[:, None]
        nothing = jnp.zeros((len(targets), 2 * self.num_rows), bool)
        return jnp.stack([hints, jnp.concatenate([rule.rows[targets], nothing], axis=1)])
