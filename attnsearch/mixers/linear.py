"""Products with trained matrices, arranged so that their gradients are fast on a CPU too."""

from __future__ import annotations

from typing import Any

import jax
from flax import nnx


def product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`x @ kernel`, `f32[T, I]` with `f32[I, O]`: the same numbers, with a faster gradient.

    The gradient of the kernel comes out transposed. XLA would merge that transposition into a product of
    two transposed operands, which its CPU back end computes slowly (docs/performance.md). The barrier keeps
    the two apart.
    """
    transposed = jax.lax.optimization_barrier(kernel.T)
    return jax.lax.dot_general(x, transposed, (((1,), (1,)), ((), ())))


class Linear(nnx.Linear):
    """`nnx.Linear` for inputs `f32[T, I]`, by `product`."""

    def __call__(self, inputs: jax.Array, out_sharding: Any = None) -> jax.Array:
        y = product(inputs, self.kernel[...])
        return y if self.bias is None else y + self.bias[...]
