"""A gated short convolution: the baseline that cannot reach far."""

from __future__ import annotations

import jax
import numpy as np
from flax import nnx

from attnsearch.base import AttnsearchError, Integers
from attnsearch.mixers.base import Mixer, rows
from attnsearch.mixers.joined import projected
from attnsearch.mixers.linear import Linear
from attnsearch.mixers.taps import convolved_by_taps


class ShortConv(Mixer):
    """Gated causal convolution of each feature over the last few tokens: LFM2's (arXiv:2511.23404).

    The double-gated short convolution of that report, with a longer kernel::

        (b, c, v)_t = x_t W,    y_t = (c_t * sum_(j < K) k_j * b_(t-j) * v_(t-j)) W_out

    Products without a W are feature by feature. Nothing further back than K - 1 tokens can be read. The
    default reaches over the linear map of four inputs, and over no larger one.

    kernel_size:  tokens that the convolution spans, K
    """

    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs, kernel_size: int = 8):
        del context_length  # every context is served by the same parameters
        if kernel_size < 1:
            raise AttnsearchError(f"kernel_size {kernel_size} must be at least 1")
        bound = kernel_size**-0.5
        self.before = Linear(width, width, use_bias=False, rngs=rngs)
        self.after = Linear(width, width, use_bias=False, rngs=rngs)
        self.value = Linear(width, width, use_bias=False, rngs=rngs)
        self.kernel = nnx.Param(
            jax.random.uniform(rngs.params(), (kernel_size, width), minval=-bound, maxval=bound)
        )
        self.out = Linear(width, width, use_bias=False, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.at(x, np.arange(len(x)))

    def at(self, x: jax.Array, positions: Integers) -> jax.Array:
        (before, value), (after,) = projected(x, positions, (self.before, self.value), (self.after,))
        mixed = rows(convolved_by_taps(before * value, self.kernel[...]), positions)
        return self.out(after * mixed)
