"""A task to be checked: the sizes at which it is tried, and what it draws at one of them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from attnsearch.base import AttnsearchError, Bools, Example, Integers, Truth
from attnsearch.generators.base import Generator, Rule
from attnsearch.spec.contract import check_drawn, check_shapes
from attnsearch.spec.plugins import generator
from attnsearch.spec.run import TaskSpec, Value
from attnsearch.spec.task_file import TaskFile

LARGER = 3
"""How much larger than the smallest the numbers of the larger form are, where their bounds allow it."""

SEQUENCES = 512
"""Of one rule, unless their maps would hold more than `LARGEST_MAPS` entries."""

FEWEST_SEQUENCES = 16

LARGEST_MAPS = 2**25


class Asked(NamedTuple):
    """Rows of a map in one sequence, `bool[R, L]` each, and the rows of `some` targets asked for alone."""

    every: Bools
    alone: Bools


def forms(file: TaskFile, given: Mapping[str, Value] = MappingProxyType({})) -> list[TaskSpec]:
    """The task with the `given` knobs: by its defaults, its smallest form, that with each other word for a
    knob, and a larger one.

    Forms that the bounds of the file do not allow are left out. Errors: AttnsearchError where they do not
    allow the `given` knobs.
    """
    words = [
        {knob.name: word}
        for knob in file.knobs
        for word in knob.choices
        if word != knob.default and knob.name not in given
    ]
    found = [file.resolve(given)]
    for more, word in [(0, {}), *((0, word) for word in words), (LARGER, {})]:
        with suppress(AttnsearchError):
            found.append(file.resolve(file.sized({**given, **word}, more)))
    return list(dict.fromkeys(found))


@dataclass(frozen=True, eq=False)
class Drawn:
    """A generator, its traced knobs, and what it draws from key 0.

    by_default: whether the task is as its defaults say
    """

    made: Generator
    knobs: Mapping[str, jax.Array]
    by_default: bool = False

    @classmethod
    def of(
        cls, task: TaskSpec, generators: Mapping[str, type[Generator]], *, by_default: bool = False
    ) -> Drawn:
        """Errors: AttnsearchError for a generator that cannot be had."""
        made = generator(task, generators)
        knobs = {name: jnp.asarray(dict(task.knobs)[name]) for name in made.traced_knobs}
        return cls(made, knobs, by_default)

    def require_sound(self) -> None:
        """Errors: AttnsearchError where arrays have other shapes or types than they must have."""
        check_shapes(self.made, self.knobs)
        check_drawn(self.made, self.sequences)

    def rule_of(self, seed: int) -> Rule:
        return self._init(jax.random.key(seed), self.knobs)

    @property
    def hides_a_rule(self) -> bool:
        """Whether a run has a rule of its own; where not, all runs have the same."""
        return any(np.size(field) for field in jax.tree.leaves(self.rule))

    @cached_property
    def rule(self) -> Rule:
        return self.rule_of(0)

    @cached_property
    def truth(self) -> Truth:
        return self.made.truth(self.rule, self.knobs)

    @cached_property
    def keys(self) -> jax.Array:
        """Of `sequences`; the first is key 0."""
        entries = self.made.num_targets * self.made.context_length
        count = int(np.clip(LARGEST_MAPS // entries, FEWEST_SEQUENCES, SEQUENCES))
        return jax.vmap(jax.random.key)(jnp.arange(count))

    @cached_property
    def sequences(self) -> Example:
        """Some sequences of the rule."""
        return self._sequences[0]

    @cached_property
    def supports(self) -> Bools:
        """`bool[N, R, L]`: the supports in each sequence."""
        return self._sequences[1]

    @cached_property
    def rows(self) -> Mapping[str, Asked]:
        """Of the supports and of the placebo, in the first sequence."""
        members = (self.made.supports, self.made.placebo)

        def asked(rule: Rule, tokens: jax.Array) -> list[Any]:
            return [[of(rule, tokens, rows) for rows in (self.targets, self.some)] for of in members]

        found = jax.jit(asked)(self.rule, self.sequences.tokens[0])
        return {of.__name__: Asked(*map(np.asarray, rows)) for of, rows in zip(members, found, strict=True)}

    @property
    def some(self) -> Integers:
        """Every other target, from the last one down."""
        return self.targets[::-2]

    @cached_property
    def _init(self) -> Any:
        return jax.jit(self.made.init)

    @cached_property
    def _sequences(self) -> tuple[Example, Bools]:
        def one(rule: Rule, key: jax.Array) -> tuple[Example, jax.Array]:
            example = self.made.sample(rule, key)
            return example, self.made.supports(rule, example.tokens, self.targets)

        return jax.tree.map(np.asarray, jax.jit(jax.vmap(one, (None, 0)))(self.rule, self.keys))

    @property
    def targets(self) -> Integers:
        return np.arange(self.made.num_targets)

    @property
    def queries(self) -> Integers:
        """`i32[R]`: the positions whose logits answer the targets."""
        return np.asarray(self.made.query_positions)[self.made.is_target]

    @cached_property
    def eligible(self) -> Bools:
        """`bool[R, L]`: the positions that a support may hold: replaceable, and seen by the query."""
        return self.made.replaceable & (np.arange(self.made.context_length) <= self.queries[:, None])
