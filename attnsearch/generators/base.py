"""What a generator of sequences must say of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from attnsearch.base import Bools, Example, Integers, Truth

Rule = Any
"""A generator's hidden rule: a pytree of arrays, drawn once a run."""

LARGEST_MAP = 2**13
"""Entries of an attention map of which every row is kept; of larger ones, the rows of some targets."""

FEWEST_ROWS = 8
"""Rows that are kept however long the context is."""

_PLACEBO = 0
"""Seed of the wrong maps: one task has one."""


class Generator(ABC):
    """A family of sequences with a hidden rule, drawn once a run, and a known attention map.

    A subclass is a frozen dataclass whose fields are the knobs that fix shapes. The knobs that may
    differ between lanes of one compilation are named in `traced_knobs` and reach `init` as arrays.
    Everything is written for one sequence of one run; callers vmap.
    """

    traced_knobs: ClassVar[tuple[str, ...]] = ()

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """V: number of token values, those that never are an answer included."""

    @property
    @abstractmethod
    def num_symbols(self) -> int:
        """Token values a replaceable position may hold: 0 ... num_symbols - 1."""

    @property
    @abstractmethod
    def context_length(self) -> int:
        """L: tokens of a sequence."""

    @property
    @abstractmethod
    def query_positions(self) -> Integers:
        """`i32[Q]` positions whose logits give the answers; host array, static."""

    @property
    @abstractmethod
    def is_target(self) -> Bools:
        """`bool[Q]` which queries are targets; the others cannot be predicted from the past."""

    @property
    @abstractmethod
    def replaceable(self) -> Bools:
        """`bool[L]` positions whose token differs between sequences, hence can be replaced."""

    @property
    @abstractmethod
    def chance_loss(self) -> float:
        """Nats: loss on a target of the best guess that has not found the support."""

    @abstractmethod
    def init(self, key: jax.Array, knobs: Mapping[str, jax.Array]) -> Rule:
        """Draw the hidden rule. `knobs` holds exactly the `traced_knobs`, each a scalar array."""

    @abstractmethod
    def sample(self, rule: Rule, key: jax.Array) -> Example:
        """Draw one sequence that obeys `rule`, with its answers and ground-truth map."""

    @abstractmethod
    def supports(self, rule: Rule, tokens: jax.Array, targets: Integers | jax.Array) -> jax.Array:
        """`bool[P, L]`: the positions whose tokens the answers to `targets`, `i32[P]`, depend on, in the
        sequence `tokens`, `i32[L]`. Row by row: whoever needs few rows pays for few."""

    def placebo(self, rule: Rule, tokens: jax.Array, targets: Integers | jax.Array) -> jax.Array:
        """`bool[P, L]`: wrong supports of the same sizes, among the replaceable positions that a query sees,
        the same for all sequences of a rule. A row holds true positions only where no others are left.
        """
        supports = self.supports(rule, tokens, targets)
        queries = jnp.asarray(self.query_positions[self.is_target])[targets]
        eligible = self.replaceable & (jnp.arange(self.context_length) <= queries[:, None])
        noise = jax.vmap(
            lambda target: jax.random.uniform(
                jax.random.fold_in(jax.random.key(_PLACEBO), target), supports.shape[1:]
            )
        )(jnp.asarray(targets))
        order = jnp.where(eligible, noise + supports, 2.0)
        rank = jnp.argsort(jnp.argsort(order, axis=1), axis=1)
        return rank < supports.sum(axis=1, keepdims=True)

    @property
    def mapped_targets(self) -> Integers:
        """`i64[K]`: targets whose rows of the map are kept. All of them, or, beyond `LARGEST_MAP` entries, as
        many as keep to that, evenly spread."""
        targets = int(self.is_target.sum())
        if targets * self.context_length <= LARGEST_MAP:
            return np.arange(targets)
        rows = min(targets, max(FEWEST_ROWS, LARGEST_MAP // self.context_length))
        return np.linspace(0, targets - 1, rows).round().astype(np.int64)

    @property
    def probed_positions(self) -> Bools:
        """`bool[L]`: replaceable positions that are replaced to measure a map; all, unless a generator knows
        which are enough to hold the supports of the mapped targets and a sample of the rest."""
        return self.replaceable

    @abstractmethod
    def truth(self, rule: Rule) -> Truth:
        """Everything known about `rule` before training, computed on the host."""
