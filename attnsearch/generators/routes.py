"""Cheapest routes: the fewest visible tokens whose XOR is the answer.

Where targets are emitted one by one, a later target can be computed from earlier ones. Of two equal rows
the second is a copy. In general target r is the XOR of some earlier targets, and of the inputs that are
left over. Inputs are uniform bits, so that a set of visible tokens determines target r in this way exactly
when the rows agree. The search is therefore over sets of earlier targets.
"""

from __future__ import annotations

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
    largest_set = size if size <= EXACT_UP_TO else EARLIER_TARGETS_BEYOND
    # Over inputs, then targets, as bits: the tokens of each row, and what is zero, row r with target r.
    rows = np.packbits(np.concatenate([matrix, np.zeros_like(matrix)], axis=1), axis=1)
    zeros = np.packbits(np.concatenate([matrix, np.eye(size, dtype=bool)], axis=1), axis=1)
    # Every set of earlier targets by the sum of their zeros: those targets, with the inputs they stand for.
    sums, chosen = np.zeros_like(zeros[:1]), np.zeros(1, dtype=int)
    routes = np.empty_like(rows)
    for target in range(size):
        candidates = sums ^ rows[target]
        cost = np.bitwise_count(candidates).sum(axis=1, dtype=int)
        routes[target] = candidates[np.argmin(cost * (size + 1) + chosen)]
        extensible = chosen < largest_set
        sums = np.concatenate([sums, sums[extensible] ^ zeros[target]])
        chosen = np.concatenate([chosen, chosen[extensible] + 1])
    return np.unpackbits(routes, axis=1, count=2 * size).astype(bool)
