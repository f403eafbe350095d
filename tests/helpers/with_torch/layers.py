"""Layers of the transformers package with the weights of a mixer here: the same outputs and gradients."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import nnx
from torch import nn

from attnsearch.base import Floats
from attnsearch.mixers.base import Mixer


def given(layer: nn.Module, weights: Mapping[str, Floats]) -> None:
    """Put `weights`, by name, in the place of all parameters of `layer`."""
    parameters = dict(layer.named_parameters())
    assert parameters.keys() == weights.keys()
    with torch.no_grad():
        for name, values in weights.items():
            assert parameters[name].shape == values.shape, name
            parameters[name].copy_(torch.tensor(values))


def assert_the_same(mixer: Mixer, layer: nn.Module, length: int, width: int) -> None:
    """Outputs and the gradient of the inputs agree to 1e-4 of the largest."""
    random = np.random.default_rng(0)
    x, weights = (random.normal(size=(length, width)).astype(np.float32) for _ in range(2))
    definition, parameters = nnx.split(mixer)

    def weighted(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        mixed = nnx.merge(definition, parameters)(x)
        return (mixed * weights).sum(), mixed

    gradient, mixed = jax.jit(jax.grad(weighted, has_aux=True))(jnp.asarray(x))
    theirs = torch.tensor(x[None], requires_grad=True)
    output = layer(theirs)[0]
    (output * torch.tensor(weights)).sum().backward()
    assert theirs.grad is not None
    for one, other in ((mixed, output.detach().numpy()), (gradient, theirs.grad[0].numpy())):
        scale = np.abs(other).max()
        np.testing.assert_allclose(one / scale, other / scale, atol=1e-4)
