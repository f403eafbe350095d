"""The map of a network that is known only as a function from tokens to logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from attnsearch.base import AttnsearchError, Floats, Integers, MapRecord
from attnsearch.foreign.given import query_logits
from attnsearch.sequences.influence import distances
from attnsearch.sequences.sequences import Sequences

Logits = Callable[[Integers], Any]
"""A network in any framework: from tokens `i32[B, L]` to logits `f32[B, Q, V]` or `f32[B, L, V]`."""


def measured(sequences: Sequences, logits: Logits) -> MapRecord:
    """The map of a network, as `training.jax.probes.influence` measures it.

    `logits` is called once with the probe sequences as they are, and once for each probed position.
    Errors: AttnsearchError for logits of another shape, or that are not finite.
    """
    tokens, replaced, positions = sequences.probes()

    def answered(given: Integers) -> Floats:
        found = query_logits(sequences, logits(given), len(given))[:, sequences.mapped_queries]
        if not np.isfinite(found).all():
            raise AttnsearchError("the function that measures maps gives logits that are not finite")
        weights = np.exp(found - found.max(axis=-1, keepdims=True))
        return weights / weights.sum(axis=-1, keepdims=True)

    untouched, at = answered(tokens), np.arange(tokens.shape[1])
    moved = [distances(answered(np.where(at == one, replaced, tokens)), untouched) for one in positions]
    return MapRecord.of(*sequences.map(np.stack(moved)))
