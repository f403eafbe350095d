"""Multi-head softmax attention."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from attnsearch.base import AttnsearchError, Integers
from attnsearch.mixers.base import Mixer, rows


class Attention(Mixer):
    """Causal multi-head softmax attention (arXiv:1706.03762, section 3.2).

    num_heads:   attention heads, H
    head_width:  features of each head's queries, keys and values; D / H unless given, and free to
                 differ from it
    """

    def __init__(
        self,
        width: int,
        context_length: int,
        *,
        rngs: nnx.Rngs,
        num_heads: int = 16,
        head_width: int | None = None,
    ):
        for name, value in (("num_heads", num_heads), ("head_width", head_width)):
            if value is not None and (not isinstance(value, int) or value < 1):
                raise AttnsearchError(f"{name} {value!r} must be a whole number, at least 1")
        if head_width is None and width % num_heads:
            divisors = [heads for heads in range(1, width + 1) if width % heads == 0]
            raise AttnsearchError(
                f"width {width} does not divide by num_heads {num_heads}:"
                f" use num_heads in {_listed(divisors)}, or give head_width"
            )
        self.num_heads = num_heads
        self.head_width = head_width or width // num_heads
        inner = self.num_heads * self.head_width
        self.query = nnx.Linear(width, inner, use_bias=False, rngs=rngs)
        self.key = nnx.Linear(width, inner, use_bias=False, rngs=rngs)
        self.value = nnx.Linear(width, inner, use_bias=False, rngs=rngs)
        self.out = nnx.Linear(inner, width, use_bias=False, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.at(x, np.arange(len(x)))

    def at(self, x: jax.Array, positions: Integers) -> jax.Array:
        query = self._heads(self.query(rows(x, positions) * self.head_width**-0.5))
        key, value = self._heads(self.key(x)), self._heads(self.value(x))
        logits = jnp.einsum("qhd,khd->hqk", query, key)
        visible = np.arange(len(x)) <= positions[:, None]
        weights = jax.nn.softmax(jnp.where(visible, logits, -jnp.inf))
        mixed = jnp.einsum("hqk,khd->qhd", weights, value)
        return self.out(mixed.reshape(len(positions), -1))

    def _heads(self, x: jax.Array) -> jax.Array:
        """`f32[T, H * d]` as `f32[T, H, d]`."""
        return x.reshape(len(x), self.num_heads, self.head_width)


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))
