"""The largest search space that half of the runs master."""

from __future__ import annotations

from attnsearch.stats.frontier import Frontier, frontier


def found(sizes: dict[float, tuple[int, int]]) -> Frontier:
    return frontier(list(sizes), [count for count, _ in sizes.values()], [of for _, of in sizes.values()])


def test_the_frontier_is_the_largest_that_half_of_the_runs_master() -> None:
    edge = found({9.0: (1, 16), 3.0: (16, 16), 7.0: (8, 16), 8.0: (7, 16), 5.0: (15, 16)})
    assert edge.reached
    assert edge.beyond
    assert (edge.reached.bits, edge.reached.mastered.count, edge.reached.mastered.of) == (7.0, 8, 16)
    assert (edge.beyond.bits, edge.beyond.mastered.count) == (8.0, 7)
    assert edge.missed == ()
    # Eight of sixteen may be more or less than half.
    assert not edge.settled
    assert found({3.0: (16, 16), 7.0: (0, 16)}).settled
    assert not found({3.0: (16, 16), 7.0: (7, 16)}).settled


def test_a_frontier_beyond_what_was_tried_or_below() -> None:
    beyond = found({3.0: (8, 8), 5.0: (6, 8)})
    assert beyond.reached
    assert (beyond.reached.bits, beyond.beyond, beyond.settled) == (5.0, None, False)
    below = found({3.0: (0, 8), 5.0: (1, 8)})
    assert below.beyond
    assert (below.reached, below.beyond.bits, below.settled) == (None, 3.0, True)


def test_smaller_sizes_that_are_missed_are_reported() -> None:
    edge = found({3.0: (8, 8), 4.0: (1, 8), 5.0: (2, 8), 6.0: (8, 8), 7.0: (0, 8)})
    assert edge.reached
    assert edge.beyond
    assert (edge.reached.bits, edge.beyond.bits, edge.missed) == (6.0, 7.0, (4.0, 5.0))


def test_cells_of_one_size_are_one() -> None:
    edge = frontier([3.0, 5.0, 5.0 + 1e-12], [8, 8, 2], [8, 8, 8])
    assert edge.reached
    assert (edge.reached.bits, edge.reached.mastered.count, edge.reached.mastered.of) == (5.0, 10, 16)
    assert edge.missed == ()
