"""A task whose map differs for every sequence."""

# A stub says in one line each what the properties of a generator return.
# pyright: reportIncompatibleMethodOverride=false, reportAssignmentType=false

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from attnsearch.base import Example, Integers
from attnsearch.generators.base import Generator, Rule


@dataclass(frozen=True)
class Pointer(Generator):
    """Four inputs and a pointer, `x0 x1 x2 x3 p`: the answer is the input that p names, asked at p.

    Its map differs for every sequence: the support is p and the input it names.
    """

    vocab_size = 4
    context_length = 5
    query_positions = np.array([4], np.int32)

    def log2_search_space(self, knobs: Mapping[str, jax.Array]) -> float:
        return 2.0

    def sample(self, rule: Rule, key: jax.Array) -> Example:
        tokens = jax.random.randint(key, (5,), 0, 4)
        return Example(tokens, tokens[tokens[4]][None])

    def supports(self, rule: Rule, tokens: jax.Array, targets: Integers | jax.Array) -> jax.Array:
        at = jnp.arange(5)
        return jnp.broadcast_to((at == 4) | (at == tokens[4]), (len(targets), 5))
