"""Hidden rows over inputs: how they are drawn, and the nearest row that is wrong."""

from __future__ import annotations

import numpy as np

from attnsearch.base import Bools
from attnsearch.generators.lazy import jax, jnp


def drawn(key: jax.Array, num_rows: int, num_inputs: int, sizes: jax.Array) -> jax.Array:
    """`bool[P, S]`: rows that read so many inputs each; `sizes`: `i32[]` or `i32[P, 1]`.

    The same key gives nested rows at growing sizes.
    """
    noise = jax.random.uniform(key, (num_rows, num_inputs))
    rank = jnp.argsort(jnp.argsort(noise, axis=1), axis=1)
    return rank < sizes


def without_the_last(rule: jax.Array) -> Bools:
    """`bool[P, S]`: the rows of `rule`, each without its last input."""
    rows = np.array(rule)
    count, size = rows.shape
    rows[np.arange(count), size - 1 - rows[:, ::-1].argmax(axis=1)] = False
    return rows
