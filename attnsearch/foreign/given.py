"""What a loop hands over for a step: brought into one form, and refused where it cannot be."""

from __future__ import annotations

from typing import Any

import numpy as np

from attnsearch.base import AttnsearchError, Floats, Integers
from attnsearch.files import reason
from attnsearch.sequences.sequences import Sequences

_ROUNDING = 1e-3
"""Nats by which a cross entropy may be below 0."""


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
        f"logits are {_shape(logits)}: expected f32[{batch}, {queries}, {symbols}], one row for each of"
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


def by_query(sequences: Sequences, what: str, given: Any) -> Floats:
    """`f32[Q]`: `given`, or its mean over the sequences of a batch.

    Errors: AttnsearchError for other shapes than `f32[Q]` and `f32[B, Q]`.
    """
    found = floats(what, given)
    batch, queries = sequences.batch_size, len(sequences.generator.query_positions)
    if found.shape not in ((queries,), (batch, queries)):
        raise AttnsearchError(
            f"{what} is {_shape(found)}: expected f32[{queries}], one for each of query_positions, or"
            f" f32[{batch}, {queries}], one for each sequence too"
        )
    return found if found.ndim == 1 else found.mean(axis=0)


def check_step(loss: Floats, accuracy: Floats) -> None:
    """Errors: AttnsearchError for numbers that cannot be, or that only a mistake explains; `f32[Q]` each.

    Where not one loss is finite, training has diverged, which is a result.
    """
    finite = np.isfinite(loss)
    if finite.any() and not finite.all():
        query = int(np.argmin(finite))
        raise AttnsearchError(
            f"the loss of query {query} is {loss[query]}, and other queries have finite losses: see how it is"
            " computed. What was recorded before is kept"
        )
    if (loss < -_ROUNDING).any():
        raise AttnsearchError(
            f"a loss is {np.nanmin(loss):.3g}, and a cross entropy is not below 0: see whether its sign is"
            " right"
        )
    if (accuracy < 0).any() or (accuracy > 1).any():
        raise AttnsearchError("accuracy is a share of right answers: give numbers from 0 to 1")


def _shape(array: np.ndarray) -> str:
    """As `f32[4, 8]`."""
    return f"f32[{', '.join(map(str, array.shape))}]"
