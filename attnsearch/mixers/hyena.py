"""Hyena: implicit long convolutions between gates."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from attnsearch.base import AttnsearchError, Floats, Integers
from attnsearch.mixers.base import Mixer, rows
from attnsearch.mixers.convolution import convolved
from attnsearch.mixers.linear import Linear

PROJECTION_KERNEL = 3
"""Tokens that the short convolution of the projections spans, as in the paper."""

BANDS = 16
"""Frequencies of the positional features: 0, 1, 2 ... periods in a context."""

FREQUENCY = 10.0
"""Of the sines in the MLP of the filters: the larger, the sooner a filter can differ from place to place."""

FALL = 100.0
"""How many times smaller a window gets, at once, by the shares of a context below."""

FASTEST_FALL, SLOWEST_FALL = 0.3, 1.5
"""Of a context, in which the windows of the first and the last feature fall by `FALL`."""

FLOOR = 0.05
"""Below which no window falls, so that no place of the context is out of a filter's reach."""


class Hyena(Mixer):
    """Gates and long convolutions in turn, whose filters an MLP gives place by place (arXiv:2302.10866).

    Definition 3.1, with the filters of its section 3.3. All products are feature by feature::

        (z^1, g^1, ..., g^N) = short convolution of x W
        z^(n+1)_t = g^n_t * sum_(j <= t) h^n_j * z^n_(t-j)        y = z^(N+1) W_out
        h_j = window_j * MLP(j / L, cos(2 pi b j / L), sin(2 pi b j / L), b = 0, 1, ...)

    The MLP has sines for activations. A window decays, each feature's at its own pace. Filters are scaled so
    that the first outputs are as large as the inputs, however long the context.

    order:         convolutions and gates, N
    filter_width:  hidden units of each of the two hidden layers of the MLP
    """

    def __init__(
        self, width: int, context_length: int, *, rngs: nnx.Rngs, order: int = 2, filter_width: int = 32
    ):
        for name, value in (("order", order), ("filter_width", filter_width)):
            if value < 1:
                raise AttnsearchError(f"{name} {value} must be at least 1")
        self.order = order
        self.inward = Linear(width, (order + 1) * width, use_bias=False, rngs=rngs)
        bound = PROJECTION_KERNEL**-0.5
        shape = (PROJECTION_KERNEL, (order + 1) * width)
        self.short = nnx.Param(jax.random.uniform(rngs.params(), shape, minval=-bound, maxval=bound))
        self.features = features(context_length)
        self.first = Linear(self.features.shape[1], filter_width, rngs=rngs)
        self.second = Linear(filter_width, filter_width, rngs=rngs)
        self.last = Linear(filter_width, order * width, use_bias=False, rngs=rngs)
        self.windows = windows(width, context_length)
        self.out = Linear(width, width, use_bias=False, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.at(x, np.arange(len(x)))

    def at(self, x: jax.Array, positions: Integers) -> jax.Array:
        count = self.order + 1
        # One after another: a convolution of all features at once is slow where its arrays outgrow a cache.
        mixed, *gates = (
            convolved(projected, kernel)
            for projected, kernel in zip(
                jnp.split(self.inward(x), count, axis=1),
                jnp.split(self.short[...], count, axis=1),
                strict=True,
            )
        )
        filters = jnp.split(self.filters(), self.order, axis=1)
        for gate, kernel in zip(gates[:-1], filters[:-1], strict=True):
            mixed = gate * convolved(mixed, kernel)
        return self.out(rows(gates[-1] * convolved(mixed, filters[-1]), positions))

    def filters(self) -> jax.Array:
        """`f32[L, N * D]`: what each convolution multiplies the token j before with."""
        hidden = jnp.sin(FREQUENCY * self.first(jnp.asarray(self.features)))
        hidden = jnp.sin(FREQUENCY * self.second(hidden))
        return self.last(hidden) * jnp.tile(self.windows, (1, self.order))


def features(length: int) -> Floats:
    """Of each place of the context: `f32[L, 1 + 2 * BANDS]`."""
    share = np.arange(length)[:, None] / length
    turns = 2 * np.pi * share * np.arange(BANDS)
    return np.concatenate([share, np.cos(turns), np.sin(turns)], axis=1).astype(np.float32)


def windows(width: int, length: int) -> Floats:
    """Of each feature, `f32[L, D]`, with squares that sum to 1."""
    share = np.arange(length)[:, None] / length
    falls = np.linspace(FASTEST_FALL, SLOWEST_FALL, width)
    window = FALL ** (-share / falls) + FLOOR
    return (window / np.sqrt((window**2).sum(axis=0))).astype(np.float32)
