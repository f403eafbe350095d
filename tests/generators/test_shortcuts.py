"""What is known that a network may do in the place of finding the support, and the loss that it reaches."""

from __future__ import annotations

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from attnsearch.generators import (
    AssociativeRecall,
    CellularAutomaton,
    CompetingRoutes,
    Generator,
    KOfMRecall,
    LinearMap,
    LinearMapAutoregressive,
    Mixture,
    MovingWindowSum,
    MultiHop,
)
from attnsearch.generators.bags import bag_loss, sum_loss
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


def test_fewer_hops_tell_nothing() -> None:
    assert shares(MultiHop(num_symbols=4, num_hops=2, num_queries=2)) == {
        "one hop fewer": pytest.approx(1, abs=0.01)
    }


@pytest.mark.parametrize(
    ("made", "modulus"), [(LinearMap(4, modulus=3, row_exponent=1), 3), (LinearMapAutoregressive(4), 2)]
)
def test_whoever_lacks_one_input_of_a_row_knows_the_others_as_a_bag(made: Generator, modulus: int) -> None:
    known = shares(made, support_size=2)
    # One input of two is known, and the other one is any of three.
    assert known["all but one input"] == pytest.approx(bag_loss(3, modulus) / math.log(modulus), abs=0.03)
    assert known["bag of inputs"] == pytest.approx(by_counting(4, 2, modulus) / math.log(modulus), abs=0.03)


def by_counting(count: int, chosen: int, modulus: int) -> float:
    """Nats: the loss of the best guess of the sum of the first `chosen` numbers from their bag, by going
    through all sequences of numbers."""
    ways: dict[tuple[int, ...], np.ndarray] = {}
    for numbers in itertools.product(range(modulus), repeat=count):
        sums = ways.setdefault(tuple(sorted(numbers)), np.zeros(modulus))
        sums[sum(numbers[:chosen]) % modulus] += 1
    right = sum(float(-special.xlogy(sums, sums / sums.sum()).sum()) for sums in ways.values())
    return right / modulus**count


@pytest.mark.parametrize("count", [4, 8])
@pytest.mark.parametrize("chosen", [1, 2, 3, 4])
def test_the_loss_of_a_sum_from_a_bag_is_the_mean_over_all_sequences(count: int, chosen: int) -> None:
    assert sum_loss(count, chosen, 2) == pytest.approx(by_counting(count, chosen, 2), rel=1e-9, abs=1e-9)


def test_the_loss_of_a_sum_of_more_values_is_drawn_and_one_of_many_sets_is_chance() -> None:
    assert sum_loss(5, 2, 3) == pytest.approx(by_counting(5, 2, 3), rel=0.01)
    assert sum_loss(5, 4, 3) == pytest.approx(by_counting(5, 4, 3), rel=1e-9)
    assert sum_loss(32, 16, 2) == math.log(2)


@pytest.mark.parametrize(
    ("made", "knobs"),
    [
        (LinearMap(8), {"support_size": 1}),
        (Mixture(6, 2, 1, 2), {"support_size": 2}),
        (CompetingRoutes(4, 3, 2), {"support_size": 2, "share": 90, "last_share": 90, "share_steps": 0}),
        (MovingWindowSum(6, "hidden", 5), {}),
        (CellularAutomaton(4, 4, 3, 1, 8, rule_pool=64), {}),
    ],
)
def test_a_shortcut_that_needs_no_search_has_the_loss_that_its_generator_computes(
    made: Generator, knobs: dict[str, int]
) -> None:
    """That is a mean over rules, where `loss_of` has one."""
    given = {name: jnp.asarray(value) for name, value in knobs.items()}
    told = [shortcut for shortcut in made.shortcuts if shortcut.loss is not None]
    assert told
    for shortcut in told:
        assert shortcut.loss is not None
        assert loss_of(shortcut, made, given) == pytest.approx(shortcut.loss(knobs), rel=0.04)


def test_where_a_row_reads_every_input_a_bag_is_its_support() -> None:
    made = LinearMap(4)
    assert shares(made, support_size=4)["bag of inputs"] < 0.01
    bag = next(one for one in made.shortcuts if one.name == "bag of inputs")
    assert bag.loss is not None
    assert bag.loss({"support_size": 4}) == made.chance_loss


def test_hints_reach_the_entropy_of_their_share() -> None:
    exact = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1)) / math.log(2)
    found = shares(
        CompetingRoutes(state_size=4, num_rows=3, modulus=2),
        support_size=2,
        share=90,
        last_share=90,
        share_steps=0,
    )
    assert found["hints"] == pytest.approx(exact, abs=0.03)


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
