"""Ranks: what separates two mixers, what does not, and how often luck passes for a difference."""

from __future__ import annotations

import numpy as np
import pytest

from attnsearch.leaderboard.ranking import Pair, Ratio, Scores, least_p, pairs, ranks, ratio
from attnsearch.stats.frontier import frontier

BITS = [3.0, 4.8, 5.8, 7.8, 9.1, 12.1]
BUDGET = 3_000
ALL = np.ones(len(BITS), bool)


def mixer(pace: float, seeds: int = 16, draw: int = 0) -> Scores:
    """Plateaus that grow by a constant factor a bit, with noise of their own; mastery takes twice as long."""
    noise = np.random.default_rng(draw).normal(size=(2, len(BITS), seeds))
    escape = pace * 50 * np.exp(0.55 * (np.array(BITS)[:, None] - 3) + 0.3 * noise[0])
    master = 2 * escape * np.exp(0.3 * np.abs(noise[1]))
    return Scores(np.minimum(escape, BUDGET), master < BUDGET)


def beside(better: int | None, first: int = 0, second: int = 1) -> Pair:
    return Pair(first, second, None, 1.0, 1.0, better, None if better is None else "plateau")


# The ratio.


def test_the_ratio_is_that_of_the_restricted_means_cell_by_cell() -> None:
    reference = Scores(np.array([[10.0, 30.0], [300.0, 100.0]]), np.ones((2, 2), bool))
    candidate = Scores(np.array([[5.0, 15.0], [800.0, 800.0]]), np.ones((2, 2), bool))
    found = ratio(candidate, reference, np.ones(2, bool))
    assert found is not None
    assert found.value == pytest.approx(np.sqrt(0.5 * 4))
    assert found.low < found.value < found.high
    (only,) = (ratio(candidate, reference, np.array([True, False])),)
    assert only == Ratio(0.5, 0.5, 0.5)  # twice as fast in either seed


def test_without_cells_or_with_one_seed_there_is_no_ratio() -> None:
    assert ratio(mixer(1), mixer(2), ~ALL) is None
    assert ratio(mixer(1, seeds=1), mixer(2, seeds=1), ALL) is None


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    held = 0
    for draw in range(200):
        found = ratio(mixer(1, 8, 2 * draw), mixer(1, 8, 2 * draw + 1), np.arange(len(BITS)) < 3)
        assert found is not None
        held += found.low <= 1 <= found.high
    assert 180 <= held <= 199


def test_what_seeds_share_makes_the_interval_no_wider() -> None:
    hard = np.exp(np.random.default_rng(5).normal(size=16))
    own, other = mixer(1, draw=1), mixer(1, draw=2)
    shared = [Scores(one.waited * hard, one.mastered) for one in (own, other)]
    alone = [
        Scores(one.waited * np.random.default_rng(n).permutation(hard), one.mastered)
        for n, one in enumerate((own, other))
    ]
    paired, unpaired = (ratio(two[0], two[1], ALL) for two in (shared, alone))
    assert paired is not None
    assert unpaired is not None
    assert np.log(paired.high / paired.low) < 0.6 * np.log(unpaired.high / unpaired.low)


# Pairs.


def test_a_larger_frontier_is_better_whatever_the_plateaus() -> None:
    rung, waited = np.arange(len(BITS))[:, None], mixer(0.5).waited
    fast = Scores(waited, np.broadcast_to(rung < 4, waited.shape))
    # Slower everywhere, and yet every run masters one more search space.
    sure = Scores(waited * 1.5, np.broadcast_to(rung < 5, waited.shape))
    (pair,) = pairs([fast, sure], BITS, ALL)
    assert (pair.better, pair.ground) == (1, "frontier")
    assert pair.frontier_p < 0.01
    assert pair.ratio is not None
    assert pair.ratio.high < 1


def test_with_one_frontier_the_shorter_plateau_is_better() -> None:
    slow = mixer(1)
    (pair,) = pairs([slow, slow._replace(waited=mixer(0.7, draw=3).waited)], BITS, ALL)
    assert (pair.better, pair.ground) == (1, "plateau")
    assert pair.frontier_p == 1
    assert pair.ratio is not None
    assert pair.ratio.low > 1


def test_a_frontier_by_a_run_or_two_is_luck() -> None:
    waited = np.full((2, 16), 500.0)
    first = Scores(waited, np.array([[True] * 16, [True] * 9 + [False] * 7]))
    second = Scores(waited, np.array([[True] * 16, [False] * 9 + [True] * 7]))
    assert frontier([3, 4], [16, 9], [16, 16]) != frontier([3, 4], [16, 7], [16, 16])
    (pair,) = pairs([first, second], [3, 4], np.ones(2, bool))
    assert (pair.better, pair.ground) == (None, None)
    assert pair.frontier_p > 0.5


def test_alike_is_alike() -> None:
    (pair,) = pairs([mixer(1), mixer(1)], BITS, ALL)
    assert pair == Pair(0, 1, Ratio(1.0, 1.0, 1.0), 1.0, 1.0, None, None)


def test_where_nobody_escapes_nothing_is_separated() -> None:
    never = Scores(np.full((2, 16), float(BUDGET)), np.zeros((2, 16), bool))
    (pair,) = pairs([never, never], [20, 30], np.zeros(2, bool))
    assert pair == Pair(0, 1, None, 1.0, 1.0, None, None)


@pytest.mark.parametrize(("seeds", "separated"), [(4, False), (8, True), (15, True), (16, True)])
def test_few_seeds_separate_nothing(seeds: int, separated: bool) -> None:
    # Ten times as long in every run, some gone through in every order and some by drawing.
    (pair,) = pairs([mixer(1, seeds), mixer(10, seeds, 1)], BITS, ALL)
    assert (pair.better == 0) == separated
    assert (least_p(seeds) <= 0.05) == separated
    assert pair.plateau_p >= least_p(seeds)


def test_luck_passes_for_a_difference_no_more_often_than_it_may() -> None:
    found = [pairs([mixer(1, 8, 2 * n), mixer(1, 8, 2 * n + 1)], BITS, ALL)[0] for n in range(200)]
    assert sum(pair.better is not None for pair in found) <= 14
    # Not by being blind: twice the length is seen.
    found = [pairs([mixer(1, 8, 2 * n), mixer(1.6, 8, 2 * n + 1)], BITS, ALL)[0] for n in range(20)]
    assert sum(pair.better == 0 for pair in found) >= 18


def test_p_values_are_adjusted_for_all_pairs() -> None:
    two, slow = [mixer(1, 10), mixer(1.25, 10, 1)], [mixer(1, 10, n) for n in range(2, 6)]
    (alone,) = pairs(two, BITS, ALL)
    among = pairs([*two, *slow], BITS, ALL)
    assert len(among) == 15
    (same,) = (pair for pair in among if (pair.first, pair.second) == (0, 1))
    assert same.plateau_p > alone.plateau_p
    assert same.ratio == alone.ratio


def test_cells_of_one_search_space_are_one_rung() -> None:
    # Half of the runs of both cells together, though not of the second alone.
    mastered = np.array([[True] * 16, [True] * 16, [False] * 16])
    waited = np.full((3, 16), 100.0)
    behind = np.array([[True] * 16, [False] * 16, [False] * 16])
    together = pairs([Scores(waited, mastered), Scores(waited, behind)], [3, 4, 4], np.ones(3, bool))[0]
    assert together.better == 0
    apart = pairs([Scores(waited, mastered), Scores(waited, behind)], [3, 4, 5], np.ones(3, bool))[0]
    assert apart.better == 0
    # Nine of 32 are less than half: there is no gap to be tested.
    few = np.array([[True] * 16, [True] * 9 + [False] * 7, [False] * 16])
    assert (
        pairs([Scores(waited, few), Scores(waited, behind)], [3, 4, 4], np.ones(3, bool))[0].frontier_p == 1
    )


# Ranks.


def test_a_rank_counts_those_that_are_better() -> None:
    assert ranks(1, []) == [1]
    assert ranks(2, [beside(None)]) == [1, 1]
    assert ranks(3, [beside(0), beside(0, 0, 2), beside(None, 1, 2)]) == [1, 2, 2]
    assert ranks(3, [beside(1), beside(2, 0, 2), beside(None, 1, 2)]) == [3, 1, 1]


def test_those_that_are_separated_share_no_rank() -> None:
    # 0 before 1 before 2, and yet nothing between 0 and 2.
    assert ranks(3, [beside(0, 0, 1), beside(1, 1, 2), beside(None, 0, 2)]) == [1, 2, 3]


def test_those_of_a_circle_do() -> None:
    circle = [beside(0, 0, 1), beside(1, 1, 2), beside(2, 0, 2)]
    assert ranks(3, circle) == [1, 1, 1]
    assert ranks(4, [*circle, beside(1, 1, 3)]) == [1, 1, 1, 4]
