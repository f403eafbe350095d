"""Two routes to an answer: what each scores, and that probe items tell them apart."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attnsearch.base import AttnsearchError
from attnsearch.generators import CompetingRoutes
from attnsearch.generators.competing_routes import CompetingRule

MADE = CompetingRoutes(state_size=4, num_rows=3, modulus=3)
KEYS = jax.random.split(jax.random.key(1), 4096)


def rule(share: int, share_steps: int = 0) -> CompetingRule:
    knobs = {"support_size": 2, "share": share, "last_share": 60, "share_steps": share_steps}
    return MADE.init(jax.random.key(0), {name: jnp.asarray(value) for name, value in knobs.items()})


def test_a_share_is_constant_or_goes_evenly_to_the_last():
    shares = [float(MADE.at(rule(90), step).share) for step in (0, 100)]
    assert shares == pytest.approx([0.9, 0.9])
    shares = [float(MADE.at(rule(90, 100), step).share) for step in (0, 50, 100, 500)]
    assert shares == pytest.approx([0.9, 0.75, 0.6, 0.6])


@pytest.mark.parametrize("share", [0, 75, 100])
def test_whoever_reads_a_hint_scores_the_entropy_of_its_share(share: int):
    many = jax.vmap(MADE.sample, (None, 0))(rule(share), KEYS)
    shifts = np.asarray((many.answers - many.tokens[:, 4:7]) % 3).ravel()
    counted = np.bincount(shifts, minlength=3) / len(shifts)
    assert counted[0] == pytest.approx(share / 100, abs=0.02)
    loss = -sum(one * math.log(one) for one in counted if one)
    right = share / 100
    stated = -sum(one * math.log(one) for one in (right, 1 - right) if one) + (1 - right) * math.log(2)
    assert loss == pytest.approx(stated, abs=0.02)


def test_probe_items_tell_the_routes_apart():
    drawn = rule(90)
    items = jax.vmap(MADE.probe, (None, 0))(drawn, KEYS[:64])
    state = np.asarray(items.tokens[:, :4])
    np.testing.assert_array_equal(items.general, state @ np.asarray(drawn.rows).T % 3)
    np.testing.assert_array_equal(items.shallow, items.tokens[:, 4:7])
    assert (items.general != items.shallow).all()
    same = MADE.agreeing(drawn, KEYS[0])
    np.testing.assert_array_equal(same.tokens[:4], items.tokens[0, :4])
    np.testing.assert_array_equal(same.general, items.general[0])
    np.testing.assert_array_equal(same.shallow, same.general)
    np.testing.assert_array_equal(same.tokens[4:7], same.general)


def test_each_route_reads_what_it_needs():
    drawn = rule(90)
    tokens = MADE.sample(drawn, KEYS[0]).tokens
    shallow, general = np.asarray(MADE.routes(drawn, tokens, np.arange(3)))
    assert shallow.nonzero()[1].tolist() == [4, 5, 6]
    np.testing.assert_array_equal(general[:, :4], drawn.rows)
    assert not general[:, 4:].any()
    np.testing.assert_array_equal(MADE.supports(drawn, tokens, np.arange(3)), general)


def test_bad_sizes_are_refused():
    with pytest.raises(AttnsearchError, match="num_rows 0 is too small: at least 1"):
        CompetingRoutes(4, 0, 2)
