"""A token at one hidden place or at several: what decides, what is enough, and what a bag tells."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.complaint import message

from attnsearch.generators import SingleLocation

MADE = SingleLocation(state_size=6, num_repetitions=2, num_symbols=8)


def test_each_token_stands_at_its_places_and_is_asked_as_often() -> None:
    rule = MADE.init(jax.random.key(0), {})
    assert np.bincount(np.asarray(rule)).tolist() == [2, 2, 2]
    example = MADE.sample(rule, jax.random.key(1))
    tokens, answers = np.asarray(example.tokens), np.asarray(example.answers)
    assert tokens[6:].tolist() == [8] * 6
    supports = np.asarray(MADE.supports(rule, example.tokens, np.arange(6)))
    assert supports.sum(axis=1).tolist() == [2] * 6
    # The tokens of a support are alike, and are the answer: any one is enough.
    for support, answer in zip(supports, answers, strict=True):
        assert set(tokens[support]) == {answer}
    np.testing.assert_array_equal(supports[:3], supports[3:])
    assert supports[:3].sum(axis=0).tolist() == [1] * 6 + [0] * 6


def test_one_place_decides_and_each_does_as_often() -> None:
    rule = MADE.init(jax.random.key(0), {})

    def moved(key: jax.Array, place: jax.Array) -> jax.Array:
        tokens, answers = MADE.sample(rule, key)
        other = tokens.at[place].set((tokens[place] + 1) % 8)
        return MADE.answers(rule, key, other) != answers

    keys, places = jax.random.split(jax.random.key(2), 400), jnp.arange(6)
    found = np.asarray(jax.vmap(jax.vmap(moved, (None, 0)), (0, None))(keys, places))
    # Of the two places of a target exactly one moves its answer, in each sequence.
    assert (found.sum(axis=1) == 1).all()
    held = np.asarray(MADE.supports(rule, MADE.sample(rule, keys[0]).tokens, np.arange(6)))[:, :6]
    np.testing.assert_allclose(found.mean(axis=0).T, held / 2, atol=0.1)


def test_a_single_place_is_the_cheapest_route() -> None:
    rule = MADE.init(jax.random.key(0), {})
    truth = MADE.truth(rule, {})
    assert truth.cheapest_route.sum(axis=1).tolist() == [1] * 6
    assert not (truth.cheapest_route & ~truth.attention_map).any()
    assert truth.log2_search_space.tolist() == [pytest.approx(np.log2(3))] * 6
    assert float(truth.nominal_log2_search_space) == pytest.approx(np.log2(15))


def test_without_repetitions_it_is_one_input_of_many() -> None:
    made = SingleLocation(state_size=4, num_repetitions=1, num_symbols=2)
    truth = made.truth(made.init(jax.random.key(0), {}), {})
    np.testing.assert_array_equal(truth.cheapest_route, truth.attention_map)
    assert truth.log2_search_space.tolist() == [2] * 4
    assert float(truth.nominal_log2_search_space) == 2


@pytest.mark.parametrize(("size", "repetitions"), [(6, 4), (4, 4)])
def test_a_state_is_some_multiple_of_the_repetitions(size: int, repetitions: int) -> None:
    assert message(lambda: SingleLocation(size, repetitions, 2)) == (
        f"state_size {size} is not two or more times num_repetitions {repetitions}: give a multiple of it"
    )
