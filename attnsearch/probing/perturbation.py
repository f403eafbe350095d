"""How far what a mixer returns moves when something else is given: the measurements behind the checks.

Amounts are shares of a typical output: the median, over rows, of the largest number in each.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from attnsearch.base import Floats, Integers
from attnsearch.probing.subject import Network, Parameters

ROUNDING = 1e-5
"""Movement that rounding explains where the same program runs twice, as in a Fourier transform."""

PROGRAMS = 1e-2
"""Difference that rounding explains between two programs for the same thing, products in TF32 included."""

LOUD = 10.0
"""Inputs are replaced at their usual size and at this many times it: a mask that only dampens gives way."""


class Movements(NamedTuple):
    """How far each output moves with each position, `f32[rows, L]`; nan where outputs are not finite.

    ordinary, loud:  of the mixer, when an input is replaced by another one, or one `LOUD` times as large
    gradient:        of the mixer, by the gradient of a row with respect to an input
    gradients:       the same for all rows up to one, at once
    tokens:          of the logits at the queries, when a token is replaced
    """

    ordinary: Floats
    loud: Floats
    gradient: Floats
    gradients: Floats
    tokens: Floats


def movements(
    network: Network, parameters: Parameters, x: Floats, other: Floats, tokens: Integers
) -> Movements:
    """How far the first mixer and the network move when one position at a time is replaced.

    x, other:  `f32[L, D]`, an input of the mixer, and the rows that replace its rows
    tokens:    `i32[L]`, an input of the network; each token is replaced by the next symbol
    """
    # What is untouched goes the same way as the rest, so that what cannot move does not; and they go one by
    # one, so that a mixer that mixes the sequences of a batch is not taken for one that looks ahead.
    given = np.concatenate([x[None], _replaced(x, other), _replaced(x, LOUD * other)])
    untouched, *answers = network.outputs(parameters, given)
    symbols = np.concatenate([tokens[None], _replaced(tokens, (tokens + 1) % network.vocab_size)])
    unchanged, *logits = network.logits(parameters, symbols)
    slopes = np.abs(network.slopes(parameters, x, directions(other))).max(axis=-1)
    single, several = slopes[: len(x)], slopes[len(x) :]
    return Movements(
        moved(untouched, np.stack(answers[: len(x)])),
        moved(untouched, np.stack(answers[len(x) :])),
        single / _typical(single),
        several / _typical(several),
        moved(unchanged, np.stack(logits)),
    )


def directions(other: Floats) -> Floats:
    """`f32[2 L, L, D]`: each row of `other`, `f32[L, D]`, alone, then all rows up to each; the rest is 0."""
    rows = np.arange(len(other))
    seen = np.concatenate([rows[:, None] == rows, rows[:, None] >= rows])
    return seen[..., None] * other


def apart(one: Floats, other: Floats) -> float:
    """The largest difference between `one`, which says what is typical, and `other`; inf if not finite."""
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return np.inf
    return float(np.abs(one - other).max() / _typical(one))


def _replaced(given: np.ndarray, other: np.ndarray) -> np.ndarray:
    """`given` with each row in turn replaced by the row of `other`; a leading axis L."""
    copies = np.repeat(given[None], len(given), axis=0)
    rows = np.arange(len(given))
    copies[rows, rows] = other
    return copies


def moved(before: Floats, after: Floats) -> Floats:
    """`f32[rows, N]`: how far each row of `before`, `f32[rows, D]`, is from its like in each of `after`.

    It is nan where `before` is not finite.
    """
    if not np.isfinite(before).all():
        return np.full((len(before), len(after)), np.nan)
    # What is not finite once something was replaced has moved.
    with np.errstate(invalid="ignore"):
        return np.abs(after - before).max(axis=-1).T / _typical(before)


def _typical(outputs: Floats) -> float:
    """Where most rows are 0 the largest number, and 1 where all are."""
    sizes = np.abs(outputs).max(axis=-1)
    return float(np.median(sizes) or sizes.max() or 1.0)
