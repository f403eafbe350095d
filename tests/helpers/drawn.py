"""Many sequences of one rule, on the host."""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np

from attnsearch.base import Bools, Integers
from attnsearch.generators import Generator

MANY = 4096


class Many(NamedTuple):
    """Of N sequences `i32[N, L]`, `i32[N, R]` and `bool[N, R, L]`, and their rule."""

    tokens: Integers
    answers: Integers
    supports: Bools
    rule: Bools


def many(made: Generator, seed: int = 0) -> Many:
    """`MANY` sequences of a rule."""
    rule = made.init(jax.random.key(seed), {})

    def one(key: jax.Array):
        tokens, answers = made.sample(rule, key)
        return tokens, answers, made.supports(rule, tokens, np.arange(made.num_targets))

    found = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(seed + 1), MANY))
    tokens, answers, supports = map(np.asarray, found)
    return Many(tokens, answers, supports, np.asarray(rule))
