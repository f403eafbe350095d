"""The linear map: x1 = A x0 mod 2, one sparse parity a target (arXiv:2606.25010, linear map).

A in {0,1}^(S x S) has exactly s ones in each row and is fixed for a run; x0 is uniform. With S = 4,
s = 2 and row 1 = 1 0 1 0, target 1 is the XOR of inputs 0 and 2, in two arrangements::

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
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import special

from attnsearch.base import AttnsearchError, Bools, Example, Integers, Truth
from attnsearch.generators.base import Generator, Rule
from attnsearch.generators.lazy import jax, jnp
from attnsearch.generators.routes import cheapest_routes

LARGEST_EXACT = 4096
"""State size up to which binomial coefficients are computed as whole numbers."""


@dataclass(frozen=True)
class _LinearMap(Generator):
    """What both arrangements share: the matrix, its draw, and the state it maps."""

    state_size: int

    traced_knobs = ("support_size",)

    def __post_init__(self) -> None:
        if self.state_size < 2:
            raise AttnsearchError(f"state_size {self.state_size} is too small: at least 2 cells")

    @property
    def num_values(self) -> int:
        return 2

    @property
    def context_length(self) -> int:
        return 2 * self.state_size

    def init(self, key: jax.Array, knobs: Mapping[str, jax.Array]) -> jax.Array:
        """The matrix A, `bool[S, S]`, with `knobs["support_size"]` ones in each row.

        The same key gives nested supports at growing support size, so that cells of a sparsity
        sweep differ in nothing else.
        """
        noise = jax.random.uniform(key, (self.state_size, self.state_size))
        rank = jnp.argsort(jnp.argsort(noise, axis=1), axis=1)
        return rank < knobs["support_size"]

    def _states(self, matrix: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """x0 and x1, each `i32[S]`."""
        state = jax.random.bernoulli(key, 0.5, (self.state_size,)).astype(jnp.int32)
        return state, self._next(matrix, state)

    def _next(self, matrix: jax.Array, state: jax.Array) -> jax.Array:
        return matrix.astype(jnp.int32) @ state % 2

    def answers(self, rule: jax.Array, key: jax.Array, tokens: jax.Array) -> jax.Array:
        """The inputs after the first, for the queries that are not targets; then the targets' answers."""
        del key
        given = tokens[: self.state_size]
        unpredictable = given[1:] if len(self.query_positions) > self.state_size else given[:0]
        return jnp.concatenate([unpredictable, self._next(rule, given)])

    def supports(self, rule: jax.Array, tokens: jax.Array, targets: Integers | jax.Array) -> jax.Array:
        """The rows of A over the inputs, nothing over the second half; the same for all sequences."""
        del tokens
        rows = rule[targets]
        return jnp.concatenate([rows, jnp.zeros_like(rows)], axis=1)

    def attention_map(self, rule: Rule, targets: Integers) -> Bools:
        rows = np.asarray(rule)[targets]
        return np.concatenate([rows, np.zeros_like(rows)], axis=1)

    def log2_search_space(self, knobs: Mapping[str, Any]) -> float:
        return log2_choose(self.state_size, int(knobs["support_size"]))


@dataclass(frozen=True)
class LinearMap(_LinearMap):
    """Isolated: target r is asked, and answered, at blank r after the inputs."""

    @property
    def vocab_size(self) -> int:
        return 3

    @property
    def query_positions(self) -> Integers:
        return np.arange(self.state_size, 2 * self.state_size, dtype=np.int32)

    @property
    def replaceable(self) -> Bools:
        return np.arange(2 * self.state_size) < self.state_size

    def sample(self, rule: jax.Array, key: jax.Array) -> Example:
        state, next_state = self._states(rule, key)
        blanks = jnp.full_like(state, 2)
        return Example(jnp.concatenate([state, blanks]), next_state)


@dataclass(frozen=True)
class LinearMapAutoregressive(_LinearMap):
    """As published: next-token prediction over x0 then x1.

    loss: "targets" asks for the S targets only; "all" for all 2S - 1 next tokens, as the paper does. The
    first S - 1 of them are inputs, which cannot be predicted.
    """

    loss: Literal["targets", "all"] = "targets"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.loss not in ("targets", "all"):
            raise AttnsearchError(f"loss {self.loss!r} is unknown: targets or all")

    @property
    def vocab_size(self) -> int:
        return 2

    @property
    def query_positions(self) -> Integers:
        first = 0 if self.loss == "all" else self.state_size - 1
        return np.arange(first, 2 * self.state_size - 1, dtype=np.int32)

    @property
    def is_target(self) -> Bools:
        return self.query_positions >= self.state_size - 1

    def sample(self, rule: jax.Array, key: jax.Array) -> Example:
        tokens = jnp.concatenate(self._states(rule, key))
        return Example(tokens, tokens[self.query_positions + 1])

    def truth(self, rule: Rule, knobs: Mapping[str, Any]) -> Truth:
        routes = cheapest_routes(np.asarray(rule))
        bits = [
            log2_choose(self.state_size + target, int(read)) for target, read in enumerate(routes.sum(axis=1))
        ]
        return (
            super()
            .truth(rule, knobs)
            ._replace(cheapest_route=routes[self.mapped_targets], log2_search_space=np.array(bits))
        )


def log2_choose(number: int, chosen: int) -> float:
    """log2 of a binomial coefficient, exact to rounding. Errors: AttnsearchError where that is 0."""
    if not 0 <= chosen <= number:
        raise AttnsearchError(f"no support of {chosen} positions can be chosen from {number}")
    if number <= LARGEST_EXACT:
        return math.log2(math.comb(number, chosen))
    return -(math.log1p(number) + float(special.betaln(number - chosen + 1, chosen + 1))) / math.log(2)
