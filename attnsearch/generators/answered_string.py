"""What tasks share that show a string of symbols, and then ask for an answer at each of as many places."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal

import numpy as np

from attnsearch.base import AttnsearchError, Bools, Example, Integers
from attnsearch.generators.base import Generator, Rule
from attnsearch.generators.lazy import jax, jnp


@dataclass(frozen=True)
class AnsweredString(Generator):
    """A string of n random symbols, blanks, and n places at which an answer each is asked for.

    string_length:  symbols of the string, n, and answers
    emitted:        earlier answers: "hidden" leaves a blank at each place; "shown" puts the answer before at
                    each place but the first, as in next-token prediction
    """

    string_length: int
    emitted: Literal["hidden", "shown"]

    def __post_init__(self) -> None:
        if self.emitted not in ("hidden", "shown"):
            raise AttnsearchError(f"emitted {self.emitted!r} is unknown: hidden or shown")

    @abstractmethod
    def answers_to(self, string: jax.Array) -> jax.Array:
        """`i32[n]`: the answers to a string, `i32[n]`."""

    @property
    def num_blanks(self) -> int:
        """Blanks between the string and the first place that asks."""
        return 0

    @property
    def vocab_size(self) -> int:
        return self.num_values + 1

    @property
    def context_length(self) -> int:
        return 2 * self.string_length + self.num_blanks

    @property
    def query_positions(self) -> Integers:
        return np.arange(self.context_length - self.string_length, self.context_length, dtype=np.int32)

    @property
    def replaceable(self) -> Bools:
        position = np.arange(self.context_length)
        shown = (position > self.query_positions[0]) & (self.emitted == "shown")
        return (position < self.string_length) | shown

    def sample(self, rule: Rule, key: jax.Array) -> Example:
        del rule
        string = jax.random.randint(key, (self.string_length,), 0, self.num_values)
        answers = self.answers_to(string)
        blanks = jnp.full(self.num_blanks + self.string_length, self.num_values)
        if self.emitted == "shown":
            blanks = jnp.concatenate([blanks[: self.num_blanks + 1], answers[:-1]])
        return Example(jnp.concatenate([string, blanks]), answers)

    def answers(self, rule: Rule, key: jax.Array, tokens: jax.Array) -> jax.Array:
        del rule, key
        return self.answers_to(tokens[: self.string_length])
