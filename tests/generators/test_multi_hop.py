"""Pointers from table to table: walks, hops, and what fewer hops tell."""

from __future__ import annotations

import math

import jax
import numpy as np
import pytest

from attnsearch.generators import MultiHop

MADE = MultiHop(num_symbols=4, num_hops=2, num_queries=2)


def test_a_walk_goes_through_one_place_of_each_table():
    example = MADE.sample((), jax.random.key(0))
    tokens = np.asarray(example.tokens)
    first, second, starts = tokens[:4], tokens[4:8], tokens[8:]
    assert sorted(first) == sorted(second) == [0, 1, 2, 3]
    np.testing.assert_array_equal(example.answers, second[first[starts]])
    hops = np.asarray(MADE.routes((), example.tokens, np.arange(2)))
    assert [hop.nonzero()[1].tolist() for hop in hops] == [starts.tolist(), (4 + first[starts]).tolist()]
    support = np.asarray(MADE.supports((), example.tokens, np.arange(2)))
    assert support.sum(axis=1).tolist() == [3, 3]
    assert support[[0, 1], [8, 9]].all()
    assert MADE.log2_search_space({}) == 4


@pytest.mark.parametrize("hops", [0, 1])
def test_whoever_makes_fewer_hops_is_at_chance(hops: int):
    """A table of what follows what, counted over many sequences, is the best guesser for what was read."""
    count = 20_000
    many = jax.vmap(MADE.sample, (None, 0))((), jax.random.split(jax.random.key(1), count))
    tokens, answers = np.asarray(many.tokens), np.asarray(many.answers)[:, 0]
    read = tokens[:, 8]
    for hop in range(hops):
        read = 4 * read + tokens[np.arange(count), 4 * hop + read]
    shares = np.zeros((16, 4))
    np.add.at(shares, (read, answers), 1)
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1)
    loss = -np.log(shares[read, answers]).mean()
    assert loss == pytest.approx(math.log(4), abs=0.01)
