"""Recall by k of m attributes: what is drawn, and how far the known shortcuts get, by guessers in numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.drawn import MANY, Many, many

from attnsearch.base import AttnsearchError, Bools, Integers
from attnsearch.generators import KOfMRecall


@pytest.fixture(scope="module")
def blocks() -> tuple[KOfMRecall, Many]:
    made = KOfMRecall(num_blocks=4, num_attributes=6, support_size=3, num_symbols=8)
    return made, many(made)


def agreeing(drawn: Many) -> Bools:
    """`bool[N, 4, 6]`: on which attributes each of four blocks agrees with the query."""
    return drawn.tokens[:, :28].reshape(-1, 4, 7)[:, :, :6] == drawn.tokens[:, None, 28:]


def right(drawn: Many) -> Integers:
    """`i64[N]`: the block that is asked for."""
    return (drawn.tokens[:, 6:28:7] == drawn.answers).argmax(axis=1)


@pytest.mark.parametrize("support_size", [1, 5])
def test_exactly_one_block_agrees_on_what_matters(support_size: int) -> None:
    drawn = many(KOfMRecall(4, 6, support_size, 8), seed=support_size)
    matches = agreeing(drawn)[:, :, drawn.rule].all(axis=2)
    assert drawn.rule.sum() == support_size
    assert (matches.sum(axis=1) == 1).all()
    np.testing.assert_array_equal(matches.argmax(axis=1), right(drawn))
    assert (drawn.supports.sum(axis=2) == 2 * support_size + 1).all()


def test_who_does_not_know_what_matters_can_only_guess(blocks: tuple[KOfMRecall, Many]) -> None:
    """The block that agrees most, and the block that most sets would pick: each is right in one of four."""
    made, drawn = blocks
    agrees, asked = agreeing(drawn), right(drawn)
    noise = 1e-3 * np.random.default_rng(0).random(agrees.shape[:2])
    sets = made._sets
    completes = ~(sets & ~agrees[:, :, None]).any(axis=3)
    alone = completes & (completes.sum(axis=1, keepdims=True) == 1)
    for score in (agrees.sum(axis=2), alone.sum(axis=2)):
        share = ((score + noise).argmax(axis=1) == asked).mean()
        assert share == pytest.approx(1 / 4, abs=5 * math.sqrt(3 / 16 / MANY))


def test_to_know_a_part_of_what_matters_is_worth_a_part_of_chance(blocks: tuple[KOfMRecall, Many]) -> None:
    """The block that agrees least on the rest is mostly right too: the other route."""
    _, drawn = blocks
    agrees, asked = agreeing(drawn), right(drawn)
    known = np.flatnonzero(drawn.rule)
    losses = []
    for count in range(4):
        left = agrees[:, :, known[:count]].all(axis=2)
        losses.append(np.log(left.sum(axis=1)).mean())
    np.testing.assert_allclose(losses, [math.log(4), 0.885, 0.386, 0], atol=0.02)
    noise = 1e-3 * np.random.default_rng(0).random(agrees.shape[:2])
    rest = agrees[:, :, ~drawn.rule].sum(axis=2)
    assert ((rest + noise).argmin(axis=1) == asked).mean() == pytest.approx(0.87, abs=0.02)


def test_knobs_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(AttnsearchError, match="has 1 sets: expected 4, one for each"):
        KOfMRecall(num_blocks=4, num_attributes=6, support_size=6, num_symbols=8)
    with pytest.raises(AttnsearchError, match="num_symbols 3 is less than num_blocks, 4"):
        KOfMRecall(num_blocks=4, num_attributes=6, support_size=3, num_symbols=3)
