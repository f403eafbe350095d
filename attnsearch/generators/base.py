"""What a generator of sequences must say of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import jax

from attnsearch.base import Bools, Example, Integers, Truth

Rule = Any
"""A generator's hidden rule: a pytree of arrays, drawn once a run."""


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
    def truth(self, rule: Rule) -> Truth:
        """Everything known about `rule` before training, computed on the host."""
