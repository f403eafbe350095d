"""The matrix memory of xLSTM in jax is the layer of the transformers package, with the same weights."""

from __future__ import annotations

import numpy as np
import pytest
from flax import nnx
from helpers.definitions import exact, noisy
from helpers.with_torch.layers import assert_the_same, given
from helpers.with_torch.mixers import class_of

from attnsearch.mixers.mlstm import MLSTM

WIDTH = 32


@pytest.mark.parametrize("length", [37, 131])
def test_mlstm(length: int) -> None:
    mixer = noisy(MLSTM(WIDTH, length, rngs=nnx.Rngs(0)))
    layer = class_of("xlstm")(WIDTH, length)
    gates, (of_input, of_forget) = mixer.gates, np.split(exact(mixer.gates.kernel).T, 2)
    assert gates.bias is not None
    input_bias, forget_bias = np.split(exact(gates.bias), 2)
    weights = {
        "q.weight": mixer.query.kernel[...].T,
        "k.weight": mixer.key.kernel[...].T,
        "v.weight": mixer.value.kernel[...].T,
        "ogate_preact.weight": mixer.output_gate.kernel[...].T,
        "igate_preact.weight": of_input,
        "igate_preact.bias": input_bias,
        "fgate_preact.weight": of_forget,
        "fgate_preact.bias": forget_bias,
        "multihead_norm.weight": mixer.scale[...],
        "out_proj.weight": mixer.out.kernel[...].T,
    }
    given(layer, {f"layer.{name}": np.asarray(values) for name, values in weights.items()})
    assert_the_same(mixer, layer, length, WIDTH)
