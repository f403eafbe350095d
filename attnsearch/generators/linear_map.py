"""The linear map: x1 = A x0 mod C, one sparse sum a target (arXiv:2606.25010, linear map, where C = 2).

A in {0,1}^(S x S) has exactly s ones in each row and is fixed for a run; x0 is uniform. With S = 4,
s = 2 and row 1 = 1 0 1 0, target 1 is the sum of inputs 0 and 2, in two arrangements::

    LinearMap                  position  0   1   2   3   4   5   6   7
                               token     x0  x0  x0  x0  _   _   _   _      _ is a blank
                               answer                    t0  t1  t2  t3
                               map of t1 #       #

    LinearMapAutoregressive    position  0   1   2   3   4   5   6   7
                               token     x0  x0  x0  x0  t0  t1  t2  t3
                               answer                t0  t1  t2  t3         next-token prediction
                               map of t1 #       #

In the first a blank sees inputs and other blanks only, so no target can be computed from another. In the
second, as published, target r sees the targets before it, and may have a route cheaper than its row.

Of more states than two, the second is the trajectory x0, A x0, A A x0 and so on. In the first, each state
that is shown is drawn anew, with blanks of its own: the next of a trajectory would depend on all before.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import special

from attnsearch.base import AttnsearchError, Bools, Example, Floats, Integers, Truth
from attnsearch.generators.base import Generator, Rule
from attnsearch.generators.lazy import jax, jnp
from attnsearch.generators.routes import cheapest_routes
from attnsearch.generators.rows import bag_loss_of_rows, by_all_but_one, by_bag, drawn
from attnsearch.generators.shortcuts import Shortcut

LARGEST_NAMED = 1024
"""State size, at most, where rows are asked by their names: a state then has up to 1.6 million blanks."""

LARGEST_EXACT = 4096
"""State size up to which binomial coefficients are computed as whole numbers."""


@dataclass(frozen=True)
class _LinearMap(Generator):
    """What both arrangements share: the matrix, its draw, and the state it maps.

    state_size:  cells of a state, S
    modulus:     values of a cell, C; a target is the sum of its inputs mod C
    num_states:  states of a sequence, T: those that are targets, and one
    """

    state_size: int
    modulus: int = 2
    num_states: int = 2

    traced_knobs = ("support_size",)

    def __post_init__(self) -> None:
        for name, least, what in (
            ("state_size", 2, "cells"),
            ("modulus", 2, "values"),
            ("num_states", 2, "states"),
        ):
            if getattr(self, name) < least:
                raise AttnsearchError(f"{name} {getattr(self, name)} is too small: at least {least} {what}")

    @property
    def num_values(self) -> int:
        return self.modulus

    def init(self, key: jax.Array, knobs: Mapping[str, jax.Array]) -> jax.Array:
        """The matrix A, `bool[S, S]`, with `knobs["support_size"]` ones in each row.

        The same key gives nested supports at growing support size, so that cells of a sparsity
        sweep differ in nothing else.
        """
        return drawn(key, self.state_size, self.state_size, knobs["support_size"])

    def _states(self, key: jax.Array, count: int) -> jax.Array:
        """`i32[count, S]`: uniform states."""
        shape = count, self.state_size
        if self.modulus == 2:
            return jax.random.bernoulli(key, 0.5, shape).astype(jnp.int32)
        return jax.random.randint(key, shape, 0, self.modulus)

    def _next(self, rows: jax.Array, states: jax.Array) -> jax.Array:
        """`i32[N, P]`: for each of the `states`, `i32[N, S]`, the sums by `rows`, `bool[P, S]`, of A."""
        return states @ rows.astype(jnp.int32).T % self.modulus

    def supports(self, rule: jax.Array, tokens: jax.Array, targets: Integers | jax.Array) -> jax.Array:
        """The rows of A over the state that is mapped, nothing elsewhere; the same for all sequences."""
        del tokens
        return self._map(jnp, jnp.asarray(rule), jnp.asarray(targets))

    def attention_map(self, rule: Rule, targets: Integers) -> Bools:
        return self._map(np, np.asarray(rule), targets)

    @abstractmethod
    def _map(self, numpy: Any, matrix: Any, targets: Any) -> Any:
        """`bool[P, L]`, with the `numpy` of the host or of the device."""

    @property
    def shortcuts(self) -> tuple[Shortcut, ...]:
        return (
            Shortcut(
                "bag of inputs",
                "A sum is guessed as often as the inputs, in any order, have it.",
                lambda rule, tokens: self._by_state(by_bag, rule, tokens),
                lambda knobs: bag_loss_of_rows(self.state_size, [int(knobs["support_size"])], self.modulus),
            ),
            Shortcut(
                "all but one input",
                "All inputs of the row but the last are summed, and one of the other inputs is guessed.",
                lambda rule, tokens: self._by_state(by_all_but_one, rule, tokens),
            ),
        )

    def _by_state(
        self, guess: Callable[[Bools, Integers, int], Floats], rule: jax.Array, tokens: Integers
    ) -> Floats:
        """`f64[N, R, V]`: what is guessed of the rows that each state asks, from the state before alone."""
        states, rows = self._mapped_states(np.asarray(tokens, np.int64)), np.asarray(rule)
        guessed = [guess(rows, states[:, number], self.modulus) for number in range(states.shape[1])]
        shares = np.concatenate([one[:, self.rows] for one in guessed], axis=1)
        return np.pad(shares, ((0, 0), (0, 0), (0, self.vocab_size - self.modulus)))

    @property
    @abstractmethod
    def rows(self) -> Integers:
        """`i64[B]`: the row of A of each target of a state."""

    @abstractmethod
    def _mapped_states(self, tokens: Integers) -> Integers:
        """`i64[N, T - 1, S]`: the states of sequences, `i64[N, L]`, that are mapped."""

    def log2_search_space(self, knobs: Mapping[str, Any]) -> float:
        """A target of state t has t states before it, and its row could have been over any of them."""
        # The mean of log2 t over t = 1 ... T - 1, by the factorial.
        before = math.lgamma(self.num_states) / math.log(2) / (self.num_states - 1)
        return log2_choose(self.state_size, int(knobs["support_size"])) + before

    def truth(self, rule: Rule, knobs: Mapping[str, Any]) -> Truth:
        state = np.repeat(np.arange(1, self.num_states), self.num_targets // (self.num_states - 1))
        bits = log2_choose(self.state_size, int(knobs["support_size"])) + np.log2(state)
        return super().truth(rule, knobs)._replace(log2_search_space=bits, state=state)


@dataclass(frozen=True)
class LinearMap(_LinearMap):
    """Isolated: each target is asked, and answered, at a blank of its own after the inputs.

    row_exponent:  a of Zipf's law. Row r, counted from 1, is asked (S / r)^a times of each state. With 0,
                   blank r asks row r. Else the first S blanks do, more follow, and each holds the name of
                   its row
    """

    row_exponent: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.row_exponent and self.state_size > LARGEST_NAMED:
            raise AttnsearchError(
                f"state_size {self.state_size} is too large for row_exponent {self.row_exponent}:"
                f" at most {LARGEST_NAMED:,}, or row_exponent 0"
            )

    @property
    def rows(self) -> Integers:
        """`i64[B]`: the row of A that each blank of a state asks: all of them once, then again some."""
        rows = np.arange(self.state_size)
        times = np.round((self.state_size / (rows + 1)) ** self.row_exponent)
        return np.concatenate([rows[times > before] for before in range(int(times[0]))])

    @property
    def vocab_size(self) -> int:
        return self.modulus + (self.state_size if self.row_exponent else 1)

    @property
    def context_length(self) -> int:
        blanks = len(self.rows) if self.row_exponent else self.state_size
        return (self.num_states - 1) * (self.state_size + blanks)

    @property
    def query_positions(self) -> Integers:
        return np.flatnonzero(~self.replaceable).astype(np.int32)

    @property
    def replaceable(self) -> Bools:
        length = self.state_size + len(self.rows)
        return np.tile(np.arange(length) < self.state_size, self.num_states - 1)

    def sample(self, rule: jax.Array, key: jax.Array) -> Example:
        states = self._states(key, self.num_states - 1)
        names = self.modulus + (self.rows if self.row_exponent else np.zeros_like(self.rows))
        blanks = jnp.broadcast_to(jnp.asarray(names, jnp.int32), (self.num_states - 1, len(names)))
        tokens = jnp.concatenate([states, blanks], axis=1).reshape(-1)
        return Example(tokens, self.answers(rule, key, tokens))

    def answers(self, rule: jax.Array, key: jax.Array, tokens: jax.Array) -> jax.Array:
        """The sum that each blank asks for, of the state before it."""
        del key
        states = tokens.reshape(self.num_states - 1, -1)[:, : self.state_size]
        return self._next(rule[self.rows], states).reshape(-1)

    def _mapped_states(self, tokens: Integers) -> Integers:
        return tokens.reshape(len(tokens), self.num_states - 1, -1)[:, :, : self.state_size]

    def _map(self, numpy: Any, matrix: Any, targets: Any) -> Any:
        rows = numpy.asarray(self.rows)
        supports = matrix[rows[targets % len(rows)]]
        blanks = numpy.zeros((len(targets), len(rows)), bool)
        block = numpy.concatenate([supports, blanks], axis=1)
        return _placed(numpy, block, targets // len(rows), self.num_states - 1)


@dataclass(frozen=True)
class LinearMapAutoregressive(_LinearMap):
    """As published: next-token prediction over x0 then x1, and then the states after.

    loss: "targets" asks for the states from x1 on; "all" for all T S - 1 next tokens, as the paper does. The
    first S - 1 of them are inputs, which cannot be predicted.
    """

    loss: Literal["targets", "all"] = "targets"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.loss not in ("targets", "all"):
            raise AttnsearchError(f"loss {self.loss!r} is unknown: targets or all")

    @property
    def vocab_size(self) -> int:
        return self.modulus

    @property
    def context_length(self) -> int:
        return self.num_states * self.state_size

    @property
    def query_positions(self) -> Integers:
        first = 0 if self.loss == "all" else self.state_size - 1
        return np.arange(first, self.context_length - 1, dtype=np.int32)

    @property
    def is_target(self) -> Bools:
        return self.query_positions >= self.state_size - 1

    def sample(self, rule: jax.Array, key: jax.Array) -> Example:
        states = [self._states(key, 1)]
        for _ in range(self.num_states - 1):
            states.append(self._next(rule, states[-1]))
        tokens = jnp.concatenate(states).reshape(-1)
        return Example(tokens, tokens[self.query_positions + 1])

    def answers(self, rule: jax.Array, key: jax.Array, tokens: jax.Array) -> jax.Array:
        """Each state by A from the state before, as it stands there."""
        del key
        states = tokens.reshape(self.num_states, self.state_size)
        following = jnp.concatenate([states[:1], self._next(rule, states[:-1])])
        return following.reshape(-1)[self.query_positions + 1]

    @property
    def shortcuts(self) -> tuple[Shortcut, ...]:
        cheaper = Shortcut(
            "cheaper routes",
            "A target with a route of fewer tokens than its row is answered by it; all others are guessed.",
            self._by_cheaper_routes,
        )
        return (*super().shortcuts, cheaper)

    def _by_cheaper_routes(self, rule: jax.Array, tokens: Integers) -> Floats:
        rows = np.asarray(rule)
        routes = cheapest_routes(rows, self.modulus, self.num_states)
        cheaper = routes.sum(axis=1) < np.tile(rows.sum(axis=1), self.num_states - 1)
        states = np.asarray(tokens).reshape(len(tokens), self.num_states, -1)[:, 1:]
        answers = np.eye(self.modulus)[states.reshape(len(tokens), -1)]
        return np.where(cheaper[:, None], answers, 1 / self.modulus)

    @property
    def rows(self) -> Integers:
        return np.arange(self.state_size)

    def _mapped_states(self, tokens: Integers) -> Integers:
        return tokens.reshape(len(tokens), self.num_states, self.state_size)[:, :-1]

    def _map(self, numpy: Any, matrix: Any, targets: Any) -> Any:
        state, row = targets // self.state_size, targets % self.state_size
        return _placed(numpy, matrix[row], state, self.num_states)

    def truth(self, rule: Rule, knobs: Mapping[str, Any]) -> Truth:
        routes = cheapest_routes(np.asarray(rule), self.modulus, self.num_states)
        bits = [
            log2_choose(self.state_size + target, int(read)) for target, read in enumerate(routes.sum(axis=1))
        ]
        return (
            super()
            .truth(rule, knobs)
            ._replace(cheapest_route=routes[self.mapped_targets], log2_search_space=np.array(bits))
        )


def _placed(numpy: Any, supports: Any, block: Any, count: int) -> Any:
    """`bool[P, count * N]`: each of the `supports`, `bool[P, N]`, in its `block`, `i[P]`, of `count`."""
    here = numpy.arange(count) == block[:, None]
    return (here[:, :, None] & supports[:, None, :]).reshape(len(supports), -1)


def log2_choose(number: int, chosen: int) -> float:
    """log2 of a binomial coefficient, exact to rounding. Errors: AttnsearchError where that is 0."""
    if not 0 <= chosen <= number:
        raise AttnsearchError(f"no support of {chosen} positions can be chosen from {number}")
    if number <= LARGEST_EXACT:
        return math.log2(math.comb(number, chosen))
    return -(math.log1p(number) + float(special.betaln(number - chosen + 1, chosen + 1))) / math.log(2)
