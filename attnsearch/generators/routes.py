"""Cheapest routes: the fewest visible tokens that determine a target of a linear map.

Where targets are emitted one by one, a later target can be computed from earlier ones. Of two equal rows
the second is a copy. In general a target is the sum of some earlier targets, each times a whole number, and
of the tokens that are left over. Inputs are uniform, so that a set of visible tokens determines a target
exactly when it is such a sum. Each earlier target is the sum of its row, and these are all the relations
that hold between tokens. The search is therefore over sets of earlier targets, with a factor for each.
"""

from __future__ import annotations

import math

import numpy as np

from attnsearch.base import Bools, Integers

EXACT_UP_TO = 16
"""Targets mod 2 up to which every set of earlier ones is tried; mod C, as many as have no more sums."""

EARLIER_TARGETS_BEYOND = 3
"""Earlier targets in a set that are tried beyond, at most; what is found is an upper bound."""

MOST_SUMS = 2**22
"""Sums of earlier targets that are tried: fewer targets go into a set where there would be more."""


def cheapest_routes(matrix: Bools, modulus: int = 2, num_states: int = 2) -> Bools:
    """The smallest set of visible tokens that determines each target.

    matrix:      `bool[S, S]`, row r the cells whose sum mod `modulus` is cell r of the next state
    num_states:  T, states of the sequence; each is the next one of the state before

    Returns `bool[(T - 1) S, T S]`: the row of a target uses only tokens before it. Exact for up to
    `EXACT_UP_TO` targets mod 2. Beyond, at most `EARLIER_TARGETS_BEYOND` earlier targets are combined, each
    added or subtracted, so a route is then an upper bound. Among equally cheap routes the one with the
    fewest earlier targets combined wins: the row itself, where nothing is cheaper.
    """
    size = len(matrix)
    count = (num_states - 1) * size
    exact = modulus ** (count - 1) <= 2 ** (EXACT_UP_TO - 1)
    factors = range(1, modulus) if exact else sorted({1, modulus - 1})
    largest_set = count if exact else _largest_set(count - 1, len(factors))
    # The tokens of each row, and what is zero: row r less target r.
    rows = np.zeros((count, size + count), np.int16)
    for target, (state, row) in enumerate(np.ndindex(num_states - 1, size)):
        rows[target, state * size : (state + 1) * size] = matrix[row]
    zeros = rows.copy()
    np.fill_diagonal(zeros[:, size:], modulus - 1)
    terms = [_packed(factor * zeros % modulus, modulus) for factor in factors]
    rows = _packed(rows, modulus)
    # Every set of earlier targets by the sum of their zeros: those targets, with the tokens they stand for.
    sums, chosen = np.zeros_like(rows[:1]), np.zeros(1, dtype=int)
    routes = np.empty_like(rows)
    for target in range(count):
        candidates = _plus(sums, rows[target], modulus)
        cost = _tokens(candidates, modulus)
        routes[target] = candidates[np.argmin(cost * (count + 1) + chosen)]
        extensible = chosen < largest_set
        longer = [_plus(sums[extensible], term[target], modulus) for term in terms]
        sums = np.concatenate([sums, *longer])
        chosen = np.concatenate([chosen, *[chosen[extensible] + 1] * len(terms)])
    if modulus == 2:
        return np.unpackbits(routes.astype(np.uint8), axis=1, count=size + count).astype(bool)
    return routes != 0


def _largest_set(earlier: int, factors: int) -> int:
    """Targets of a set, so that no more than `MOST_SUMS` are tried."""
    for largest in range(EARLIER_TARGETS_BEYOND, 1, -1):
        if sum(math.comb(earlier, chosen) * factors**chosen for chosen in range(largest + 1)) <= MOST_SUMS:
            return largest
    return 1


def _packed(rows: Integers, modulus: int) -> Integers:
    """Mod 2 as bits, which takes a sixteenth of the room."""
    return np.packbits(rows.astype(bool), axis=1) if modulus == 2 else rows


def _plus(one: Integers, other: Integers, modulus: int) -> Integers:
    return one ^ other if modulus == 2 else (one + other) % modulus


def _tokens(rows: Integers, modulus: int) -> Integers:
    """How many tokens each row holds."""
    return (np.bitwise_count(rows) if modulus == 2 else rows != 0).sum(axis=1, dtype=int)
