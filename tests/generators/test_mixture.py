"""A mixture: components of several sizes over the same inputs, each asked as often as it should be."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attnsearch.base import AttnsearchError
from attnsearch.generators import Mixture
from attnsearch.generators.bags import bag_loss
from attnsearch.generators.shortcut_loss import loss_of

KNOBS = {"support_size": jnp.asarray(3)}
MADE = Mixture(state_size=5, num_components=2, num_rows=2, modulus=3, component_exponent=1)


def test_each_component_reads_one_input_more_than_the_one_before() -> None:
    rule = np.asarray(MADE.init(jax.random.key(0), KNOBS))
    assert rule.sum(axis=1).tolist() == [2, 2, 3, 3]
    larger = np.asarray(MADE.init(jax.random.key(0), {"support_size": jnp.asarray(4)}))
    assert (larger & rule == rule).all()


def test_a_blank_holds_the_name_of_its_row_and_asks_its_sum() -> None:
    rule = MADE.init(jax.random.key(0), KNOBS)
    tokens, answers = map(np.asarray, MADE.sample(rule, jax.random.key(1)))
    # The first component is asked twice as often, by Zipf's law.
    assert MADE.rows.tolist() == [0, 1, 2, 3, 0, 1]
    assert tokens[5:].tolist() == [3, 4, 5, 6, 3, 4]
    assert answers.tolist() == (np.asarray(rule)[MADE.rows] @ tokens[:5] % 3).tolist()


@pytest.mark.parametrize(("exponent", "times"), [(0, [1, 1, 1]), (1, [3, 2, 1]), (-1, [1, 2, 3])])
def test_components_are_asked_by_zipfs_law(exponent: int, times: list[int]) -> None:
    made = Mixture(8, 3, component_exponent=exponent)
    assert np.bincount(made.rows).tolist() == times


def test_each_target_has_the_search_space_of_its_component() -> None:
    rule = MADE.init(jax.random.key(0), KNOBS)
    told = MADE.truth(rule, KNOBS)
    assert 2**told.log2_search_space == pytest.approx(
        [math.comb(5, 2)] * 2 + [math.comb(5, 3)] * 2 + [10, 10]
    )
    assert float(told.nominal_log2_search_space) == pytest.approx(told.log2_search_space.mean())


def test_whoever_has_found_the_first_component_alone_is_at_chance_on_the_rest() -> None:
    found = {one.name: loss_of(one, MADE, KNOBS) / MADE.chance_loss for one in MADE.shortcuts}
    # Four of six blanks ask the first component.
    assert found["first component"] == pytest.approx(1 / 3, abs=0.01)
    # Rows of two and of three of five inputs: the last one is taken for any of four, or of three.
    exact = (4 * bag_loss(4, 3) + 2 * bag_loss(3, 3)) / 6 / math.log(3)
    assert found["all but one input"] == pytest.approx(exact, abs=0.02)


def test_more_components_than_inputs_are_refused() -> None:
    with pytest.raises(AttnsearchError, match=r"num_components 4 is too large: .* state_size is 3"):
        Mixture(3, 4)
