"""What the two Mambas share: how their steps and their forgetting start."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

from attnsearch.base import AttnsearchError

SHORTEST_STEP, LONGEST_STEP = 1e-3, 1e-1
"""Between these the time steps of tokens start, spread evenly in their logarithm (arXiv:2312.00752)."""


def first_steps(count: int, rngs: nnx.Rngs) -> jax.Array:
    """`f32[count]`: biases from which softplus gives steps between the shortest and the longest."""
    spread = jax.random.uniform(rngs.params(), (count,))
    return jnp.log(jnp.expm1(SHORTEST_STEP * (LONGEST_STEP / SHORTEST_STEP) ** spread))


def check_at_least_one(**settings: int) -> None:
    """Errors: AttnsearchError for a setting that is smaller."""
    for name, value in settings.items():
        if value < 1:
            raise AttnsearchError(f"{name} {value} must be at least 1")
