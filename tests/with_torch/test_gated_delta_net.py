"""Gated DeltaNet in jax is the layer that the transformers package has: outputs and input gradients."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx
from helpers.definitions import inputs, noisy
from transformers.models.olmo_hybrid.configuration_olmo_hybrid import OlmoHybridConfig
from transformers.models.olmo_hybrid.modeling_olmo_hybrid import OlmoHybridGatedDeltaNet

from attnsearch.mixers.gated_delta_net import GatedDeltaNet

WIDTH, HEADS, KEY, VALUE = 16, 2, 3, 8


def matrix(linear: Any) -> torch.Tensor:
    return torch.tensor(np.asarray(linear.kernel[...]).T)


def vector(parameter: Any) -> torch.Tensor:
    return torch.tensor(np.asarray(parameter[...]))


def copied(ours: GatedDeltaNet) -> OlmoHybridGatedDeltaNet:
    """Their layer with our parameters. It has one convolution over queries, keys and values."""
    sizes = {"linear_num_key_heads": HEADS, "linear_num_value_heads": HEADS}
    features = {"linear_key_head_dim": KEY, "linear_value_head_dim": VALUE}
    # One layer must be attention in that model; only the first layer is made here.
    layers = {"num_hidden_layers": 2, "layer_types": ["linear_attention", "full_attention"]}
    config = OlmoHybridConfig(hidden_size=WIDTH, linear_allow_neg_eigval=False, **sizes, **features, **layers)
    theirs = OlmoHybridGatedDeltaNet(config, layer_idx=0)
    theirs.o_norm.variance_epsilon = 1e-6  # theirs is 1e-5; the paper's code and Qwen3-Next have 1e-6
    convolutions = [part.kernel[::-1] for part in (ours.query, ours.key, ours.value)]
    parameters = {
        "q_proj.weight": matrix(ours.query.linear),
        "k_proj.weight": matrix(ours.key.linear),
        "v_proj.weight": matrix(ours.value.linear),
        "a_proj.weight": matrix(ours.step),
        "b_proj.weight": matrix(ours.rate),
        "g_proj.weight": matrix(ours.gate),
        "o_proj.weight": matrix(ours.out),
        "conv1d.weight": torch.tensor(np.concatenate(convolutions, axis=1).T[:, None]),
        "A_log": vector(ours.log_forgetting),
        "dt_bias": vector(ours.step_bias),
        "o_norm.weight": vector(ours.norm.scale),
    }
    theirs.load_state_dict(parameters)
    return theirs


@pytest.mark.parametrize("length", [7, 131])
def test_outputs_and_input_gradients_agree(length: int) -> None:
    built = GatedDeltaNet(WIDTH, length, rngs=nnx.Rngs(0), num_heads=HEADS, head_width=VALUE, key_width=KEY)
    ours: Any = noisy(built)
    x, direction = inputs(length, WIDTH), inputs(length + 1, WIDTH)[:length]

    def along(given: jax.Array) -> tuple[jax.Array, jax.Array]:
        mixed = ours(given)
        return (mixed * direction).sum(), mixed

    gradient, mixed = jax.jit(jax.grad(along, has_aux=True))(jnp.asarray(x, jnp.float32))
    given = torch.tensor(x[None], dtype=torch.float32, requires_grad=True)
    expected = copied(ours)(given)
    (expected * torch.tensor(direction[None], dtype=torch.float32)).sum().backward()
    assert given.grad is not None
    for found, other in ((mixed, expected.detach()[0]), (gradient, given.grad[0])):
        np.testing.assert_allclose(found, other, rtol=1e-4, atol=1e-4)
