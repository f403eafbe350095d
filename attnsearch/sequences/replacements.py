"""Which tokens of the probe sequences are replaced: one at a time, and all that follow a query at once."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from attnsearch.base import RECORDING_INTERVAL
from attnsearch.generators.base import Generator

ONE_IN = 16
"""Single tokens are replaced so many times for each time that the ends of all sequences are. So the ends add
little to the cost of a long map, and a short map has each of its queries followed by other tokens."""


class Replacements(NamedTuple):
    """W ways to replace tokens of P sequences, `i32[W, P]` each: from `first` to before `end`.

    In the first way nothing is replaced: both are L. Then follows one way for each probed position. In all
    others a sequence is replaced from behind a query to its end.
    """

    first: Any
    end: Any


def replacements(generator: Generator, sequences: int, step: Any) -> Replacements:
    """How the tokens of `sequences` probe sequences are replaced, P, after `step` steps of training.

    A token may tell a query before it something only where one of the two is probed, or where the end of a
    sequence was replaced between them. In short contexts there is an end behind each query. In longer ones
    the ends are evenly spread, and move on from one recorded map to the next.
    """
    length, positions = generator.context_length, generator.probed_positions.nonzero()[0]
    queries = np.unique(generator.query_positions)
    queries = queries[queries < length - 1]
    rounds = min(-(-len(queries) // sequences), max(1, len(positions) // ONE_IN))
    untouched, single = np.full((1, sequences), length), np.tile(positions[:, None], sequences)
    firsts, ends = [untouched, single], [untouched, single + 1]
    if rounds:
        shape, count = (rounds, sequences), rounds * sequences
        spread = (np.arange(count) * len(queries) // count).reshape(shape)
        chosen = (spread + step // RECORDING_INTERVAL) % len(queries)
        firsts.append(jnp.asarray(queries)[chosen] + 1)
        ends.append(np.full(shape, length))
    return Replacements(*(jnp.concatenate(parts).astype(jnp.int32) for parts in (firsts, ends)))


def inside(first: Any, end: Any, length: int) -> Any:
    """`bool[P, L]`: the tokens that one way replaces; `first` and `end` are `i32[P]`, of numpy or jax."""
    at = np.arange(length)
    return (at >= first[:, None]) & (at < end[:, None])


def moved_before(generator: Generator, first: Any, moved: Any) -> Any:
    """`f32[]`: the furthest that a replaced token moved the answer to a query before it.

    first:  `i32[P]`, the first token replaced in each sequence
    moved:  `f32[P, Q]`, how far the answer to each query moved
    """
    return (moved * (generator.query_positions < first[:, None])).max()
