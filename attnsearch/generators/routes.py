"""Cheapest routes: the fewest visible tokens whose XOR is the answer.

Where targets are emitted one by one, a later target can be computed from earlier ones: two equal
rows make the second a copy, and in general row r can be had as the XOR of some earlier targets and
of the inputs that are left over. With binary uniform inputs a set of visible tokens determines
target r in this way exactly when the rows agree, so the search is over sets of earlier targets.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from attnsearch.base import Bools

EXACT_UP_TO = 16
"""State size up to which every set of earlier targets is tried."""

EARLIER_TARGETS_BEYOND = 3
"""Earlier targets in a set that are tried beyond that size; what is found is an upper bound."""


def cheapest_routes(matrix: Bools) -> Bools:
    """The smallest set of visible tokens whose XOR is each target.

    matrix: `bool[S, S]`, row r the inputs whose XOR is target r.
    Returns `bool[S, 2S]`: inputs, then targets; row r uses only targets before r. Exact for S up to
    `EXACT_UP_TO`; beyond, no more than `EARLIER_TARGETS_BEYOND` earlier targets are combined, so a
    route is then an upper bound. Among equally cheap routes the one with the fewest targets wins:
    the row itself, where nothing is cheaper.
    """
    size = len(matrix)
    routes = np.zeros((size, 2 * size), dtype=bool)
    for target in range(size):
        sets = _sets_of_earlier_targets(target, exact=size <= EXACT_UP_TO)
        # Sums of ones and zeros stay far below 2**24, where f32 is exact, and f32 products are fast.
        earlier = sets.astype(np.float32) @ matrix[:target].astype(np.float32)
        inputs_left = (earlier.astype(np.int64) % 2).astype(bool) ^ matrix[target]
        cost = inputs_left.sum(axis=1) + sets.sum(axis=1)
        best = np.lexsort((sets.sum(axis=1), cost))[0]
        routes[target, :size] = inputs_left[best]
        routes[target, size : size + target] = sets[best]
    return routes


def _sets_of_earlier_targets(count: int, *, exact: bool) -> Bools:
    """`bool[K, count]`: one row a set, the empty set first."""
    if exact:
        return (np.arange(2**count)[:, None] >> np.arange(count)) % 2 == 1
    chosen = [
        indices for size in range(EARLIER_TARGETS_BEYOND + 1) for indices in combinations(range(count), size)
    ]
    sets = np.zeros((len(chosen), count), dtype=bool)
    for row, indices in enumerate(chosen):
        sets[row, list(indices)] = True
    return sets
