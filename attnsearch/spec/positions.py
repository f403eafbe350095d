"""How a network may know positions: the words for it, and the fixed numbers that every framework shares.

Numpy side; never imports jax.
"""

from __future__ import annotations

import numpy as np

from attnsearch.base import AttnsearchError, Floats, Integers, nearest

POSITIONS = ("learned", "sinusoidal", "none")
"""What a network adds to its tokens."""

RELATIVE_POSITIONS = ("none", "rotary", "alibi", "relative_bias")
"""How the logits of attention depend on the distance between two tokens."""

LONGEST_WAVE = 10_000
"""Of sinusoidal and rotary positions, in units of 2 pi tokens (arXiv:1706.03762, section 3.5)."""

NUM_BUCKETS, FARTHEST = 32, 128
"""Buckets of distances, and the distance from which all share the last (arXiv:1910.10683, section 2.1)."""


def check_relative_positions(relative_positions: str, head_width: int) -> None:
    """Errors: AttnsearchError for an unknown word, and for rotary positions in heads of odd width."""
    if relative_positions not in RELATIVE_POSITIONS:
        hint = nearest(str(relative_positions), RELATIVE_POSITIONS)
        raise AttnsearchError(f"relative_positions {relative_positions!r} is unknown.{hint}")
    if relative_positions == "rotary" and head_width % 2:
        raise AttnsearchError(
            f"rotary positions turn pairs of features, and head_width {head_width} is odd:"
            " choose num_heads or head_width so that heads have an even width"
        )


def sinusoidal(length: int, width: int) -> Floats:
    """`f32[L, D]`: the table of arXiv:1706.03762, section 3.5, divided by the root of D.

    There the embeddings of tokens are multiplied by that root instead (section 3.4). Between tokens and
    positions the proportion is the same, and tokens begin as they do with learned positions.
    """
    feature = np.arange(width)
    angles = np.arange(length)[:, None] / LONGEST_WAVE ** ((feature - feature % 2) / width)
    return (np.where(feature % 2, np.cos(angles), np.sin(angles)) / width**0.5).astype(np.float32)


def rotations(positions: Integers, head_width: int) -> tuple[Floats, Floats]:
    """Cosine and sine of the angles by which rotary positions turn a head's features, each `f32[Q, d]`.

    Features 2i and 2i + 1 are a pair with one angle (arXiv:2104.09864, section 3.2.2 and eq. 34).
    """
    speeds = LONGEST_WAVE ** (-np.arange(0, head_width, 2) / head_width)
    angles = (np.asarray(positions)[:, None] * speeds).repeat(2, axis=1)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def alibi_slopes(num_heads: int) -> Floats:
    """`f32[H]`: by what each head's logits fall with every token of distance (arXiv:2108.12409, section 3).

    A geometric series that begins with 2^(-8 / H), which is its ratio too.
    """
    return (2.0 ** (-8 * np.arange(1, num_heads + 1) / num_heads)).astype(np.float32)


def buckets(length: int) -> Integers:
    """`i32[L]`: the bucket of each distance from 0 (arXiv:1910.10683, section 2.1).

    Half of the buckets hold one distance each. The others hold ranges that grow with the logarithm, up to
    `FARTHEST`.
    """
    distance, single = np.arange(length), NUM_BUCKETS // 2
    beyond = np.log(np.maximum(distance, single) / single) / np.log(FARTHEST / single)
    ranges = single + (beyond * (NUM_BUCKETS - single)).astype(np.int32)
    return np.where(distance < single, distance, np.minimum(ranges, NUM_BUCKETS - 1)).astype(np.int32)
