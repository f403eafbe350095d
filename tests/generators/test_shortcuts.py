"""What is known that a network may do in the place of finding the support, and the loss that it reaches."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attnsearch.generators import (
    AssociativeRecall,
    CellularAutomaton,
    CompetingRoutes,
    Generator,
    KOfMRecall,
    LinearMap,
    LinearMapAutoregressive,
    MultiHop,
)
from attnsearch.generators.routes import cheapest_routes
from attnsearch.generators.shortcut_loss import loss_of


def shares(made: Generator, **knobs: int) -> dict[str, float]:
    """The loss of each shortcut, as a share of chance."""
    given = {name: jnp.asarray(value) for name, value in knobs.items()}
    return {one.name: loss_of(one, made, given) / made.chance_loss for one in made.shortcuts}


def test_whoever_crosses_off_has_fewer_values_to_guess_among() -> None:
    made = AssociativeRecall(num_pairs=4, num_queries=3, num_symbols=4, gap=0)
    exact = math.log(4 * 3 * 2) / 3 / math.log(4)
    assert shares(made)["crossing off"] == pytest.approx(exact, abs=0.01)


def test_of_attributes_only_which_of_them_matter_helps() -> None:
    known = shares(KOfMRecall(num_blocks=4, num_attributes=6, support_size=3, num_symbols=8))
    # The best trust in it is none: what is left is chance, which knows the values of the sequence.
    assert known["most alike"] == pytest.approx(1, abs=0.01)
    # Worked out by another guesser in the tests of the generator: 0.386 nats of ln 4, and right in 0.87.
    assert known["all but one"] == pytest.approx(0.386 / math.log(4), abs=0.04)
    assert 0.2 < known["least alike elsewhere"] < 0.6
    assert set(shares(KOfMRecall(2, 2, 1, 2))) == {"most alike", "least alike elsewhere"}


def test_fewer_hops_and_fewer_inputs_tell_nothing() -> None:
    assert shares(MultiHop(num_symbols=4, num_hops=2, num_queries=2)) == {
        "one hop fewer": pytest.approx(1, abs=0.01)
    }
    for made in (LinearMap(4, modulus=3, row_exponent=1), LinearMapAutoregressive(4, loss="all")):
        assert shares(made, support_size=2)["all but one input"] == pytest.approx(1, abs=0.01)


def test_hints_reach_the_entropy_of_their_share() -> None:
    exact = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1)) / math.log(2)
    found = shares(
        CompetingRoutes(state_size=4, num_rows=3, modulus=2),
        support_size=2,
        share=90,
        last_share=90,
        share_steps=0,
    )
    assert found == {"hints": pytest.approx(exact, abs=0.03)}


def test_what_is_cheaper_than_its_row_is_answered() -> None:
    made = LinearMapAutoregressive(4)
    rule = made.init(jax.random.key(0), {"support_size": jnp.asarray(3)})
    cheap = cheapest_routes(np.asarray(rule)).sum(axis=1) < 3
    assert 0 < cheap.sum() < 4
    found = shares(made, support_size=3)["cheaper routes"]
    assert found == pytest.approx(1 - cheap.mean(), abs=0.01)


def test_a_narrower_window_tells_more_than_colours_and_not_enough() -> None:
    made = CellularAutomaton(8, 2, 3, 1, 8, rule_pool="fresh")
    found = shares(made)
    assert 0.5 < found["narrower window"] < found["frequent colours"] < 1
    # Nothing follows a window of one cell but by its one entry.
    assert set(shares(CellularAutomaton(4, 2, 1, 1, 3, rule_pool=2))) == {"frequent colours"}
