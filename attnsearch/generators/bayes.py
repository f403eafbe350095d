"""The least loss that any predictor of a cellular automaton can have, target by target.

The rule of a sequence is not shown. The first cells of the first predicted state cannot be known, and each
cell that has been seen tells something about the rule. Both functions follow the posterior of a predictor
that knows how rules are drawn. That is exact for each sequence. The mean over random sequences has the
uncertainty that `docs/families/cellular-automaton.md` states.
"""

from __future__ import annotations

import math

import numpy as np

from attnsearch.base import Floats, Integers

WORK = 2**22
"""Outcomes looked at in one step; sequences are as many as that allows."""

_SEQUENCES = (64, 4096)
"""The fewest and the most of them."""


def windows(states: Integers, offsets: Integers, num_colours: int) -> Integers:
    """`i64[..., S]`: the entry of a table that the window of each cell of `states`, `i[..., S]`, names."""
    found = np.zeros(states.shape, np.int64)
    for offset in offsets:
        found = found * num_colours + np.roll(states, -int(offset), axis=-1)
    return found


def pool_loss(
    tables: Integers,
    num_colours: int,
    offsets: Integers,
    compositions: int,
    state_size: int,
    num_states: int,
) -> Floats:
    """`f64[R]`, nats: of a rule drawn from `tables`, `i[N, C^W]`, which the predictor knows by heart.

    The predictor drops every rule that disagrees with a cell. Its loss on a cell is therefore
    log(rules left before) - log(rules left after).
    """
    random = np.random.default_rng(0)
    pool = len(tables)
    count = _count(pool * state_size)
    rules = random.integers(pool, size=count)
    first = random.integers(num_colours, size=(count, state_size))

    total = np.zeros((num_states - 1, state_size))
    at_once = max(1, WORK // (pool * state_size))
    for start in range(0, count, at_once):
        part = slice(start, start + at_once)
        total += _pool_losses(
            tables, num_colours, offsets, compositions, first[part], rules[part], num_states
        )
    return total.ravel() / count


def _pool_losses(
    tables: Integers,
    num_colours: int,
    offsets: Integers,
    compositions: int,
    state: Integers,
    rules: Integers,
    num_states: int,
) -> Floats:
    """`f64[T - 1, S]`: the losses of `pool_loss`, added up over some sequences, from their first `state`."""
    (count, state_size), pool = state.shape, len(tables)
    left = np.ones((count, pool), bool)
    found = np.zeros((num_states - 1, state_size))
    for losses in found:
        outcomes = np.broadcast_to(state[:, None], (count, pool, state_size))
        for _ in range(compositions):
            entries = windows(outcomes, offsets, num_colours)
            outcomes = np.take_along_axis(np.broadcast_to(tables, (count, *tables.shape)), entries, axis=2)
        state = outcomes[np.arange(count), rules]
        agreeing = np.logical_and.accumulate(outcomes == state[:, None], axis=2) & left[:, :, None]
        after = agreeing.sum(axis=1)
        before = np.concatenate([left.sum(axis=1)[:, None], after[:, :-1]], axis=1)
        losses[:] = np.log(before / after).sum(axis=0)
        left = agreeing[:, :, -1]
        if (after[:, -1] == 1).all():
            break
    return found


def fresh_loss(num_colours: int, offsets: Integers, state_size: int, num_states: int) -> Floats:
    """`f64[R]`, nats: of a rule of its own for each sequence, every entry of its table equally likely.

    An entry that the sequence has used before is known, and any other entry may be anything. The loss is
    ln C where the cell's window is new, and 0 where it is not. For one application of the rule only.
    """
    random = np.random.default_rng(0)
    entries = num_colours ** len(offsets)
    count = _count(entries + state_size * num_states)
    rows = np.arange(count)
    tables = random.integers(num_colours, size=(count, entries))
    state = random.integers(num_colours, size=(count, state_size))
    known = np.zeros((count, entries), bool)
    found = np.zeros((num_states - 1, state_size))
    for losses in found:
        used = windows(state, offsets, num_colours)
        for cell in range(state_size):
            losses[cell] = math.log(num_colours) * (~known[rows, used[:, cell]]).mean()
            known[rows, used[:, cell]] = True
        state = np.take_along_axis(tables, used, axis=1)
    return found.ravel()


def random_states(
    num_colours: int, offsets: Integers, compositions: int, state_size: int, num_states: int, most: int
) -> Integers:
    """`i64[N, T, S]`: states of random automata, each with a rule of its own, `most` of them at most."""
    random = np.random.default_rng(0)
    entries = num_colours ** len(offsets)
    count = min(most, _count(entries + state_size * num_states))
    tables = random.integers(num_colours, size=(count, entries))
    states = [random.integers(num_colours, size=(count, state_size))]
    for _ in range(num_states - 1):
        state = states[-1]
        for _application in range(compositions):
            state = np.take_along_axis(tables, windows(state, offsets, num_colours), axis=1)
        states.append(state)
    return np.stack(states, axis=1)


def _count(work: int) -> int:
    fewest, most = _SEQUENCES
    return max(fewest, min(most, WORK // work))
