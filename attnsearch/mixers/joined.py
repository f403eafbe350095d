"""Several projections of one input as one product."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from attnsearch.base import Integers
from attnsearch.mixers.base import rows
from attnsearch.mixers.linear import Linear, product

LONGEST = 4_096
"""Tokens up to which one product is faster. Beyond, its outputs leave the cache before they are cut apart."""


def projected(
    x: jax.Array, positions: Integers, every: Sequence[Linear], asked: Sequence[Linear]
) -> tuple[list[jax.Array], list[jax.Array]]:
    """What each layer makes of `x`, `f32[L, D]`: of all rows, and of the rows `positions`, `i32[Q]` in rising
    order.

    every:  layers that are given all rows: `f32[L, O]` of each
    asked:  layers that are given the rows `positions`: `f32[Q, O]` of each

    Where all rows are asked for, all layers are one product, or else two.
    """
    if len(positions) < len(x):
        return _joined(x, every), _joined(rows(x, positions), asked)
    outputs = _joined(x, [*every, *asked])
    return outputs[: len(every)], outputs[len(every) :]


def _joined(x: jax.Array, layers: Sequence[Linear]) -> list[jax.Array]:
    """The outputs of `layers`, up to `LONGEST` tokens by one product with their matrices side by side.

    One product over all features computes the gradient of `x` faster than a product for each layer and their
    sum. The gradients of the matrices are one product too.
    """
    if len(x) > LONGEST:
        return [layer(x) for layer in layers]
    kernels = [layer.kernel[...] for layer in layers]
    ends = np.cumsum([kernel.shape[1] for kernel in kernels])[:-1]
    outputs = jnp.split(product(x, jnp.concatenate(kernels, axis=1)), ends, axis=1)
    return [
        output if layer.bias is None else output + layer.bias[...]
        for output, layer in zip(outputs, layers, strict=True)
    ]
