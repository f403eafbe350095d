"""The matrix products of a function are found, and as often as it computes them."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from benchmarks.products import Shape, matrix_products


def test_products_count_as_often_as_they_are_computed() -> None:
    x, kernel, batch = jnp.ones((4, 3)), jnp.ones((3, 3)), jnp.ones((6, 2, 4))

    def function(x: jax.Array, kernel: jax.Array, batch: jax.Array) -> jax.Array:
        _dead = x.T @ x
        turned, _ = jax.lax.scan(lambda carried, _: (carried @ kernel, None), x, None, length=7)
        mapped = jax.vmap(jax.jit(lambda one, other: one @ other), in_axes=(0, None))(batch, turned)
        both = jnp.einsum("btd,bsd->bts", mapped, mapped)
        return both @ jnp.ones(2)

    assert matrix_products(function, x, kernel, batch) == {
        Shape(1, 4, 3, 3): 7,
        Shape(1, 12, 4, 3): 1,
        Shape(6, 2, 3, 2): 1,
    }
