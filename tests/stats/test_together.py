"""Two groups over several cells: seeds are drawn and dealt as wholes."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from helpers.waiting import drawn

from attnsearch.base import Plateaus
from attnsearch.stats.comparison import compare
from attnsearch.stats.log_rank import log_rank_scores
from attnsearch.stats.survival import pool
from attnsearch.stats.together import together

BUDGET = 600


def cells(count: int, runs: int, median: float, first: int = 0) -> list[Plateaus]:
    return [drawn(first + n, runs, median=median) for n in range(count)]


def test_of_one_cell_it_is_the_comparison_of_its_groups() -> None:
    one, other = cells(1, 8, 520), cells(1, 8, 400, first=50)
    found = together(one, other, [BUDGET], paired=False)
    alone = compare(one[0], other[0], BUDGET)
    assert found.ratio == pytest.approx(alone.ratio)
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high), rel=0.05)
    # All ties count here, half of them there.
    assert alone.p_value <= found.p_value <= 2 * alone.p_value + 0.01


def test_the_ratio_is_the_geometric_mean_over_cells() -> None:
    one, other = cells(3, 8, 520), cells(3, 8, 400, first=50)
    found = together(one, other, [BUDGET] * 3, paired=True)
    ratios = [compare(*pair, BUDGET).ratio for pair in zip(one, other, strict=True)]
    assert found.ratio == pytest.approx(np.prod(ratios) ** (1 / 3))
    assert found.low < found.ratio < found.high
    assert (found.cells, found.seeds, found.method) == (3, (8, 8), "swaps")


def test_the_p_value_is_that_of_every_swap_written_out() -> None:
    one, other = cells(2, 6, 520), cells(2, 6, 400, first=50)
    found = together(one, other, [BUDGET] * 2, paired=True)
    scores = np.sum([log_rank_scores(pool(pair)) for pair in zip(one, other, strict=True)], axis=0)
    sums = []
    for sides in product([False, True], repeat=6):
        swapped = np.where(sides, scores[6:], scores[:6])
        sums.append(abs(swapped.sum()))
    assert found.p_value == pytest.approx(np.mean(np.array(sums) >= sums[0] - 1e-9))
    assert found.least == pytest.approx(np.mean(np.array(sums) >= max(sums) - 1e-9))


def test_which_side_is_the_candidate_turns_the_ratio_round() -> None:
    one, other = cells(2, 8, 520), cells(2, 8, 400, first=50)
    there = together(one, other, [BUDGET] * 2, paired=True)
    back = together(other, one, [BUDGET] * 2, paired=True)
    assert back.ratio == pytest.approx(1 / there.ratio)
    assert back.p_value == there.p_value


@pytest.mark.parametrize("paired", [True, False])
def test_more_cells_of_the_same_runs_tell_no_more(paired: bool) -> None:
    """Seeds are wholes: to count each of them twice adds no evidence."""
    one, other = cells(1, 8, 520), cells(1, 8, 400, first=50)
    once = together(one, other, [BUDGET], paired=paired)
    twice = together(one * 2, other * 2, [BUDGET] * 2, paired=paired)
    assert (twice.low, twice.high, twice.p_value) == pytest.approx((once.low, once.high, once.p_value))


def test_the_test_keeps_its_level() -> None:
    """Of alike groups whose cells share what a seed draws, no more than one in twenty is called different."""
    drawing = np.random.default_rng(3)
    called = 0
    for _ in range(300):
        of_seed = drawing.normal(0, 0.5, (2, 8))
        sides = []
        for side in range(2):
            length = 400 * np.exp(of_seed[side] + drawing.normal(0, 0.2, (4, 8)))
            ended = length <= BUDGET
            sides.append(
                [
                    Plateaus(np.minimum(row, BUDGET).astype(int), known)
                    for row, known in zip(length, ended, strict=True)
                ]
            )
        called += together(sides[0], sides[1], [BUDGET] * 4, paired=True).p_value <= 0.05
    assert called <= 25


def test_where_no_run_ended_nothing_can_be_told() -> None:
    never = [Plateaus(np.full(8, BUDGET), np.zeros(8, bool))] * 2
    found = together(never, never, [BUDGET] * 2, paired=True)
    assert (found.ratio, found.p_value, found.verdict) == (1.0, 1.0, "too few data to tell")
    assert found.low < 1 < found.high
