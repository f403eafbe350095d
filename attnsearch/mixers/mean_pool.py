"""The mean of the past: the baseline that cannot select."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from attnsearch.base import AttnsearchError, Integers
from attnsearch.mixers.base import Mixer, rows
from attnsearch.mixers.linear import Linear


class MeanPool(Mixer):
    """The mean of the values of all tokens so far: attention in which every token weighs the same.

    That is arXiv:1706.03762, section 3.2, without queries and keys::

        y_t = (1 / (t + 1) * sum_(j <= t) x_j W) W_out

    It selects nothing. Where few tokens are summed, the MLP of its block can still tell them apart.

    expansion:  features of a value for each feature of a token
    """

    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs, expansion: int = 2):
        del context_length  # every context is served by the same parameters
        if expansion < 1:
            raise AttnsearchError(f"expansion {expansion} must be at least 1")
        self.value = Linear(width, expansion * width, use_bias=False, rngs=rngs)
        self.out = Linear(expansion * width, width, use_bias=False, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.at(x, np.arange(len(x)))

    def at(self, x: jax.Array, positions: Integers) -> jax.Array:
        # The mean comes before the product: tokens have fewer features than values, and few rows are asked.
        seen = np.arange(1, len(x) + 1, dtype=np.float32)[:, None]
        return self.out(self.value(rows(jnp.cumsum(x, axis=0) / seen, positions)))
