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


def drawn(made: Generator, support_size: int = 2):
    rule = made.init(jax.random.key(5), {"support_size": jnp.asarray(support_size)})
    return np.asarray(rule).astype(int), made.sample(rule, jax.random.key(6))


def test_sums_are_taken_by_the_modulus():
    matrix, example = drawn(LinearMap(5, modulus=7), 3)
    state = np.asarray(example.tokens[:5])
    assert state.max() > 1
    assert example.tokens[5:].tolist() == [7] * 5
    np.testing.assert_array_equal(example.answers, matrix @ state % 7)
    assert LinearMap(5, modulus=7).chance_loss == pytest.approx(math.log(7))


def test_a_trajectory_maps_each_state_to_the_next():
    made = LinearMapAutoregressive(4, modulus=3, num_states=4)
    matrix, example = drawn(made)
    states = np.asarray(example.tokens).reshape(4, 4)
    for before, after in itertools.pairwise(states):
        np.testing.assert_array_equal(after, matrix @ before % 3)
    np.testing.assert_array_equal(example.answers, states[1:].ravel())


def test_isolated_states_are_drawn_anew_and_asked_right_after():
    made = LinearMap(4, num_states=4)
    matrix, example = drawn(made)
    states, blanks = np.split(np.asarray(example.tokens).reshape(3, 8), 2, axis=1)
    assert (blanks == 2).all()
    np.testing.assert_array_equal(np.asarray(example.answers).reshape(3, 4), states @ matrix.T % 2)
    assert len(np.unique(states, axis=0)) > 1
    knobs = {"support_size": jnp.asarray(2)}
    truth = made.truth(jnp.asarray(matrix, bool), knobs)
    # The row over the state shown last, and 6 supports over each of the states shown so far.
    np.testing.assert_array_equal(truth.attention_map[9].nonzero()[0], 16 + matrix[1].nonzero()[0])
    np.testing.assert_allclose(2**truth.log2_search_space, np.repeat([6, 12, 18], 4))
    assert truth.state.tolist() == np.repeat([1, 2, 3], 4).tolist()
    assert made.log2_search_space(knobs) == pytest.approx(truth.log2_search_space.mean())


def test_rows_are_asked_by_the_law_of_zipf_and_by_their_names():
    made = LinearMap(6, num_states=3, row_exponent=1)
    assert made.rows.tolist() == [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 0, 1, 0, 0, 0]
    times = np.bincount(made.rows)
    assert times.tolist() == [6, 3, 2, 2, 1, 1]
    assert made.rows[:6].tolist() == [0, 1, 2, 3, 4, 5]
    matrix, example = drawn(made)
    blocks = np.asarray(example.tokens).reshape(2, -1)
    np.testing.assert_array_equal(blocks[:, 6:], [2 + made.rows] * 2)
    np.testing.assert_array_equal(
        np.asarray(example.answers).reshape(2, -1), blocks[:, :6] @ matrix[made.rows].T % 2
    )
    assert LinearMap(6).rows.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("modulus", [2, 3])
def test_whoever_reads_all_of_a_support_but_one_token_is_at_chance(modulus: int):
    made = LinearMap(4, modulus=modulus)
    rule = made.init(jax.random.key(1), {"support_size": jnp.asarray(3)})
    tokens, answers = all_sequences(made, rule, 4096)
    read = tokens[:, np.flatnonzero(rule[0])[:-1]]
    losses = []
    for seen in itertools.product(range(modulus), repeat=2):
        shares = np.bincount(answers[(read == seen).all(axis=1), 0], minlength=modulus)
        shares = shares / shares.sum()
        losses.append(-(shares * np.log(shares)).sum())
    assert np.mean(losses) == pytest.approx(made.chance_loss, abs=0.01)


@pytest.mark.parametrize("kind", [LinearMap, LinearMapAutoregressive])
def test_bad_sizes_are_refused(kind: type):
    with pytest.raises(AttnsearchError, match="at least 2"):
        kind(1)
    with pytest.raises(AttnsearchError, match="modulus 1 is too small: at least 2 values"):
        kind(4, modulus=1)
    with pytest.raises(AttnsearchError, match="num_states 1 is too small: at least 2 states"):
        kind(4, num_states=1)
    with pytest.raises(AttnsearchError, match="too large for row_exponent 1: at most 1,024"):
        LinearMap(1025, row_exponent=1)


def test_an_unknown_loss_is_refused():
    with pytest.raises(AttnsearchError, match="targets or all"):
        LinearMapAutoregressive(4, loss="some")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("chosen", [1, 3, LARGEST_EXACT // 2])
def test_a_large_search_space_goes_on_where_the_exact_one_ends(chosen: int):
    exact = math.log2(math.comb(LARGEST_EXACT + 1, chosen))
    assert log2_choose(LARGEST_EXACT + 1, chosen) == pytest.approx(exact, rel=1e-9)
    with pytest.raises(AttnsearchError, match="no support of 5 positions can be chosen from 4"):
        log2_choose(4, 5)
