"""Linear attention."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from attnsearch.base import AttnsearchError, Integers
from attnsearch.mixers.base import Mixer, rows
from attnsearch.mixers.linear import Linear
from attnsearch.mixers.parts import heads, side_by_side
from attnsearch.mixers.recurrence import decayed
from attnsearch.spec.heads import chosen_head_width

FEATURE_MAPS: Mapping[str, Callable[[jax.Array], jax.Array]] = {
    "elu": lambda x: nnx.elu(x) + 1,
    "relu": nnx.relu,
    "square": jnp.square,
    "identity": lambda x: x,
}
"""Of a feature of queries and keys. The first is the paper's."""

POSITIVE = ("elu", "relu", "square")
"""Feature maps without negative values: their products are weights, once divided by their sum."""

SMALLEST_SUM = 1e-12
"""Added to the sum that is divided by, for features may all be 0."""


class LinearAttention(Mixer):
    """Causal linear attention: a feature map of queries and keys in place of the softmax (arXiv:2006.16236).

    Section 3.3, equations 9 to 12, in each head, with the feature map f (equation 7 for elu)::

        S_t = S_(t-1) + f(k_t) v_t^T      z_t = z_(t-1) + f(k_t)      y_t = S_t^T f(q_t) / z_t . f(q_t)

    num_heads:    heads, H
    head_width:   features of each head's queries, keys and values; D / H unless given
    feature_map:  elu (plus 1), relu, square or identity
    normalized:   whether the sum z_t . f(q_t) is divided by; it may vanish under identity, which needs False
    """

    def __init__(
        self,
        width: int,
        context_length: int,
        *,
        rngs: nnx.Rngs,
        num_heads: int = 8,
        head_width: int | None = None,
        feature_map: str = "elu",
        normalized: bool = True,
    ):
        del context_length  # every context is served by the same parameters
        if feature_map not in FEATURE_MAPS:
            raise AttnsearchError(f"feature_map {feature_map!r} must be one of {', '.join(FEATURE_MAPS)}")
        if normalized and feature_map not in POSITIVE:
            raise AttnsearchError(
                f"feature_map {feature_map} has negative values, whose sum cannot be divided by: set"
                f" normalized to false, or use {', '.join(POSITIVE)}"
            )
        self.num_heads = num_heads
        self.feature_map = feature_map
        self.normalized = normalized
        inner = num_heads * chosen_head_width(width, num_heads, head_width)
        self.query = Linear(width, inner, use_bias=False, rngs=rngs)
        self.key = Linear(width, inner, use_bias=False, rngs=rngs)
        self.value = Linear(width, inner, use_bias=False, rngs=rngs)
        self.out = Linear(inner, width, use_bias=False, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.at(x, np.arange(len(x)))

    def at(self, x: jax.Array, positions: Integers) -> jax.Array:
        query, key = self._features(self.query(x)), self._features(self.key(x))
        value = heads(self.value(x), self.num_heads)
        nothing = jnp.zeros(len(x))
        if self.normalized:
            # The sum of the keys is what the state holds of a value that is always 1.
            value = jnp.pad(value, ((0, 0), (0, 0), (0, 1)), constant_values=1.0)
        mixed = jax.vmap(decayed, in_axes=(0, 0, 0, None))(query, key, value, nothing)
        if self.normalized:
            mixed = mixed[..., :-1] / (mixed[..., -1:] + SMALLEST_SUM)
        return self.out(rows(side_by_side(mixed), positions))

    def weights(self, x: jax.Array, positions: Integers) -> jax.Array:
        """The share of each value in the output, `f32[H, Q, L]`; H = 0 where it is not normalised, and under
        a feature map whose products may all be 0."""
        if not self.normalized or self.feature_map != "elu":
            return super().weights(x, positions)
        query, key = self._features(self.query(rows(x, positions))), self._features(self.key(x))
        scores = jnp.where(np.arange(len(x)) <= positions[:, None], query @ key.swapaxes(1, 2), 0.0)
        return scores / (scores.sum(axis=-1, keepdims=True) + SMALLEST_SUM)

    def _features(self, x: jax.Array) -> jax.Array:
        """`f32[H, T, d]` of `f32[T, H * d]`."""
        return FEATURE_MAPS[self.feature_map](heads(x, self.num_heads))
