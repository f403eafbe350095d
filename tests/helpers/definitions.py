"""What a recurrent mixer computes, compared with its definition: one token after another in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from attnsearch.base import Floats
from attnsearch.mixers import MIXERS, Attention
from attnsearch.mixers.base import Mixer
from attnsearch.spec.run import NetworkSpec

Made = TypeVar("Made", bound=Mixer)

LENGTHS = (1, 7, 37, 131)
"""One token, two odd lengths within a chunk of 64, and two chunks and a part of one."""


def noisy(mixer: Made, scale: float = 0.2) -> Made:
    """`mixer` with noise in every parameter, for at initialisation a fault may hide behind zeros."""
    definition, parameters, constants = nnx.split(mixer, nnx.Param, ...)
    random = np.random.default_rng(0)
    # In numpy, which compiles nothing.
    added = [np.asarray(leaf) + scale * random.normal(size=leaf.shape) for leaf in leaves(parameters)]
    changed = [jnp.asarray(leaf, jnp.float32) for leaf in added]
    return nnx.merge(definition, jax.tree.unflatten(jax.tree.structure(parameters), changed), constants)


def leaves(parameters: Any) -> list[Any]:
    return jax.tree.leaves(parameters)


def exact(parameter: Any) -> Floats:
    """The values of an `nnx.Param` in float64."""
    return np.asarray(parameter[...], np.float64)


def inputs(length: int, width: int) -> Floats:
    return np.random.default_rng(length).normal(size=(length, width))


def assert_defined_by(mixer: Mixer, definition: Callable[[Any, Floats], Floats], width: int) -> None:
    """`mixer` has the outputs of `definition(mixer, x)` at every length."""
    for length in LENGTHS:
        x = inputs(length, width)
        found, expected = jax.jit(lambda x: mixer(x))(jnp.asarray(x, jnp.float32)), definition(mixer, x)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found / scale, expected / scale, atol=2e-5, err_msg=f"length {length}")


def assert_as_large_as_attention(name: str) -> None:
    """A block's parameters by default are within a tenth of those that it has with attention, at D = 128."""
    spec = NetworkSpec()

    def size(kind: Callable[..., Mixer]) -> int:
        made = nnx.eval_shape(lambda: kind(spec.width, 32, rngs=nnx.Rngs(0)))
        return sum(leaf.size for leaf in leaves(nnx.state(made, nnx.Param)))

    mlp = 2 * spec.width * spec.mlp_width
    assert abs(size(MIXERS[name]) - size(Attention)) <= 0.1 * (size(Attention) + mlp)
