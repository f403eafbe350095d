"""A single location: each answer is the token at one hidden place, which may be repeated at others.

S inputs are followed by S blanks. Which inputs hold the same token is drawn once a run, r of them at a time:
S / r random symbols stand in S places. Blank t asks for symbol t mod S / r. With S = 6 and r = 2::

    position         0   1   2   3   4   5   6   7   8   9  10  11
    token            x0  x1  x2  x1  x0  x2  _   _   _   _   _   _       _ is a blank
    answer                                   x0  x1  x2  x0  x1  x2
    map of target 1      #       #

Any one of the r places is enough, so a network that reads all inputs alike reads the answer with weight
r / S. Theory says that the plateau grows with S / r (arXiv:2505.17863). There one token is repeated and the
others are not. Here all are, so that each place is worth as much as the others.

Which of the r places decides is drawn with each sequence. They hold the same token, so that it makes no
difference until one is replaced: then the answer moves in one sequence of r. The support is all of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from attnsearch.base import AttnsearchError, Bools, Example, Integers, Truth
from attnsearch.generators.bags import bag_guess, bag_loss
from attnsearch.generators.base import Generator, Rule
from attnsearch.generators.lazy import jax, jnp
from attnsearch.generators.linear_map import log2_choose


@dataclass(frozen=True)
class SingleLocation(Generator):
    """state_size: inputs, S, and blanks; num_repetitions: places of each token, r; num_symbols: its values.

    Errors: AttnsearchError where S is not a multiple of r, or holds one token alone.
    """

    state_size: int
    num_repetitions: int
    num_symbols: int

    def __post_init__(self) -> None:
        if self.state_size % self.num_repetitions or self.num_items < 2:
            raise AttnsearchError(
                f"state_size {self.state_size} is not two or more times num_repetitions"
                f" {self.num_repetitions}: give a multiple of it"
            )

    @property
    def num_items(self) -> int:
        """Tokens that are drawn for a sequence, S / r; each stands at r places."""
        return self.state_size // self.num_repetitions

    @property
    def num_values(self) -> int:
        return self.num_symbols

    @property
    def vocab_size(self) -> int:
        return self.num_symbols + 1

    @property
    def context_length(self) -> int:
        return 2 * self.state_size

    @property
    def query_positions(self) -> Integers:
        return np.arange(self.state_size, 2 * self.state_size, dtype=np.int32)

    @property
    def replaceable(self) -> Bools:
        return np.arange(self.context_length) < self.state_size

    def init(self, key: jax.Array, knobs: Mapping[str, jax.Array]) -> jax.Array:
        """`i32[S]`: the item that each place holds, every one at r places."""
        del knobs
        return jax.random.permutation(key, self.state_size) // self.num_repetitions

    def sample(self, rule: jax.Array, key: jax.Array) -> Example:
        items = jax.random.randint(jax.random.fold_in(key, 0), (self.num_items,), 0, self.num_symbols)
        blanks = jnp.full(self.state_size, self.num_symbols, items.dtype)
        return Example(jnp.concatenate([items[rule], blanks]), items[self._asked])

    def answers(self, rule: jax.Array, key: jax.Array, tokens: jax.Array) -> jax.Array:
        """The token at the place that decides: one of the r, drawn for each target."""
        shape = self.state_size, self.state_size
        noise = jax.random.uniform(jax.random.fold_in(key, 1), shape)
        decides = jnp.where(self._holds(rule, self._asked), 1 + noise, 0).argmax(axis=1)
        return tokens[decides]

    def supports(self, rule: jax.Array, tokens: jax.Array, targets: Integers | jax.Array) -> jax.Array:
        """The places that hold what is asked for; the same for all sequences."""
        del tokens
        held = self._holds(rule, jnp.asarray(self._asked)[jnp.asarray(targets)])
        return jnp.concatenate([held, jnp.zeros_like(held)], axis=1)

    def guess(self, tokens: jax.Array) -> jax.Array:
        """Every symbol as often as the inputs hold it."""
        inputs = jnp.asarray(self.replaceable)
        return jnp.tile(bag_guess(tokens, inputs, self.vocab_size), (self.state_size, 1))

    @property
    def chance_loss(self) -> float:
        """Of a guess that knows which symbols the inputs hold."""
        return bag_loss(self.num_items, self.num_symbols)

    def log2_search_space(self, knobs: Mapping[str, Any]) -> float:
        """r of S places."""
        del knobs
        return log2_choose(self.state_size, self.num_repetitions)

    def truth(self, rule: Rule, knobs: Mapping[str, Any]) -> Truth:
        """The cheapest route is a single place, the first: one of S, of which r serve."""
        told = super().truth(rule, knobs)
        first = np.arange(self.context_length) == told.attention_map.argmax(axis=1)[:, None]
        bits = np.full(self.num_targets, math.log2(self.num_items))
        return told._replace(cheapest_route=first, log2_search_space=bits)

    @property
    def _asked(self) -> Integers:
        """`i64[S]`: the item that each blank asks for."""
        return np.arange(self.state_size) % self.num_items

    def _holds(self, rule: jax.Array, items: Any) -> jax.Array:
        """`bool[P, S]`: which places hold each of the `items`, `i[P]`."""
        return rule == jnp.asarray(items)[:, None]
