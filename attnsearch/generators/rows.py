"""Hidden rows over inputs: how they are drawn, and what a network may guess without them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from attnsearch.base import Bools, Floats, Integers
from attnsearch.generators.bags import sum_loss, sum_shares
from attnsearch.generators.lazy import jax, jnp


def drawn(key: jax.Array, num_rows: int, num_inputs: int, sizes: jax.Array) -> jax.Array:
    """`bool[P, S]`: rows that read so many inputs each; `sizes`: `i32[]` or `i32[P, 1]`.

    The same key gives nested rows at growing sizes.
    """
    noise = jax.random.uniform(key, (num_rows, num_inputs))
    rank = jnp.argsort(jnp.argsort(noise, axis=1), axis=1)
    return rank < sizes


def without_the_last(rule: jax.Array | Bools) -> Bools:
    """`bool[P, S]`: the rows of `rule`, each without its last input."""
    rows = np.array(rule)
    count, size = rows.shape
    rows[np.arange(count), size - 1 - rows[:, ::-1].argmax(axis=1)] = False
    return rows


def by_bag(rows: Bools, inputs: Integers, modulus: int) -> Floats:
    """`f64[N, P, C]`: each sum as often as sets of as many inputs as its row has it.

    rows:    `bool[P, S]`; inputs: `i64[N, S]`
    """
    sizes, of = np.unique(rows.sum(axis=1), return_inverse=True)
    return np.stack([sum_shares(inputs, int(size), modulus) for size in sizes], axis=1)[:, of]


def by_all_but_one(rows: Bools, inputs: Integers, modulus: int) -> Floats:
    """`f64[N, P, C]`: the sum of a row without its last input, and of one of all inputs that are left.

    rows:    `bool[P, S]`; inputs: `i64[N, S]`
    """
    known = without_the_last(rows)
    left = ~known @ np.eye(modulus)[inputs] / (~known).sum(axis=1)[:, None]
    missing = (np.arange(modulus) - (inputs @ known.T)[..., None]) % modulus
    return np.take_along_axis(left, missing, axis=-1)


def bag_loss_of_rows(num_inputs: int, sizes: Sequence[int], modulus: int) -> float:
    """Nats: the loss of `by_bag`, mean over rows of these `sizes`.

    Where a row reads all inputs their bag is its support, and nothing is to be searched: such a row counts
    with chance.
    """
    losses = {
        size: sum_loss(num_inputs, size, modulus) if size < num_inputs else math.log(modulus)
        for size in set(sizes)
    }
    return sum(losses[size] for size in sizes) / len(sizes)
