"""Mamba and Mamba-2 in jax are the layers of the transformers package, with the same weights."""

from __future__ import annotations

import numpy as np
import pytest
from flax import nnx
from helpers.definitions import exact, noisy
from helpers.with_torch.layers import assert_the_same, given
from helpers.with_torch.mixers import class_of

from attnsearch.mixers.mamba import Mamba
from attnsearch.mixers.mamba2 import Mamba2

WIDTH = 32


@pytest.mark.parametrize("length", [37, 131])
def test_mamba(length: int) -> None:
    mixer = noisy(Mamba(WIDTH, length, rngs=nnx.Rngs(0), state_width=4))
    layer = class_of("mamba")(WIDTH, length, state_size=4)
    inward = mixer.inward
    assert inward.bias is not None
    weights = {
        "A_log": mixer.log_rate[...].T,
        "D": mixer.skip[...],
        "conv1d.weight": inward.kernel[::-1].T[:, None],
        "conv1d.bias": inward.bias[...],
        "in_proj.weight": np.concatenate([exact(inward.linear.kernel), exact(mixer.gate.kernel)], axis=1).T,
        "x_proj.weight": mixer.selection.kernel[...].T,
        "dt_proj.weight": mixer.step.kernel[...].T,
        "dt_proj.bias": mixer.step_bias[...],
        "out_proj.weight": mixer.out.kernel[...].T,
    }
    given(layer, {f"layer.{name}": np.asarray(values) for name, values in weights.items()})
    assert_the_same(mixer, layer, length, WIDTH)


@pytest.mark.parametrize("length", [37, 131])
def test_mamba2(length: int) -> None:
    mixer = noisy(Mamba2(WIDTH, length, rngs=nnx.Rngs(0), state_width=4, num_heads=2))
    layer = class_of("mamba2")(WIDTH, length, state_size=4, num_heads=2)
    inward, kernels = mixer.inward, (mixer.gate.kernel, mixer.inward.linear.kernel, mixer.step.kernel)
    assert mixer.norm.scale is not None
    assert inward.bias is not None
    weights = {
        "A_log": mixer.log_rate[...],
        "D": mixer.skip[...],
        "conv1d.weight": inward.kernel[::-1].T[:, None],
        "conv1d.bias": inward.bias[...],
        "dt_bias": mixer.step_bias[...],
        "in_proj.weight": np.concatenate([exact(kernel) for kernel in kernels], axis=1).T,
        "norm.weight": mixer.norm.scale[...],
        "out_proj.weight": mixer.out.kernel[...].T,
    }
    given(layer, {f"layer.{name}": np.asarray(values) for name, values in weights.items()})
    assert_the_same(mixer, layer, length, WIDTH)
