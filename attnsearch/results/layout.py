"""How the targets and the positions of a task are named and laid out, in pictures and on pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from attnsearch.base import Bools, Floats, Integers, Truth

MOST_LINES = 32
"""Targets of several states that are drawn one by one; of more, each state is one line."""


class Columns(NamedTuple):
    """The columns of a measured map: probed positions, and where others have been left out.

    positions:  `i64[P]` the probed positions
    gaps:       columns, ascending, before which positions stand that were never probed; P for some at the end
    unprobed:   how many such positions there are
    edges:      columns, ascending, that begin a state; none where a task has one
    """

    positions: Integers
    gaps: list[int]
    unprobed: int
    edges: list[int]


class Lines(NamedTuple):
    """What the loss of a run is drawn as: a line for each target, or for each state where there are many.

    of:      "target" or "state"
    names:   what each line is called
    groups:  the targets that each is the mean of
    of_mapped: the line of each mapped target
    """

    of: str
    names: list[str]
    groups: Sequence[Integers]
    of_mapped: list[int]


def several_states(truth: Truth) -> bool:
    """Whether targets are cells of more than one state."""
    return len(np.unique(truth.state)) > 1


def cells_of(truth: Truth) -> Integers:
    """`i64[R]`: which cell of its state each target is."""
    _, first, state = np.unique(truth.state, return_index=True, return_inverse=True)
    return np.arange(len(truth.state)) - first[state]


def names_of(truth: Truth) -> list[str]:
    """What each of the R targets is called: `target 3`, or `state 2, cell 1` where there are several."""
    if not several_states(truth):
        return [f"target {target}" for target in range(len(truth.state))]
    places = zip(truth.state.tolist(), cells_of(truth).tolist(), strict=True)
    return [f"state {state}, cell {cell}" for state, cell in places]


def marks_of(truth: Truth) -> list[str]:
    """The same for the edge of a map: `3`, or `2, 1`."""
    return [
        name.removeprefix("target ").removeprefix("state ").replace("cell ", "") for name in names_of(truth)
    ]


def columns_of(truth: Truth) -> Columns:
    """The columns of the maps of `truth`."""
    positions = np.flatnonzero(truth.probed & truth.replaceable)
    missing = np.flatnonzero(truth.replaceable & ~truth.probed)
    gaps = np.unique(np.searchsorted(positions, missing)).tolist()
    states = _state_of(truth)[positions]
    edges = (1 + np.flatnonzero(np.diff(states))).tolist()
    return Columns(positions, gaps, len(missing), edges)


def lines_of(truth: Truth) -> Lines:
    """How the losses of `truth` are drawn."""
    targets, names = len(truth.state), names_of(truth)
    if targets > MOST_LINES and several_states(truth):
        states = np.unique(truth.state)
        groups = [np.flatnonzero(truth.state == state) for state in states]
        of_mapped = np.searchsorted(states, truth.state[truth.mapped]).tolist()
        return Lines("state", [f"state {state}" for state in states], groups, of_mapped)
    return Lines("target", names, [np.array([target]) for target in range(targets)], truth.mapped.tolist())


def state_of_columns(truth: Truth) -> list[int] | None:
    """The state that each column's position is in; None where a task has one predicted state."""
    states = _state_of(truth)[columns_of(truth).positions]
    return states.tolist() if several_states(truth) else None


def runs_of(chosen: Bools) -> list[tuple[int, int]]:
    """Start and length of each run of true values in `chosen`, `bool[L]`."""
    ends = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(np.int8)))
    return [(int(start), int(end - start)) for start, end in ends.reshape(-1, 2)]


def shares_of(influence: Floats | Bools) -> Floats:
    """Each row over its sum, `f64[..., K, L]`; a row of zeros stays zero."""
    values = np.asarray(influence, np.float64)
    total = values.sum(axis=-1, keepdims=True)
    return np.divide(values, total, out=np.zeros_like(values), where=total > 0)


def _state_of(truth: Truth) -> Integers:
    """`i64[L]`: the state of each position, where states follow each other and are of one size; else 0."""
    length = len(truth.replaceable)
    if not several_states(truth):
        return np.zeros(length, np.int64)
    size = int((truth.state == truth.state[0]).sum())
    return np.arange(length) // size
