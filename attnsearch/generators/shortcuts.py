"""Known shortcuts: what a network may do in the place of finding the support.

A shortcut is a guess that is computed from the tokens. Arrays are numpy's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from attnsearch.base import Floats, Integers


class Shortcut(NamedTuple):
    """A guess that does not know the support.

    name:     two or three words
    meaning:  what is guessed, in one sentence
    guess:    from a rule and the `tokens` of sequences, `i32[N, L]`, how probable each answer to each target
              is, `f64[N, R, V]`
    loss:     where the guess takes no search: nats, from the `traced_knobs`, computed without jax. Escape is
              judged below it. None where a part of the support has to be found, or another route
    """

    name: str
    meaning: str
    guess: Callable[[Any, Integers], Floats]
    loss: Callable[[Mapping[str, Any]], float] | None = None


def read(weights: Floats, tokens: Integers, vocab_size: int) -> Floats:
    """`f64[N, R, V]`: the answers of a network that reads tokens with these weights and answers what it read.

    weights:  `f64[N, R, L]` or `f64[R, L]`; rows need not add up to 1. tokens: `i32[N, L]`
    """
    values = np.eye(vocab_size)[tokens]
    weights = np.broadcast_to(weights, (len(tokens), *weights.shape[-2:]))
    return weights @ values / weights.sum(axis=-1, keepdims=True)
