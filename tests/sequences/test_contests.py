"""What answers tell of two routes: made answers of either route, and of none."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attnsearch.generators import CompetingRoutes, LinearMap
from attnsearch.sequences.contests import CONTESTS, contested, nothing_contested
from attnsearch.sequences.sequences import DATA, contests, draw_rule, stream

MADE = CompetingRoutes(state_size=4, num_rows=3, modulus=3)
KNOBS = {"support_size": 2, "share": 90, "last_share": 60, "share_steps": 10}
RULE = draw_rule(MADE, 0, {name: jnp.asarray(value) for name, value in KNOBS.items()})
ITEMS = contests(MADE, RULE, 7)


def answers(right: jax.Array, sure: float) -> jax.Array:
    """Distributions that give `right` the probability `sure`, and each other value as much."""
    return jax.nn.one_hot(right, 4) * (sure - (1 - sure) / 3) + (1 - sure) / 3


def test_a_margin_tells_the_route_and_agreement_what_is_solved():
    either = answers(ITEMS.general, 0.7), answers(ITEMS.shallow, 0.7)
    for found, sign in zip(either, (1, -1), strict=True):
        margin, agreement = contested(MADE, ITEMS, found)
        np.testing.assert_allclose(margin, np.full(CONTESTS, sign * np.log(0.7 / 0.1)), rtol=1e-5)
        assert agreement == 1
    margin, agreement = contested(MADE, ITEMS, jnp.full((2 * CONTESTS, 3, 4), 0.25))
    assert not margin.any()
    assert agreement == pytest.approx((ITEMS.general[CONTESTS:] == 0).mean())


def test_what_is_certain_has_a_finite_margin():
    margin, _ = contested(MADE, ITEMS, answers(ITEMS.general, 1.0))
    assert (margin > 80).all()
    assert np.isfinite(margin).all()


def test_items_are_drawn_apart_from_training():
    assert (ITEMS.general != ITEMS.shallow)[:CONTESTS].all()
    assert (ITEMS.general == ITEMS.shallow)[CONTESTS:].all()
    first = jax.random.key_data(stream(7, DATA))
    assert all((jax.random.key_data(stream(7, use)) != first).any() for use in range(6) if use != DATA)


def test_nothing_is_told_where_no_routes_compete():
    margin, agreement = nothing_contested(LinearMap(4))
    assert margin.shape == (0,)
    assert np.isnan(agreement)
