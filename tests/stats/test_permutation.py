"""Arrangements: all of them or drawn ones, and what is made of them."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from attnsearch.stats.permutation import (
    ALL_TIES,
    ALL_UP_TO,
    DRAWS,
    HALF_OF_TIES,
    HITS,
    Stratum,
    deals,
    least_p_value,
    p_value,
    p_value_by_draws,
    swaps,
)


def test_few_deals_are_all_and_many_are_drawn() -> None:
    every = deals(7, 3)
    assert len({tuple(sorted(places)) for places in every.tolist()}) == comb(7, 3) == len(every)
    assert comb(18, 9) > ALL_UP_TO
    some = deals(18, 9)
    assert some.shape == (DRAWS, 9)
    assert all(len(set(places)) == 9 for places in some[:100].tolist())
    # Every run is dealt to the group about half of the time.
    assert np.bincount(some.ravel(), minlength=18) / DRAWS == pytest.approx([0.5] * 18, abs=0.03)


def test_few_swaps_are_all_and_many_are_drawn() -> None:
    every = swaps(5)
    assert len({tuple(row) for row in every.tolist()} | {tuple(row) for row in (1 - every).tolist()}) == 32
    assert swaps(15).shape == (2**14, 15)
    assert ALL_UP_TO < 2**15
    some = swaps(16)
    assert some.shape == (DRAWS + 1, 16)
    assert not some[0].any()
    assert some[1:].mean() == pytest.approx(0.5, abs=0.01)
    assert swaps(1).tolist() == [[0.0]]


def test_ties_count_as_much_as_is_asked() -> None:
    arranged = np.array([3.0, 2.0, 2.0 + 1e-12, 2.0, 1.0])
    assert p_value(2.0, arranged, ALL_TIES) == pytest.approx(4 / 5)
    assert p_value(2.0, arranged, HALF_OF_TIES) == pytest.approx(2.5 / 5)
    assert p_value(3.0, arranged, ALL_TIES) == pytest.approx(1 / 5)


def test_draws_stop_when_the_answer_is_clear() -> None:
    same = Stratum(np.zeros(8), 4)
    assert p_value_by_draws([same], 1e9) == 1
    extreme = Stratum(np.array([9.0, 8, 7, 6, *np.linspace(0, 1, 16)]), 4)
    least = least_p_value([extreme])
    assert least == 1 / comb(20, 4)
    # Far below what is asked, it says no more than that.
    assert p_value_by_draws([Stratum(-extreme.scores, 4)], 1e9) > 0.5
    few = p_value_by_draws([extreme, extreme], 5_000)
    assert 1 / 6_001 <= few < 2e-3


def test_a_p_value_by_draws_is_near_the_exact_one() -> None:
    scores = np.random.default_rng(0).normal(size=9)
    exact = p_value(float(scores[:4].sum()), scores[deals(9, 4)].sum(axis=1), ALL_TIES)
    # Draws stop at `HITS` hits: the p value is known to about a fifth.
    assert p_value_by_draws([Stratum(scores, 4)], 1e6) == pytest.approx(exact, rel=4 / HITS**0.5)
