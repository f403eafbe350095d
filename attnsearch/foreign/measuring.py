"""What a loop hands over, checked and brought into one form; and the map of a function from tokens to logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from attnsearch.base import AttnsearchError, Floats, Integers, MapRecord
from attnsearch.files import reason
from attnsearch.training.jax.influence import distances
from attnsearch.training.jax.sequences import Sequences

Logits = Callable[[Integers], Any]
"""A network in any framework: from tokens `i32[B, L]` to logits `f32[B, Q, V]` or `f32[B, L, V]`."""


def floats(what: str, given: Any) -> Floats:
    """`given` as f32 on the host. Errors: AttnsearchError for what numpy cannot read."""
    try:
        return np.asarray(given, np.float32)
    except Exception as error:
        raise AttnsearchError(
            f"{what} cannot be read as an array of numpy: {reason(error)}. Of a tensor in torch, hand over"
            f" {what}.detach().cpu().numpy()"
        ) from error


def query_logits(sequences: Sequences, given: Any, batch: int) -> Floats:
    """`f32[B, Q, V]`: the logits that answer the queries, of those or of all positions.

    Errors: AttnsearchError for another shape.
    """
    made, logits = sequences.generator, floats("logits", given)
    queries, length, symbols = len(made.query_positions), made.context_length, made.vocab_size
    if logits.shape == (batch, queries, symbols):
        return logits
    if logits.shape == (batch, length, symbols):
        return logits[:, made.query_positions]
    raise AttnsearchError(
        f"logits are {shape(logits)}: expected f32[{batch}, {queries}, {symbols}], one row for each of"
        f" query_positions, or f32[{batch}, {length}, {symbols}], one for each token"
    )


def loss_and_accuracy(logits: Floats, answers: Integers) -> tuple[Floats, Floats]:
    """Cross entropy in nats, and whether the largest logit is the answer: `f32[B, Q]` each.

    logits, answers:  `f32[B, Q, V]`, `i32[B, Q]`
    """
    with np.errstate(invalid="ignore"):
        shifted = logits - logits.max(axis=-1, keepdims=True)
        normalizer = np.log(np.exp(shifted).sum(axis=-1))
        loss = normalizer - np.take_along_axis(shifted, answers[..., None], axis=-1)[..., 0]
    return loss, (logits.argmax(axis=-1) == answers).astype(np.float32)


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


def shape(array: np.ndarray) -> str:
    """As `f32[4, 8]`."""
    return f"f32[{', '.join(map(str, array.shape))}]"
