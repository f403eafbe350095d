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

In the first a blank sees inputs and other blanks only, so no target can be had from another. In the
second, as published, target r sees the targets before it, and may have a route cheaper than its row.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from attnsearch.base import AttnsearchError, Bools, Example, Integers, Truth
from attnsearch.generators.base import Generator
from attnsearch.generators.routes import cheapest_routes


@dataclass(frozen=True)
class _LinearMap(Generator):
    """What both arrangements share: the matrix, its draw, and the state it maps."""

    state_size: int

    traced_knobs = ("support_size",)

    def __post_init__(self) -> None:
        if self.state_size < 2:
            raise AttnsearchError(f"state_size {self.state_size} is too small: at least 2 cells")

    @property
    def num_symbols(self) -> int:
        return 2

    @property
    def context_length(self) -> int:
        return 2 * self.state_size

    @property
    def chance_loss(self) -> float:
        return math.log(2)

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
        return state, matrix.astype(jnp.int32) @ state % 2

    def supports(self, rule: jax.Array, tokens: jax.Array, targets: Integers | jax.Array) -> jax.Array:
        """The rows of A over the inputs, nothing over the second half; the same for all sequences."""
        del tokens
        rows = rule[targets]
        return jnp.concatenate([rows, jnp.zeros_like(rows)], axis=1)

    def truth(self, rule: jax.Array) -> Truth:
        matrix, mapped = np.asarray(rule), self.mapped_targets
        routes = self._routes(matrix)
        return Truth(
            attention_map=np.concatenate([matrix, np.zeros_like(matrix)], axis=1)[mapped],
            cheapest_route=routes[mapped],
            query_positions=self.query_positions,
            is_target=self.is_target,
            replaceable=self.replaceable,
            log2_search_space=_log2_choose(self._visible, routes.sum(axis=1)),
            nominal_log2_search_space=_log2_choose(np.full(1, self.state_size), matrix.sum(axis=1)[:1])[0],
            chance_loss=np.array(self.chance_loss),
            bayes_loss=np.zeros(self.state_size),
            state=np.ones(self.state_size, np.int64),
            mapped=mapped,
            probed=self.probed_positions,
        )

    @property
    @abstractmethod
    def _visible(self) -> Integers:
        """`i64[R]`: replaceable tokens that each target can read."""

    @abstractmethod
    def _routes(self, matrix: Bools) -> Bools:
        """`bool[R, L]`: the cheapest route of each target through the visible tokens."""


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
    def is_target(self) -> Bools:
        return np.ones(self.state_size, dtype=bool)

    @property
    def replaceable(self) -> Bools:
        return np.arange(2 * self.state_size) < self.state_size

    def sample(self, rule: jax.Array, key: jax.Array) -> Example:
        state, next_state = self._states(rule, key)
        blanks = jnp.full_like(state, 2)
        return Example(jnp.concatenate([state, blanks]), next_state)

    @property
    def _visible(self) -> Integers:
        return np.full(self.state_size, self.state_size)

    def _routes(self, matrix: Bools) -> Bools:
        return np.concatenate([matrix, np.zeros_like(matrix)], axis=1)


@dataclass(frozen=True)
class LinearMapAutoregressive(_LinearMap):
    """As published: next-token prediction over x0 then x1.

    loss: "targets" asks for the S targets only; "all" for all 2S - 1 next tokens, as the paper does,
    of which the first S - 1 are inputs and cannot be predicted.
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

    @property
    def replaceable(self) -> Bools:
        return np.ones(2 * self.state_size, dtype=bool)

    def sample(self, rule: jax.Array, key: jax.Array) -> Example:
        tokens = jnp.concatenate(self._states(rule, key))
        return Example(tokens, tokens[self.query_positions + 1])

    @property
    def _visible(self) -> Integers:
        return self.state_size + np.arange(self.state_size)

    def _routes(self, matrix: Bools) -> Bools:
        return cheapest_routes(matrix)


def _log2_choose(visible: Integers, chosen: Integers) -> np.ndarray:
    """log2 of the binomial coefficients, exact to rounding at every size."""
    return np.array([math.log2(math.comb(int(n), int(k))) for n, k in zip(visible, chosen, strict=True)])
