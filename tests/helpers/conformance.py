"""What holds of every generator, whoever wrote it: each check takes a generator that has drawn its rule."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attnsearch.base import Example, Truth
from attnsearch.generators.base import Generator, Rule
from attnsearch.spec.plugins import generator
from attnsearch.spec.run import TaskSpec
from attnsearch.spec.task_file import TaskFile

SEQUENCES = 512


def cases(file: TaskFile) -> Iterator[TaskSpec]:
    """The smallest form of a task, the same with each other word for a knob, and a larger form."""
    numbers = {knob.name: knob.minimum for knob in file.knobs if knob.minimum is not None}
    yield file.resolve(numbers)
    for knob in file.knobs:
        for word in knob.choices:
            if word != knob.default:
                yield file.resolve(numbers | {knob.name: word})
    yield file.resolve({name: least + 3 for name, least in numbers.items()})


@dataclass(frozen=True, eq=False)
class Drawn:
    """A generator, its traced knobs, and the rule that it draws from key 0."""

    made: Generator
    knobs: Mapping[str, jax.Array]

    @classmethod
    def of(cls, task: TaskSpec, generators: Mapping[str, type[Generator]]) -> Drawn:
        made = generator(task, generators)
        return cls(made, {name: jnp.asarray(dict(task.knobs)[name]) for name in made.traced_knobs})

    def rule_of(self, seed: int) -> Rule:
        return self.made.init(jax.random.key(seed), self.knobs)

    @cached_property
    def rule(self) -> Rule:
        return self.rule_of(0)

    @cached_property
    def truth(self) -> Truth:
        return self.made.truth(self.rule, self.knobs)

    @cached_property
    def sequences(self) -> Example:
        """Some sequences of the rule; the first is that of key 0."""
        keys = jax.vmap(jax.random.key)(jnp.arange(SEQUENCES))
        return jax.tree.map(np.asarray, jax.jit(jax.vmap(self.made.sample, (None, 0)))(self.rule, keys))

    @cached_property
    def supports(self) -> np.ndarray:
        """`bool[N, R, L]`: those of each sequence."""
        rows = jax.vmap(lambda tokens: self.made.supports(self.rule, tokens, self.targets))
        return np.asarray(jax.jit(rows)(self.sequences.tokens))

    @property
    def targets(self) -> np.ndarray:
        return np.arange(self.made.num_targets)

    @property
    def queries(self) -> np.ndarray:
        return self.made.query_positions[self.made.is_target]


def shapes_and_ranges(drawn: Drawn) -> None:
    made, (tokens, answers) = drawn.made, drawn.sequences
    chex.assert_shape(tokens, (SEQUENCES, made.context_length))
    chex.assert_shape(answers, (SEQUENCES, len(made.query_positions)))
    chex.assert_shape(drawn.supports, (SEQUENCES, made.num_targets, made.context_length))
    assert made.is_target.shape == made.query_positions.shape
    assert made.replaceable.shape == (made.context_length,)
    for values in (tokens, answers):
        assert 0 <= values.min() <= values.max() < made.vocab_size
    assert tokens[:, made.replaceable].max() < made.num_symbols <= made.vocab_size
    # What is not replaced is always the same.
    assert (tokens[:, ~made.replaceable] == tokens[0, ~made.replaceable]).all()


def the_same_key_draws_the_same(drawn: Drawn) -> None:
    again = drawn.rule_of(0)
    chex.assert_trees_all_equal(drawn.rule, again)
    first = drawn.made.sample(again, jax.random.key(0))
    chex.assert_trees_all_equal(first, jax.tree.map(lambda field: field[0], drawn.sequences))
    assert len(np.unique(drawn.sequences.tokens, axis=0)) > 1


def no_answer_depends_on_what_its_query_cannot_see(drawn: Drawn) -> None:
    seen = np.arange(drawn.made.context_length) <= drawn.queries[:, None]
    assert not (drawn.supports & ~(seen & drawn.made.replaceable)).any()
    assert drawn.supports.any(axis=-1).all()


def the_support_determines_the_answer(drawn: Drawn) -> None:
    """Sequences that agree on a support agree on the answer, where a sequence hides no rule of its own."""
    if drawn.truth.bayes_loss.any():
        return
    answers = drawn.sequences.answers[:, drawn.made.is_target]
    for target in drawn.targets:
        known: dict[bytes, int] = {}
        for tokens, support, answer in zip(
            drawn.sequences.tokens, drawn.supports[:, target], answers[:, target], strict=True
        ):
            read = np.where(support, tokens, -1).tobytes()
            assert known.setdefault(read, answer) == answer


def truth_agrees_with_what_is_drawn(drawn: Drawn) -> None:
    made, truth = drawn.made, drawn.truth
    np.testing.assert_array_equal(truth.attention_map, drawn.supports[0, truth.mapped])
    for of_targets in (truth.log2_search_space, truth.bayes_loss, truth.state):
        assert of_targets.shape == (made.num_targets,)
    assert (truth.bayes_loss >= 0).all()
    assert (truth.bayes_loss <= made.chance_loss + 1e-9).all()
    assert float(truth.chance_loss) == made.chance_loss
    assert float(truth.nominal_log2_search_space) == made.log2_search_space(drawn.knobs) >= 0
    assert (truth.cheapest_route.sum(axis=1) <= truth.attention_map.sum(axis=1)).all()
    # What is mapped is measured: every support is among the positions that are replaced.
    assert not (truth.attention_map & ~truth.probed).any()
    assert not (truth.probed & ~made.replaceable).any()


def a_row_of_the_map_is_the_same_whoever_asks_for_it(drawn: Drawn) -> None:
    tokens, some = drawn.sequences.tokens[0], drawn.targets[::-2]
    for rows in (drawn.made.supports, drawn.made.placebo):
        every = np.asarray(rows(drawn.rule, tokens, drawn.targets))
        np.testing.assert_array_equal(rows(drawn.rule, tokens, some), every[some])


def the_placebo_is_as_large_and_as_wrong_as_can_be(drawn: Drawn) -> None:
    right = drawn.supports[0]
    wrong = np.asarray(drawn.made.placebo(drawn.rule, drawn.sequences.tokens[0], drawn.targets))
    seen = np.arange(drawn.made.context_length) <= drawn.queries[:, None]
    eligible = drawn.made.replaceable & seen
    np.testing.assert_array_equal(wrong.sum(axis=1), right.sum(axis=1))
    assert not (wrong & ~eligible).any()
    # A generator may keep the shape of its supports instead; the wrong map then holds true positions.
    if type(drawn.made).placebo is Generator.placebo:
        fewest = np.maximum(0, 2 * right.sum(axis=1) - eligible.sum(axis=1))
        np.testing.assert_array_equal((wrong & right).sum(axis=1), fewest)


def chance_loss_is_the_entropy_of_the_answers(drawn: Drawn) -> None:
    """Over rules too, for one rule of an automaton may prefer a colour."""
    made = drawn.made

    def answers(key: jax.Array) -> jax.Array:
        rule = made.init(key, drawn.knobs)
        return jax.vmap(made.sample, (None, 0))(rule, jax.random.split(key, 4)).answers

    drawn_answers: Any = jax.jit(jax.vmap(answers))(jax.random.split(jax.random.key(3), 1024))
    for column in np.asarray(drawn_answers)[..., made.is_target].reshape(-1, made.num_targets).T:
        shares = np.bincount(column) / len(column)
        entropy = -sum(share * math.log(share) for share in shares if share)
        assert entropy == pytest.approx(made.chance_loss, abs=0.01)


CHECKS: tuple[Callable[[Drawn], None], ...] = (
    shapes_and_ranges,
    the_same_key_draws_the_same,
    no_answer_depends_on_what_its_query_cannot_see,
    the_support_determines_the_answer,
    truth_agrees_with_what_is_drawn,
    a_row_of_the_map_is_the_same_whoever_asks_for_it,
    the_placebo_is_as_large_and_as_wrong_as_can_be,
    chance_loss_is_the_entropy_of_the_answers,
)
