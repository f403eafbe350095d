"""The map of a network that is known only as a function from tokens to logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from attnsearch.base import AttnsearchError, Integers, MapRecord
from attnsearch.foreign.given import query_logits
from attnsearch.sequences.host_map import HostMap
from attnsearch.sequences.sequences import Sequences

Logits = Callable[[Integers], Any]
"""A network in any framework: from tokens `i32[B, L]` to logits `f32[B, Q, V]` or `f32[B, L, V]`."""


def measured(sequences: Sequences, logits: Logits, step: int) -> MapRecord:
    """The map of a network after `step` steps, as `training.jax.probes.influence` measures it.

    `logits` is called with the probe sequences as they are, once for each probed position, and then with the
    ends of sequences replaced. Errors: AttnsearchError for logits of another shape, or that are not finite.
    """
    measuring = HostMap(sequences, step)
    for _ in range(measuring.ways):
        tokens = measuring.shown()
        found = query_logits(sequences, logits(tokens), len(tokens))
        if not np.isfinite(found).all():
            raise AttnsearchError("the function that measures maps gives logits that are not finite")
        weights = np.exp(found - found.max(axis=-1, keepdims=True))
        measuring.take(weights / weights.sum(axis=-1, keepdims=True))
    return MapRecord.of(*measuring.influence())
