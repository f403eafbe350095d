"""Several mixers side by side in one layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from attnsearch.base import AttnsearchError, Integers
from attnsearch.mixers.attention import Attention
from attnsearch.mixers.base import Mixer
from attnsearch.mixers.hyena import Hyena
from attnsearch.mixers.linear import Linear
from attnsearch.mixers.mlp_mixer import MLPMixer
from attnsearch.mixers.short_conv import ShortConv

PARTS: Mapping[str, type[Mixer]] = {
    "attention": Attention,
    "hyena": Hyena,
    "mlp_mixer": MLPMixer,
    "short_conv": ShortConv,
}
"""What can be combined. Named here, and not looked up in the registry, so that all code of a run is known."""


class Hybrid(Mixer):
    """Several mixers side by side in every layer, each on its own share of the features.

    After Hymba (arXiv:2411.13676, section 2.1), whose heads of two kinds read the same input. A projection
    deals the features out in equal shares, and another brings the outputs together::

        y = [part_1(x W_1), ..., part_n(x W_n)] W_out

    A mixer is not told its layer, so that parts cannot alternate from layer to layer. Each part has its
    default settings, except for the heads of attention.

    parts:      names of two or more mixers, joined by +
    num_heads:  heads of each attention among them
    """

    def __init__(
        self,
        width: int,
        context_length: int,
        *,
        rngs: nnx.Rngs,
        parts: str = "attention+short_conv",
        num_heads: int = 8,
    ):
        names = parts.split("+")
        unknown = [name for name in names if name not in PARTS]
        if unknown:
            raise AttnsearchError(
                f"parts {parts!r}: {unknown[0]!r} cannot be a part. Known: {', '.join(PARTS)}"
            )
        if len(names) == 1:
            raise AttnsearchError(f"parts {parts!r}: a hybrid has two or more. Join their names by +")
        if width % len(names):
            raise AttnsearchError(
                f"width {width} does not divide by {len(names)}, the parts of {parts}:"
                f" use a multiple of {len(names)}"
            )
        self.inward = Linear(width, width, use_bias=False, rngs=rngs)
        self.parts = nnx.List(
            [_part(name, width // len(names), context_length, num_heads, rngs) for name in names]
        )
        self.out = Linear(width, width, use_bias=False, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.at(x, np.arange(len(x)))

    def at(self, x: jax.Array, positions: Integers) -> jax.Array:
        mixed = [part.at(share, positions) for part, share in zip(self.parts, self._shares(x), strict=True)]
        return self.out(jnp.concatenate(mixed, axis=1))

    def weights(self, x: jax.Array, positions: Integers) -> jax.Array:
        """`f32[H, Q, L]`: the weights of every part that has any, part by part."""
        shares = zip(self.parts, self._shares(x), strict=True)
        return jnp.concatenate([part.weights(share, positions) for part, share in shares])

    def _shares(self, x: jax.Array) -> list[jax.Array]:
        return jnp.split(self.inward(x), len(self.parts), axis=1)


def _part(name: str, width: int, context_length: int, num_heads: int, rngs: nnx.Rngs) -> Mixer:
    kind = PARTS[name]
    if kind is Attention:
        return Attention(width, context_length, rngs=rngs, num_heads=num_heads)
    return cast("Callable[..., Mixer]", kind)(width, context_length, rngs=rngs)
