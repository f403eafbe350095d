"""Modes and hops of made margins, whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from attnsearch.base import Floats, Integers
from attnsearch.stats.hopping import GENERAL, SHALLOW, UNCERTAIN, classified, hopping, intervals


def modes_of(margins: Floats) -> Integers:
    return classified(intervals(margins))


def margins(means: list[float], items: int = 64, spread: float = 1.0):
    """`f64[E, P]`: items that scatter about the mean of each point."""
    noise = np.random.default_rng(1).normal(0, spread, (len(means), items))
    return np.array(means)[:, None] + noise - noise.mean(axis=1, keepdims=True)


def test_a_point_is_confident_only_where_its_interval_leaves_out_zero():
    assert modes_of(margins([1.0, -1.0, 0.0, 0.1])).tolist() == [GENERAL, SHALLOW, UNCERTAIN, UNCERTAIN]
    # The same mean, on more items or on items that agree better.
    assert modes_of(margins([0.1], items=4_096)).tolist() == [GENERAL]
    assert modes_of(margins([0.1], spread=0.1)).tolist() == [GENERAL]


def test_the_interval_covers_zero_as_often_as_it_says():
    random = np.random.default_rng(2)
    found = modes_of(random.normal(0, 1, (2_000, 64)))
    assert (found != UNCERTAIN).mean() == pytest.approx(0.05, abs=0.02)


def test_hops_are_changes_between_settled_modes():
    up, down = [2.0] * 5, [-2.0] * 4
    found = hopping(margins([*down, 0.0, *up, *down, *up]), np.ones(19))
    assert found.hops == 3
    assert found.settled.tolist() == [0, 5, 10, 14]
    assert [tuple(one) for one in found.stretches][:3] == [(-1, 0, 3), (0, 4, 4), (1, 5, 9)]
    assert found.stretches[-1].last == 18
    assert found.dwell.tolist() == [5, 5, 4, 5]
    assert found.ended.tolist() == [True, True, True, False]
    assert found.rate == pytest.approx(3 / 19)
    assert found.occupancy(GENERAL) == pytest.approx(10 / 19)
    assert found.occupancy(UNCERTAIN) == pytest.approx(1 / 19)


def test_a_change_that_does_not_persist_is_not_a_hop():
    assert hopping(margins([-2.0] * 6 + [2.0] * 2 + [-2.0] * 6), np.ones(14)).hops == 0


def test_nothing_is_settled_while_items_on_which_both_agree_are_not_solved():
    agreement = np.ones(12)
    agreement[4:8] = 0.6
    made = margins([-2.0] * 4 + [2.0] * 4 + [-2.0] * 4)
    assert hopping(made, agreement).hops == 0
    assert hopping(made, np.ones(12)).hops == 2
    never = hopping(made, np.zeros(12))
    assert (never.hops, never.settled.tolist()) == (0, [])
    assert np.isnan(never.rate)
