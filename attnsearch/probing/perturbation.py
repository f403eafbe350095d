"""How far what a mixer returns moves when something else is given: the measurements behind the checks.

Amounts are shares of a typical output: the median, over rows, of the largest number in each.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from attnsearch.base import Floats, Integers
from attnsearch.training.jax.network import Network, Parameters

LOUD = 10.0
"""Inputs are replaced at their usual size and at this many times it: a mask that only dampens gives way."""


class Movements(NamedTuple):
    """How far each output moves with each position, `f32[rows, L]`; nan where outputs are not finite.

    ordinary, loud:  of the mixer, when an input is replaced by another one, or one `LOUD` times as large
    gradient:        of the mixer, by its gradient with respect to an input
    tokens:          of the logits at the queries, when a token is replaced
    """

    ordinary: Floats
    loud: Floats
    gradient: Floats
    tokens: Floats


def movements(
    network: Network, parameters: Parameters, x: Floats, other: Floats, tokens: Integers
) -> Movements:
    """How far the first mixer and the network move when one position at a time is replaced.

    x, other:  `f32[L, D]`, an input of the mixer, and the rows that replace its rows
    tokens:    `i32[L]`, an input of the network; each token is replaced by the next symbol
    """
    *responses, slopes = map(np.asarray, _responses(network, parameters, x, other, tokens))
    ordinary, loud, logits = (_moved(response) for response in responses)
    slope = np.abs(slopes).max(axis=-1)
    return Movements(ordinary, loud, slope / _typical(slope), logits)


def apart(one: jax.Array, other: jax.Array) -> float:
    """The largest difference between `one`, which says what is typical, and `other`; inf if not finite."""
    expected, found = np.asarray(one), np.asarray(other)
    if not (np.isfinite(expected).all() and np.isfinite(found).all()):
        return np.inf
    return float(np.abs(expected - found).max() / _typical(expected))


@partial(jax.jit, static_argnums=0)
def _responses(
    network: Network, parameters: Parameters, x: jax.Array, other: jax.Array, tokens: jax.Array
) -> tuple[jax.Array, ...]:
    mixer = network.first_mixer(parameters)

    def slope(row: jax.Array) -> jax.Array:
        return jax.grad(lambda x: mixer(x)[row] @ other[row])(x)

    return (
        _answers(mixer, x, other),
        _answers(mixer, x, LOUD * other),
        _answers(partial(network.apply, parameters), tokens, (tokens + 1) % network.vocab_size),
        jax.lax.map(slope, jnp.arange(len(x))),
    )


def _answers(function: Callable[[jax.Array], jax.Array], given: jax.Array, other: jax.Array) -> jax.Array:
    """What `function` returns for `given`, and then with each row in turn replaced; a leading axis L + 1."""

    def answered(position: jax.Array) -> jax.Array:
        replaced = (jnp.arange(len(given)) == position).reshape(-1, *[1] * (given.ndim - 1))
        return function(jnp.where(replaced, other, given))

    # What is untouched goes the same way as the rest, so that what cannot move does not; and they go one by
    # one, so that a mixer that mixes the sequences of a batch is not taken for one that looks ahead.
    return jax.lax.map(answered, jnp.arange(-1, len(given)))


def _moved(answers: Floats) -> Floats:
    before, after = answers[0], answers[1:]
    if not np.isfinite(before).all():
        return np.full((len(before), len(after)), np.nan)
    # What is not finite once something was replaced has moved.
    with np.errstate(invalid="ignore"):
        return np.abs(after - before).max(axis=-1).T / _typical(before)


def _typical(outputs: Floats) -> float:
    """Where most rows are 0 the largest number, and 1 where all are."""
    sizes = np.abs(outputs).max(axis=-1)
    return float(np.median(sizes) or sizes.max() or 1.0)
