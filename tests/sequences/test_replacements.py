"""Which tokens are replaced: each alone, and what comes after a query."""

from __future__ import annotations

import numpy as np
import pytest

from attnsearch.generators import CellularAutomaton, LinearMap, LinearMapAutoregressive
from attnsearch.generators.base import Generator
from attnsearch.runs.recorder import is_map_step
from attnsearch.sequences.replacements import ONE_IN, inside, replacements


def told_apart(made: Generator, sequences: int, step: int) -> np.ndarray:
    """`bool[Q, L]`: whether some sequence has a position replaced, and nothing up to the query."""
    firsts, ends = (np.asarray(field) for field in replacements(made, sequences, step))
    found = np.zeros((len(made.query_positions), made.context_length), bool)
    for first, end in zip(firsts, ends, strict=True):
        replaced = inside(first, end, made.context_length)
        before = made.query_positions < first[:, None]
        found |= (before[:, :, None] & replaced[:, None]).any(axis=0)
    return found


@pytest.mark.parametrize(
    ("made", "sequences"),
    [(LinearMap(4), 32), (LinearMapAutoregressive(16, loss="all"), 32), (LinearMap(12), 5)],
    ids=["blanks", "next token", "few sequences"],
)
def test_every_token_behind_every_query_is_replaced(made: Generator, sequences: int) -> None:
    """Blanks too, which no map replaces."""
    after = np.arange(made.context_length) > made.query_positions[:, None]
    if sequences == 32:
        np.testing.assert_array_equal(told_apart(made, sequences, 0), after)
    recorded = filter(is_map_step, range(0, 2_000, 10))
    found = np.any([told_apart(made, sequences, step) for step in recorded], axis=0)
    np.testing.assert_array_equal(found, after)


def test_ends_of_long_sequences_cost_one_in_sixteen() -> None:
    """At 1,024 tokens a map is measured on two sequences. Near neighbours are told apart over a whole run."""
    made = CellularAutomaton(32, 2, 1, 1, 32, rule_pool="fresh")
    firsts, _ = replacements(made, 2, 0)
    probed = int(made.probed_positions.sum())
    assert len(firsts) == 1 + probed + probed // ONE_IN
    recorded = filter(is_map_step, range(0, 10_000, 10))
    after = np.arange(made.context_length) > made.query_positions[:, None]
    found = np.any([told_apart(made, 2, step) for step in recorded], axis=0)
    assert found[after].mean() > 0.95
    assert not found[~after].any()


def test_the_first_way_replaces_nothing_and_others_one_token_each() -> None:
    made = LinearMap(4)
    firsts, ends = (np.asarray(field) for field in replacements(made, 3, 0))
    assert (firsts[0] == 8).all()
    assert (ends[0] == 8).all()
    np.testing.assert_array_equal(firsts[1:5], np.tile(np.arange(4)[:, None], 3))
    np.testing.assert_array_equal(ends[1:5] - firsts[1:5], 1)
    # Three queries have a token behind them: positions 4, 5 and 6.
    assert sorted(firsts[5]) == [5, 6, 7]
    assert (ends[5] == 8).all()
