"""A task that does what it says, and one for each thing that a task may get wrong."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log2
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from attnsearch.base import Example, Integers, Truth
from attnsearch.generators.base import Generator, Rule
from attnsearch.probing.task import Drawn
from attnsearch.spec.run import TaskSpec, settings

_COUNT = itertools.count()


@dataclass(frozen=True)
class Sound(Generator):
    """Each of the last `size` tokens asks for one of the first, by a map hidden in a run."""

    size: int = 3

    @property
    def vocab_size(self) -> int:
        return 3

    @property
    def context_length(self) -> int:
        return 2 * self.size

    @property
    def query_positions(self) -> Integers:
        return self.size + np.arange(self.size)

    def log2_search_space(self, knobs: Mapping[str, Any]) -> float:
        return log2(self.size)

    def init(self, key: jax.Array, knobs: Mapping[str, jax.Array]) -> Rule:
        return jax.random.randint(key, (self.size,), 0, self.size)

    def sample(self, rule: Rule, key: jax.Array) -> Example:
        tokens = jax.random.randint(key, (self.context_length,), 0, 3)
        return Example(tokens, tokens[rule])

    def supports(self, rule: Rule, tokens: jax.Array, targets: Any) -> jax.Array:
        return jnp.arange(self.context_length) == rule[targets][:, None]


class Replaceable(Sound):
    """The same, and it says what the answers to other tokens are."""

    def answers(self, rule: Rule, key: jax.Array, tokens: jax.Array) -> jax.Array:
        return tokens[rule]


class OutsideVocabulary(Sound):
    def sample(self, rule: Rule, key: jax.Array) -> Example:
        tokens, answers = super().sample(rule, key)
        return Example(tokens + 2, answers)


class TooManyAnswers(Sound):
    def sample(self, rule: Rule, key: jax.Array) -> Example:
        tokens, _ = super().sample(rule, key)
        return Example(tokens, tokens)


class FloatingTokens(Sound):
    def sample(self, rule: Rule, key: jax.Array) -> Example:
        tokens, answers = super().sample(rule, key)
        return Example(tokens * 1.0, answers)


class Raising(Sound):
    def sample(self, rule: Rule, key: jax.Array) -> Example:
        raise KeyError("nothing")


class NarrowMap(Sound):
    def supports(self, rule: Rule, tokens: jax.Array, targets: Any) -> jax.Array:
        return super().supports(rule, tokens, targets)[:, :-1]


class QueryPastTheEnd(Sound):
    @property
    def query_positions(self) -> Integers:
        return self.size + 1 + np.arange(self.size)


class Changing(Sound):
    @property
    def replaceable(self) -> Any:
        return np.arange(self.context_length) < self.size


class Undetermined(Sound):
    def init(self, key: jax.Array, knobs: Mapping[str, jax.Array]) -> Rule:
        return (super().init(key, knobs) + next(_COUNT)) % self.size


class OneSequence(Sound):
    def sample(self, rule: Rule, key: jax.Array) -> Example:
        return super().sample(rule, jax.random.key(7))


class OneRule(Sound):
    def init(self, key: jax.Array, knobs: Mapping[str, jax.Array]) -> Rule:
        return super().init(jax.random.key(7), knobs)


class Ahead(Sound):
    """Asked at once, so that what is asked for comes after the query."""

    @property
    def query_positions(self) -> Integers:
        return np.zeros(self.size, np.int32) + np.arange(self.size) // self.size

    def init(self, key: jax.Array, knobs: Mapping[str, jax.Array]) -> Rule:
        return 1 + super().init(key, knobs)


class Empty(Sound):
    def supports(self, rule: Rule, tokens: jax.Array, targets: Any) -> jax.Array:
        return super().supports(rule, tokens, targets) & False


class Shifted(Sound):
    def supports(self, rule: Rule, tokens: jax.Array, targets: Any) -> jax.Array:
        return jnp.roll(super().supports(rule, tokens, targets), 1, axis=1)


class ShiftedReplaceable(Shifted, Replaceable):
    pass


class Wide(Sound):
    def supports(self, rule: Rule, tokens: jax.Array, targets: Any) -> jax.Array:
        right = super().supports(rule, tokens, targets)
        return right | jnp.roll(right, 1, axis=1)


class WideReplaceable(Wide, Replaceable):
    pass


class OtherAnswers(Sound):
    def answers(self, rule: Rule, key: jax.Array, tokens: jax.Array) -> jax.Array:
        return tokens[rule - 1]


class Hiding(Sound):
    """Says that something is hidden, but not what the answers to other tokens are."""

    def truth(self, rule: Rule, knobs: Mapping[str, Any]) -> Truth:
        return super().truth(rule, knobs)._replace(bayes_loss=np.full(self.size, 0.1))


class RowsByPlace(Sound):
    def supports(self, rule: Rule, tokens: jax.Array, targets: Any) -> jax.Array:
        return super().supports(rule, tokens, np.arange(len(targets)))


class TruePlacebo(Sound):
    def placebo(self, rule: Rule, tokens: jax.Array, targets: Any) -> jax.Array:
        return self.supports(rule, tokens, targets) & False


class OtherMap(Sound):
    def truth(self, rule: Rule, knobs: Mapping[str, Any]) -> Truth:
        told = super().truth(rule, knobs)
        return told._replace(attention_map=~told.attention_map)


class FewStates(Sound):
    def truth(self, rule: Rule, knobs: Mapping[str, Any]) -> Truth:
        return super().truth(rule, knobs)._replace(state=np.ones(1, np.int64))


class HighChance(Sound):
    @property
    def chance_loss(self) -> float:
        return 1.3


class WrongGuess(Sound):
    """Its guess has another loss than its chance."""

    def guess(self, tokens: jax.Array) -> jax.Array:
        return jnp.full((self.size, 3), 0.5)


class PoorGuess(HighChance):
    """Its guess has the loss of its chance, and a constant guess is better."""

    def guess(self, tokens: jax.Array) -> jax.Array:
        return jnp.full((self.size, 3), exp(-1.3))


class HighBayes(Sound):
    def truth(self, rule: Rule, knobs: Mapping[str, Any]) -> Truth:
        return super().truth(rule, knobs)._replace(bayes_loss=np.full(self.size, 1.2))


class Noisy(Sound):
    def sample(self, rule: Rule, key: jax.Array) -> Example:
        tokens, answers = super().sample(rule, key)
        noise = jax.random.bernoulli(jax.random.fold_in(key, 1), 0.1, answers.shape)
        return Example(tokens, (answers + noise) % 3)


class FewBits(Sound):
    def log2_search_space(self, knobs: Mapping[str, Any]) -> float:
        return 0.5


class ManyBits(Sound):
    def log2_search_space(self, knobs: Mapping[str, Any]) -> float:
        return 9.0


class NegativeBits(Sound):
    def log2_search_space(self, knobs: Mapping[str, Any]) -> float:
        return -1.0


class NoBits(OneRule):
    """Nothing is hidden, so that there is nothing to search for."""

    def log2_search_space(self, knobs: Mapping[str, Any]) -> float:
        return 0.0


FAULTS: list[tuple[type[Generator], str, str]] = [
    (OutsideVocabulary, "construction", "sample drew the token "),
    (TooManyAnswers, "construction", "the answers of sample are i32[6]: expected i32[3], one for each of"),
    (FloatingTokens, "construction", "the tokens of sample are f32[6]: expected i32[6], context_length"),
    (Raising, "construction", "generator Raising cannot draw a sequence: KeyError: 'nothing'"),
    (NarrowMap, "construction", "supports is bool[3, 5]: expected bool[3, 6], a row for each target"),
    (QueryPastTheEnd, "construction", "query_positions go from 4 to 6: the 6 tokens"),
    (Changing, "replaceable positions", "the token at 3 differs between sequences, but is not replaceable"),
    (Undetermined, "determinism", "two rules of one seed differ"),
    (OneSequence, "seeds", "512 seeds draw one and the same sequence"),
    (OneRule, "seeds", "64 seeds draw one and the same rule"),
    (Ahead, "causality", "asked at position 0, holds "),
    (Empty, "causality", "the support of target 0 is empty"),
    (Shifted, "map by substitution", "has two answers for the same tokens on its support"),
    (ShiftedReplaceable, "map by substitution", "is replaced, which its support does not hold"),
    (Wide, "map by substitution", "but the answer does not move with the token there"),
    (WideReplaceable, "map by substitution", "but the answer does not move with the token there"),
    (OtherAnswers, "map by substitution", "answers(rule, key, tokens) differ from the answers of sample"),
    (Hiding, "map by substitution", "cannot be proved: define answers(rule, key, tokens)"),
    (RowsByPlace, "rows of the map", "supports of some targets differs from these rows of all targets"),
    (TruePlacebo, "placebo", "a row of the placebo has another size than its support"),
    (OtherMap, "truth", "attention_map differs from the supports of the sequence of seed 0"),
    (FewStates, "truth", "state has shape (1,): expected (3,), one for each target"),
    (HighChance, "chance loss", "the best constant guess has a loss of 1.09"),
    (WrongGuess, "chance loss", "the task's own guess has a loss of 0.693 nats on target "),
    (PoorGuess, "chance loss", "which is better than the task's own guess, with 1.300"),
    (HighBayes, "Bayes loss", "the Bayes loss of target 0 is 1.200: expected 0 to 1.099 nats"),
    (Noisy, "Bayes loss", "it is 0, but target 0 has two answers for the same tokens on its support"),
    (FewBits, "search space", "0.50 bits are stated, and the supports of 64 rules need 1.58"),
    (ManyBits, "search space", "9.00 bits are stated, and supports of these sizes have "),
    (NegativeBits, "search space", "log2_search_space is -1.0: expected 0 bits or more"),
    (NoBits, "search space", "it is 0 bits by default"),
]
"""Each with the check that finds it, and words of its evidence."""


def drawn(kind: type[Generator]) -> Drawn:
    """What it draws."""
    task = TaskSpec("mine", "mine", settings({"size": 3}))
    return Drawn.of(task, {"mine": kind}, by_default=True)
