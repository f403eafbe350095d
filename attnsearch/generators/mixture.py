"""A mixture: one network learns several components at once, each a search of another size.

The components share S inputs. Component k of K has R hidden rows, drawn once for each run. Each of its rows
reads s - K + k inputs: the last component reads s, the one before it s - 1. A target is the sum of its row
mod C. It is asked, and answered, at a blank that holds the name of its row. With S = 4, K = 2, R = 1, s = 2,
row 0 0 1 0 of component 1 and row 1 0 0 1 of component 2::

    position                 0   1   2   3   4   5
    token                    x   x   x   x   r0  r1      rows by their names
    answer                                   t0  t1
    map of t0, component 1           #
    map of t1, component 2   #           #

A component with more inputs has more supports to search, and so emerges later. Each target has a curve of its
own, which says when.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from attnsearch.base import AttnsearchError, Bools, Example, Floats, Integers, Truth
from attnsearch.generators.base import Generator
from attnsearch.generators.lazy import jax, jnp
from attnsearch.generators.linear_map import log2_choose
from attnsearch.generators.rows import bag_loss_of_rows, by_all_but_one, by_bag, drawn
from attnsearch.generators.shortcuts import Shortcut


@dataclass(frozen=True)
class Mixture(Generator):
    """The rule is the rows, `bool[K R, S]`, component by component.

    state_size:          inputs, S
    num_components:      K
    num_rows:            rows of each component, R
    modulus:             values of an input, C
    component_exponent:  a of Zipf's law. Component k, counted from 1, is asked in proportion to k^-a; the
                         rows that are asked least are asked once
    """

    state_size: int
    num_components: int
    num_rows: int = 1
    modulus: int = 2
    component_exponent: int = 0

    traced_knobs = ("support_size",)

    def __post_init__(self) -> None:
        for name, least in (("state_size", 2), ("num_components", 1), ("num_rows", 1), ("modulus", 2)):
            if getattr(self, name) < least:
                raise AttnsearchError(f"{name} {getattr(self, name)} is too small: at least {least}")
        if self.num_components > self.state_size:
            raise AttnsearchError(
                f"num_components {self.num_components} is too large: the last component reads as many inputs,"
                f" and state_size is {self.state_size}"
            )

    @property
    def component(self) -> Integers:
        """`i64[K R]`: the component of each row, from 0."""
        return np.repeat(np.arange(self.num_components), self.num_rows)

    @property
    def rows(self) -> Integers:
        """`i64[Q]`: the row that each blank asks: all of them once, then again some."""
        shares = np.arange(1, self.num_components + 1) ** -float(self.component_exponent)
        times = np.round(shares / shares.min())[self.component]
        return np.concatenate([np.flatnonzero(times > before) for before in range(int(times.max()))])

    @property
    def num_values(self) -> int:
        return self.modulus

    @property
    def vocab_size(self) -> int:
        return self.modulus + len(self.component)

    @property
    def context_length(self) -> int:
        return self.state_size + len(self.rows)

    @property
    def query_positions(self) -> Integers:
        return np.arange(self.state_size, self.context_length, dtype=np.int32)

    @property
    def replaceable(self) -> Bools:
        return np.arange(self.context_length) < self.state_size

    def log2_search_space(self, knobs: Mapping[str, Any]) -> float:
        return float(self._bits(knobs).mean())

    def _bits(self, knobs: Mapping[str, Any]) -> Floats:
        """`f64[Q]`: log2 of the number of supports of each target, by the size of its own."""
        return np.array([log2_choose(self.state_size, size) for size in self._sizes(knobs).tolist()])

    def _sizes(self, knobs: Mapping[str, Any]) -> Integers:
        """`i64[Q]`: the inputs that each target reads."""
        return int(knobs["support_size"]) - self.num_components + 1 + self.component[self.rows]

    def init(self, key: jax.Array, knobs: Mapping[str, jax.Array]) -> jax.Array:
        """The same key gives nested rows at growing support size."""
        sizes = knobs["support_size"] - self.num_components + 1 + self.component
        return drawn(key, len(self.component), self.state_size, sizes[:, None])

    def sample(self, rule: jax.Array, key: jax.Array) -> Example:
        state = jax.random.randint(key, (self.state_size,), 0, self.modulus)
        names = jnp.asarray(self.modulus + self.rows, state.dtype)
        return Example(jnp.concatenate([state, names]), self._sums(rule, state))

    def answers(self, rule: jax.Array, key: jax.Array, tokens: jax.Array) -> jax.Array:
        """The sum of the row that each blank names."""
        del key
        return self._sums(rule, tokens[: self.state_size])

    def _sums(self, rule: jax.Array, state: jax.Array) -> jax.Array:
        return rule[self.rows].astype(jnp.int32) @ state % self.modulus

    def supports(self, rule: jax.Array, tokens: jax.Array, targets: Integers | jax.Array) -> jax.Array:
        """The inputs of the row that each target asks; the same for all sequences."""
        del tokens
        inputs = rule[jnp.asarray(self.rows)[targets]]
        return jnp.pad(inputs, ((0, 0), (0, len(self.rows))))

    def truth(self, rule: jax.Array, knobs: Mapping[str, Any]) -> Truth:
        """With the search space of each target."""
        return super().truth(rule, knobs)._replace(log2_search_space=self._bits(knobs))

    @property
    def shortcuts(self) -> tuple[Shortcut, ...]:
        return (
            Shortcut(
                "bag of inputs",
                "A sum is guessed as often as the inputs, in any order, have it.",
                lambda rule, tokens: self._by_rows(by_bag, rule, tokens),
                self._bag_loss,
            ),
            Shortcut(
                "all but one input",
                "All inputs of the row but the last are summed, and one of the other inputs is guessed.",
                lambda rule, tokens: self._by_rows(by_all_but_one, rule, tokens),
            ),
            Shortcut(
                "first component",
                "Targets of the first component are answered, and all others are guessed.",
                self._by_the_first,
            ),
        )

    def _bag_loss(self, knobs: Mapping[str, Any]) -> float:
        return bag_loss_of_rows(self.state_size, self._sizes(knobs).tolist(), self.modulus)

    def _by_rows(
        self, guess: Callable[[Bools, Integers, int], Floats], rule: jax.Array, tokens: Integers
    ) -> Floats:
        """`f64[N, Q, V]`: what is guessed of the rows from the inputs."""
        inputs = np.asarray(tokens[:, : self.state_size], np.int64)
        return self._padded(guess(np.asarray(rule), inputs, self.modulus)[:, self.rows])

    def _by_the_first(self, rule: jax.Array, tokens: Integers) -> Floats:
        first = self.component[self.rows] == 0
        asked = np.asarray(rule)[self.rows].astype(np.int64)
        answers = np.eye(self.modulus)[tokens[:, : self.state_size] @ asked.T % self.modulus]
        return self._padded(np.where(first[:, None], answers, 1 / self.modulus))

    def _padded(self, shares: Floats) -> Floats:
        """`f64[N, Q, V]` of `shares`, `f64[N, Q, C]`: names of rows are never guessed."""
        return np.pad(shares, ((0, 0), (0, 0), (0, self.vocab_size - self.modulus)))
