"""Every registered generator, alike: its map is proved, its chance is right, its draws repeat."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attnsearch.generators import GENERATORS
from attnsearch.generators.base import Generator
from attnsearch.spec.plugins import generator
from attnsearch.spec.run import TaskSpec
from attnsearch.spec.task_file import TaskFile, shipped_tasks


def cases(file: TaskFile) -> Iterator[TaskSpec]:
    """The smallest form of a task, the same with each other word for a knob, and a larger form."""
    numbers = {knob.name: knob.minimum for knob in file.knobs if knob.minimum is not None}
    yield file.resolve(numbers)
    for knob in file.knobs:
        for word in knob.choices:
            if word != knob.default:
                yield file.resolve(numbers | {knob.name: word})
    yield file.resolve({name: least + 3 for name, least in numbers.items()})


# Whatever task ships is tried: a new one is here as soon as its file is.
CASES = [
    pytest.param(task, id=f"{name}-{'-'.join(f'{knob}{value}' for knob, value in task.knobs)}")
    for name, file in shipped_tasks().items()
    for task in cases(file)
]


def made_and_knobs(task: TaskSpec) -> tuple[Generator, Mapping[str, jax.Array]]:
    made = generator(task, GENERATORS)
    return made, {name: jnp.asarray(dict(task.knobs)[name]) for name in made.traced_knobs}


def drawn(task: TaskSpec, seed: int = 0):
    made, knobs = made_and_knobs(task)
    return made, made.init(jax.random.key(seed), knobs)


def test_every_generator_has_a_task_file():
    assert {task.generator for task in shipped_tasks().values()} == set(GENERATORS)


@pytest.mark.parametrize("task", CASES)
class TestConformance:
    def test_shapes_and_ranges(self, task: TaskSpec):
        made, rule = drawn(task)
        example = made.sample(rule, jax.random.key(1))
        targets = int(made.is_target.sum())
        chex.assert_shape(example.tokens, (made.context_length,))
        chex.assert_shape(example.answers, (len(made.query_positions),))
        supports = made.supports(rule, example.tokens, np.arange(targets))
        chex.assert_shape(supports, (targets, made.context_length))
        assert made.is_target.shape == made.query_positions.shape
        assert made.replaceable.shape == (made.context_length,)
        assert 0 <= int(example.tokens.min()) <= int(example.tokens.max()) < made.vocab_size
        assert int(example.tokens[made.replaceable].max()) < made.num_symbols <= made.vocab_size

    def test_the_same_key_draws_the_same(self, task: TaskSpec):
        made, rule = drawn(task)
        _, again = drawn(task)
        chex.assert_trees_all_equal(rule, again)
        first = made.sample(rule, jax.random.key(1))
        chex.assert_trees_all_equal(first, made.sample(again, jax.random.key(1)))
        many = jax.vmap(made.sample, (None, 0))(rule, jax.random.split(jax.random.key(2), 64))
        assert len(np.unique(np.asarray(many.tokens), axis=0)) > 1

    def test_no_answer_depends_on_what_its_query_cannot_see(self, task: TaskSpec):
        made, rule = drawn(task)
        truth = made.truth(rule, made_and_knobs(task)[1])
        assert len(truth.queries) == len(truth.mapped)
        for support, query in zip(truth.attention_map, truth.queries, strict=True):
            assert support.nonzero()[0].max() <= query
            assert (made.replaceable[support]).all()

    def test_truth_agrees_with_the_example(self, task: TaskSpec):
        made, rule = drawn(task)
        truth = made.truth(rule, made_and_knobs(task)[1])
        tokens = made.sample(rule, jax.random.key(5)).tokens
        supports = np.asarray(made.supports(rule, tokens, truth.mapped))
        np.testing.assert_array_equal(truth.attention_map, supports)
        targets = made.num_targets
        for of_targets in (truth.log2_search_space, truth.bayes_loss, truth.state):
            assert of_targets.shape == (targets,)
        assert (truth.bayes_loss >= 0).all()
        assert (truth.bayes_loss <= made.chance_loss + 1e-9).all()
        assert float(truth.chance_loss) == made.chance_loss
        bits = made.log2_search_space(dict(task.knobs))
        assert bits >= 0
        assert float(truth.nominal_log2_search_space) == bits
        # What is mapped is measured: every support is among the positions that are replaced.
        assert not (truth.attention_map & ~truth.probed).any()
        assert not (truth.probed & ~made.replaceable).any()

    def test_a_row_of_the_map_is_the_same_whoever_asks_for_it(self, task: TaskSpec):
        made, rule = drawn(task)
        tokens = made.sample(rule, jax.random.key(5)).tokens
        every = np.arange(int(made.is_target.sum()))
        some = every[::-2]
        for rows in (made.supports, made.placebo):
            np.testing.assert_array_equal(
                rows(rule, tokens, some), np.asarray(rows(rule, tokens, every))[some]
            )

    def test_the_placebo_is_as_large_and_as_wrong_as_can_be(self, task: TaskSpec):
        made, rule = drawn(task)
        tokens = made.sample(rule, jax.random.key(5)).tokens
        every = np.arange(int(made.is_target.sum()))
        right = np.asarray(made.supports(rule, tokens, every))
        wrong = np.asarray(made.placebo(rule, tokens, every))
        queries = made.query_positions[made.is_target]
        eligible = made.replaceable & (np.arange(made.context_length) <= queries[:, None])
        np.testing.assert_array_equal(wrong.sum(axis=1), right.sum(axis=1))
        assert not (wrong & ~eligible).any()
        # A generator may keep the shape of its supports instead; the wrong map then holds true positions.
        if type(made).placebo is Generator.placebo:
            fewest = np.maximum(0, 2 * right.sum(axis=1) - eligible.sum(axis=1))
            np.testing.assert_array_equal((wrong & right).sum(axis=1), fewest)

    def test_chance_loss_is_the_entropy_of_the_answers(self, task: TaskSpec):
        made, knobs = made_and_knobs(task)
        # Over rules too, for one rule of an automaton may prefer a colour.
        keys = jax.random.split(jax.random.key(3), 1024)
        rules = jax.vmap(lambda key: made.init(key, knobs))(keys)
        many = jax.vmap(lambda rule, key: jax.vmap(made.sample, (None, 0))(rule, jax.random.split(key, 4)))
        answers = np.asarray(many(rules, keys).answers)[..., made.is_target]
        for column in answers.reshape(-1, answers.shape[-1]).T:
            shares = np.bincount(column) / len(column)
            entropy = -sum(share * math.log(share) for share in shares if share)
            assert entropy == pytest.approx(made.chance_loss, abs=0.01)
