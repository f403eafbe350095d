"""Associative recall: what is drawn, and how far the known shortcuts get, by guessers in numpy."""

from __future__ import annotations

import math

import jax
import numpy as np
import pytest
from helpers.drawn import MANY, Many, many

from attnsearch.base import AttnsearchError
from attnsearch.generators import AssociativeRecall
from attnsearch.generators.distinct import distinct


def test_distinct_numbers_are_drawn_in_every_order_alike() -> None:
    draw = jax.jit(jax.vmap(lambda key: distinct(key, 2, 3)))
    rows = np.asarray(draw(jax.random.split(jax.random.key(0), 6000)))
    kinds, counts = np.unique(rows, axis=0, return_counts=True)
    assert kinds.tolist() == [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]]
    assert abs(counts - 1000).max() < 5 * math.sqrt(1000)


@pytest.fixture(scope="module")
def recall() -> tuple[AssociativeRecall, Many]:
    made = AssociativeRecall(num_pairs=8, num_queries=8, num_symbols=32, gap=8)
    return made, many(made)


def test_a_query_equals_one_key_and_filler_equals_none(recall: tuple[AssociativeRecall, Many]) -> None:
    _, drawn = recall
    keys, values = drawn.tokens[:, :16:2], drawn.tokens[:, 1:16:2]
    filler, queries = drawn.tokens[:, 16:24], drawn.tokens[:, 24:]
    assert keys.max() < 32 <= values.min()
    equal = queries[:, :, None] == keys[:, None]
    assert (equal.sum(axis=2) == 1).all()
    np.testing.assert_array_equal(np.take_along_axis(values, equal.argmax(axis=2), axis=1), drawn.answers)
    assert not (filler[:, :, None] == keys[:, None]).any()
    assert len(np.unique(filler)) == 64
    assert (drawn.supports.sum(axis=2) == 3).all()


def test_a_guess_among_the_values_that_are_there_is_chance(recall: tuple[AssociativeRecall, Many]) -> None:
    made, drawn = recall
    shown = (drawn.tokens[:, 1:16:2, None] == drawn.answers[:, None]).any(axis=1)
    assert shown.all()
    assert made.chance_loss == pytest.approx(math.log(8))
    assert made.chance_loss == pytest.approx(0.6 * math.log(32))  # what a constant guess reaches
    # No place is asked for more than another: a guess by place is right in one of eight.
    by_place = drawn.tokens[:, 1:16:2, None] == drawn.answers[:, None]
    assert abs(by_place.mean(axis=0) - 1 / 8).max() < 5 * math.sqrt(1 / 8 / MANY)


def test_queries_are_spread_by_a_power_law() -> None:
    made = AssociativeRecall(num_pairs=16, num_queries=16, num_symbols=64, gap=208, spread="power-law")
    gaps = made.query_positions - 32
    assert made.context_length == 256
    assert (np.diff(gaps) >= 1).all()
    assert gaps.max() < 224
    # Half of them within 15 tokens, the root of all 225: the law is close to 1 over the gap.
    assert (gaps < 15).sum() == 8
    dense = AssociativeRecall(num_pairs=4, num_queries=4, num_symbols=4, gap=0, spread="power-law")
    assert dense.query_positions.tolist() == [8, 9, 10, 11]


def test_knobs_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(AttnsearchError, match="num_queries 5 is more than num_pairs, 4"):
        AssociativeRecall(num_pairs=4, num_queries=5, num_symbols=8, gap=0)
    with pytest.raises(AttnsearchError, match="num_symbols 3 is less than num_pairs, 4"):
        AssociativeRecall(num_pairs=4, num_queries=4, num_symbols=3, gap=0)
    with pytest.raises(AttnsearchError, match="spread 'wide' is unknown: together or power-law"):
        AssociativeRecall(4, 4, 4, 0, spread="wide")  # pyright: ignore[reportArgumentType]
