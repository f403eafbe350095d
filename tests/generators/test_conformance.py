"""Every registered generator, alike: its map is proved, its chance is right, its draws repeat."""

import itertools
import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attnsearch.base import AttnsearchError
from attnsearch.generators import GENERATORS, LinearMap, LinearMapAutoregressive
from attnsearch.generators.base import Generator
from attnsearch.spec.run import TaskSpec
from attnsearch.spec.task_file import shipped_tasks
from attnsearch.training.jax.backend import JaxBackend

LINEAR_MAP = (
    {"state_size": 2, "support_size": 1},
    {"state_size": 5, "support_size": 3},
    {"state_size": 8, "support_size": 8},
)
SETTINGS = {
    "linear_map": LINEAR_MAP,
    "linear_map_autoregressive": (*LINEAR_MAP, {"state_size": 6, "support_size": 2, "loss": "all"}),
    "cellular_automaton": (
        {"state_size": 2, "num_states": 2, "rule_pool": 1},
        {"state_size": 5, "num_colours": 2, "num_states": 3, "rule_pool": "fresh", "loss": "all"},
        {"state_size": 8, "window_size": 2, "compositions": 2, "num_states": 4},
    ),
}
# Every shipped task at several settings: each generator is reached through the file that ships with it. One
# that is not in `SETTINGS` is tried at its defaults.
CASES = [
    pytest.param(task.resolve(given), id=f"{name}-{'-'.join(f'{k}{v}' for k, v in given.items())}")
    for name, task in shipped_tasks().items()
    for given in SETTINGS.get(name, ({},))
]


def drawn(task: TaskSpec, seed: int = 0):
    made = JaxBackend().generator(task)
    knobs = {name: jnp.asarray(dict(task.knobs)[name]) for name in made.traced_knobs}
    rule = made.init(jax.random.key(seed), knobs)
    return made, rule


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
        truth = made.truth(rule)
        assert len(truth.queries) == len(truth.mapped)
        for support, query in zip(truth.attention_map, truth.queries, strict=True):
            assert support.nonzero()[0].max() <= query
            assert (made.replaceable[support]).all()

    def test_truth_agrees_with_the_example(self, task: TaskSpec):
        made, rule = drawn(task)
        truth = made.truth(rule)
        tokens = made.sample(rule, jax.random.key(5)).tokens
        supports = np.asarray(made.supports(rule, tokens, truth.mapped))
        np.testing.assert_array_equal(truth.attention_map, supports)
        targets = int(made.is_target.sum())
        for of_targets in (truth.log2_search_space, truth.bayes_loss, truth.state):
            assert of_targets.shape == (targets,)
        assert (truth.bayes_loss >= 0).all()
        assert (truth.bayes_loss <= made.chance_loss + 1e-9).all()
        assert float(truth.chance_loss) == made.chance_loss
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
        if "cellular" in task.generator:
            # Windows of a small ring overlap wherever they are; these keep the shape of a window.
            assert (wrong & right).sum() < right.sum() or right.sum(axis=1)[0] == dict(task.knobs)[
                "state_size"
            ]
        else:
            fewest = np.maximum(0, 2 * right.sum(axis=1) - eligible.sum(axis=1))
            np.testing.assert_array_equal((wrong & right).sum(axis=1), fewest)

    def test_chance_loss_is_the_entropy_of_the_answers(self, task: TaskSpec):
        made, _ = drawn(task)
        # Over rules too, for one rule of an automaton may prefer a colour.
        keys = jax.random.split(jax.random.key(3), 256)
        knobs = {name: jnp.asarray(dict(task.knobs)[name]) for name in made.traced_knobs}
        rules = jax.vmap(lambda key: made.init(key, knobs))(keys)
        many = jax.vmap(lambda rule, key: jax.vmap(made.sample, (None, 0))(rule, jax.random.split(key, 16)))
        answers = np.asarray(many(rules, keys).answers)[..., made.is_target]
        for column in answers.reshape(-1, answers.shape[-1]).T:
            shares = np.bincount(column) / len(column)
            entropy = -sum(share * math.log(share) for share in shares if share)
            assert entropy == pytest.approx(made.chance_loss, abs=0.01)


def all_sequences(made: Generator, rule: jax.Array, count: int = 512):
    many = jax.vmap(made.sample, (None, 0))(rule, jax.random.split(jax.random.key(7), count))
    return np.asarray(many.tokens), np.asarray(many.answers)[:, made.is_target]


@pytest.mark.parametrize("kind", [LinearMap, LinearMapAutoregressive])
@pytest.mark.parametrize("support_size", [1, 2, 3, 4])
def test_replacing_a_token_changes_exactly_the_targets_that_it_supports(kind: type, support_size: int):
    """The map is proved by asking the sequences themselves, never the matrix: two sequences that agree
    in all inputs but one have different answers at a target exactly if its support holds that input."""
    size = 4
    made = kind(size)
    rule = made.init(jax.random.key(11), {"support_size": jnp.asarray(support_size)})
    support = made.truth(rule).attention_map
    tokens, answers = all_sequences(made, rule)
    answer_to = {tuple(row[:size]): answer for row, answer in zip(tokens, answers, strict=True)}
    assert len(answer_to) == 2**size
    for state in itertools.product((0, 1), repeat=size):
        for position in range(size):
            replaced = (*state[:position], 1 - state[position], *state[position + 1 :])
            moved = answer_to[state] != answer_to[replaced]
            np.testing.assert_array_equal(moved, support[:, position])
    assert not support[:, size:].any()
    assert (support.sum(axis=1) == support_size).all()


def test_the_answers_are_asked_where_the_layout_says():
    isolated, published = LinearMap(4), LinearMapAutoregressive(4)
    rule = isolated.init(jax.random.key(0), {"support_size": jnp.asarray(2)})
    one, other = (made.sample(rule, jax.random.key(1)) for made in (isolated, published))
    assert isolated.query_positions.tolist() == [4, 5, 6, 7]
    assert one.tokens[4:].tolist() == [2, 2, 2, 2]
    assert published.query_positions.tolist() == [3, 4, 5, 6]
    # The same key draws the same state, and the logits at t - 1 are asked for the token at t.
    np.testing.assert_array_equal(one.tokens[:4], other.tokens[:4])
    np.testing.assert_array_equal(other.tokens[4:], other.answers)
    np.testing.assert_array_equal(one.answers, other.answers)


def test_predicting_everything_asks_for_the_inputs_too():
    made = LinearMapAutoregressive(4, loss="all")
    rule = made.init(jax.random.key(0), {"support_size": jnp.asarray(2)})
    example = made.sample(rule, jax.random.key(1))
    np.testing.assert_array_equal(example.answers, example.tokens[1:])
    assert made.is_target.tolist() == [False] * 3 + [True] * 4


def test_supports_grow_with_the_support_size_from_one_seed():
    made = LinearMap(8)
    rules = [made.init(jax.random.key(3), {"support_size": jnp.asarray(s)}) for s in range(1, 9)]
    for smaller, larger in itertools.pairwise(rules):
        assert (np.asarray(larger) >= np.asarray(smaller)).all()


def test_every_support_is_equally_likely():
    made = LinearMap(4)
    keys = jax.random.split(jax.random.key(0), 6000)
    rules = np.asarray(jax.vmap(lambda key: made.init(key, {"support_size": jnp.asarray(2)}))(keys))
    codes = (rules[:, 0] * (1 << np.arange(4))).sum(axis=1)
    counts = np.array([count for count in np.bincount(codes) if count])
    assert len(counts) == math.comb(4, 2)
    # Chi-square with 5 degrees of freedom exceeds 20.5 once in a thousand.
    assert ((counts - 1000) ** 2 / 1000).sum() < 20.5


def test_search_spaces():
    rule_key = jax.random.key(0)
    isolated, published = LinearMap(8), LinearMapAutoregressive(8)
    rule = isolated.init(rule_key, {"support_size": jnp.asarray(3)})
    truth = isolated.truth(rule)
    np.testing.assert_allclose(truth.log2_search_space, math.log2(math.comb(8, 3)))
    np.testing.assert_array_equal(truth.cheapest_route, truth.attention_map)
    routed = published.truth(rule)
    assert float(routed.nominal_log2_search_space) == pytest.approx(math.log2(56))
    expected = [math.log2(math.comb(8 + r, int(n))) for r, n in enumerate(routed.cheapest_route.sum(axis=1))]
    np.testing.assert_allclose(routed.log2_search_space, expected)


@pytest.mark.parametrize("kind", [LinearMap, LinearMapAutoregressive])
def test_bad_sizes_are_refused(kind: type):
    with pytest.raises(AttnsearchError, match="at least 2"):
        kind(1)


def test_an_unknown_loss_is_refused():
    with pytest.raises(AttnsearchError, match="targets or all"):
        LinearMapAutoregressive(4, loss="some")  # pyright: ignore[reportArgumentType]
