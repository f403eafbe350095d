"""A linear RNN with a complex diagonal."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from flax.nnx import initializers

from attnsearch.base import AttnsearchError, Integers
from attnsearch.mixers.base import Mixer, rows
from attnsearch.mixers.linear import Linear
from attnsearch.mixers.scan import linear_recurrence


class LRU(Mixer):
    """Linear recurrent unit: a linear RNN with a complex diagonal (arXiv:2303.06349, section 3).

    With the states `h` complex, and `x` and `y` real::

        h[t] = lambda * h[t - 1] + gamma * (B x[t])      lambda = exp(-exp(nu) + i exp(theta))
        y[t] = Re(C h[t]) + d * x[t]

    The moduli of lambda start uniform in area on a ring, gamma at sqrt(1 - |lambda|^2) (sections 3.3, 3.4).
    The layer is linear. Only the MLP of its block is not.

    state_width:      complex numbers that are carried from token to token
    smallest_radius:  of the ring; 0 or more
    largest_radius:   of the ring; below 1
    """

    def __init__(
        self,
        width: int,
        context_length: int,
        *,
        rngs: nnx.Rngs,
        state_width: int = 128,
        smallest_radius: float = 0.9,
        largest_radius: float = 0.999,
    ):
        del context_length  # a recurrence serves any length
        if state_width < 1:
            raise AttnsearchError(f"state_width {state_width} must be at least 1")
        if not 0 <= smallest_radius < largest_radius < 1:
            ring = f"smallest_radius {smallest_radius} and largest_radius {largest_radius}"
            raise AttnsearchError(
                f"{ring} are not a ring within the unit circle: use 0 <= smallest_radius < largest_radius < 1"
            )
        # The parts of B and C that are real come first, then the imaginary ones.
        self.inward = Linear(
            width,
            2 * state_width,
            use_bias=False,
            kernel_init=initializers.variance_scaling(0.5, "fan_in", "normal"),
            rngs=rngs,
        )
        self.outward = Linear(
            2 * state_width,
            width,
            use_bias=False,
            kernel_init=initializers.variance_scaling(2.0, "fan_in", "normal"),
            rngs=rngs,
        )
        areas = jax.random.uniform(
            rngs.params(), (state_width,), minval=smallest_radius**2, maxval=largest_radius**2
        )
        angles = jax.random.uniform(rngs.params(), (state_width,), minval=1e-3, maxval=2 * np.pi)
        self.decay_rate = nnx.Param(jnp.log(-0.5 * jnp.log(jnp.maximum(areas, 1e-6))))
        self.angle = nnx.Param(jnp.log(angles))
        self.input_scale = nnx.Param(0.5 * jnp.log1p(-areas))
        self.skip = nnx.Param(jax.random.normal(rngs.params(), (width,)))

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.at(x, np.arange(len(x)))

    def at(self, x: jax.Array, positions: Integers) -> jax.Array:
        real, imaginary = jnp.split(self.inward(x), 2, axis=-1)
        added = jax.lax.complex(real, imaginary) * jnp.exp(self.input_scale[...])
        decay = jnp.exp(jax.lax.complex(-jnp.exp(self.decay_rate[...]), jnp.exp(self.angle[...])))
        states = rows(linear_recurrence(jnp.broadcast_to(decay, added.shape), added), positions)
        # The real part of a product: one minus for the product of the imaginary parts.
        read = self.outward(jnp.concatenate([states.real, -states.imag], axis=-1))
        return read + self.skip[...] * rows(x, positions)
