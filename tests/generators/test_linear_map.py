"""The linear maps: their supports proved by enumeration, their layouts, their search spaces."""

from __future__ import annotations

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attnsearch.base import AttnsearchError
from attnsearch.generators import LinearMap, LinearMapAutoregressive
from attnsearch.generators.base import Generator
from attnsearch.generators.linear_map import LARGEST_EXACT, log2_choose


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
    knobs = {"support_size": jnp.asarray(support_size)}
    rule = made.init(jax.random.key(11), knobs)
    support = made.truth(rule, knobs).attention_map
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
    knobs = {"support_size": jnp.asarray(3)}
    rule = isolated.init(rule_key, knobs)
    truth = isolated.truth(rule, knobs)
    np.testing.assert_allclose(truth.log2_search_space, math.log2(math.comb(8, 3)))
    np.testing.assert_array_equal(truth.cheapest_route, truth.attention_map)
    routed = published.truth(rule, knobs)
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


@pytest.mark.parametrize("chosen", [1, 3, LARGEST_EXACT // 2])
def test_a_large_search_space_goes_on_where_the_exact_one_ends(chosen: int):
    exact = math.log2(math.comb(LARGEST_EXACT + 1, chosen))
    assert log2_choose(LARGEST_EXACT + 1, chosen) == pytest.approx(exact, rel=1e-9)
    with pytest.raises(AttnsearchError, match="no support of 5 positions can be chosen from 4"):
        log2_choose(4, 5)
