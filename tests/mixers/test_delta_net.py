"""DeltaNet and Gated DeltaNet are their recurrences."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from helpers.definitions import assert_as_large_as_attention, assert_defined_by, exact, noisy
from helpers.heads import convolved, delta_rule, projected, scaled, sigmoid, silu, unit

from attnsearch.base import AttnsearchError, Floats
from attnsearch.mixers import recurrence
from attnsearch.mixers.delta_net import DeltaNet
from attnsearch.mixers.gated_delta_net import GatedDeltaNet

WIDTH = 8


def ungated(mixer: DeltaNet, x: Floats) -> Floats:
    heads = mixer.num_heads
    query, key = unit(convolved(mixer.query, x, heads)), unit(convolved(mixer.key, x, heads))
    rate = sigmoid(projected(mixer.rate, x, heads)[..., 0])
    value = convolved(mixer.value, x, heads)
    recalled = delta_rule(query / np.sqrt(mixer.head_width), key, value, rate, np.ones_like(rate))
    return scaled(recalled, mixer.norm).reshape(len(x), -1) @ exact(mixer.out.kernel)


def gated(mixer: GatedDeltaNet, x: Floats) -> Floats:
    heads = mixer.num_heads
    query, key = unit(convolved(mixer.query, x, heads)), unit(convolved(mixer.key, x, heads))
    rate = sigmoid(projected(mixer.rate, x, heads)[..., 0])
    step = np.log1p(np.exp(projected(mixer.step, x, heads)[..., 0] + exact(mixer.step_bias)))
    decay = np.exp(-np.exp(exact(mixer.log_forgetting)) * step)
    value = convolved(mixer.value, x, heads)
    recalled = delta_rule(query / np.sqrt(mixer.key_width), key, value, rate, decay)
    mixed = scaled(recalled, mixer.norm) * silu(projected(mixer.gate, x, heads))
    return mixed.reshape(len(x), -1) @ exact(mixer.out.kernel)


def test_delta_net_is_its_recurrence() -> None:
    assert_defined_by(noisy(DeltaNet(WIDTH, 131, rngs=nnx.Rngs(0), num_heads=2)), ungated, WIDTH)


def test_gated_delta_net_is_its_recurrence() -> None:
    made = GatedDeltaNet(WIDTH, 131, rngs=nnx.Rngs(0), num_heads=2, key_width=3, convolution_size=3)
    assert_defined_by(noisy(made), gated, WIDTH)


@pytest.mark.parametrize("name", ["delta_net", "gated_delta_net"])
def test_size(name: str) -> None:
    assert_as_large_as_attention(name)


def test_one_key_repeated_recalls_the_last_value() -> None:
    """Powers of the triangular matrix would have entries of 10^17 here, and rounding would be all."""
    length = 64
    key = jnp.ones((length, 4)) / 2
    value = jax.random.normal(jax.random.key(0), (length, 3))
    recalled = jax.jit(recurrence.delta_rule)(key, key, value, jnp.ones(length))
    np.testing.assert_allclose(recalled, value, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"convolution_size": 0}, "convolution_size 0 must be at least 1"),
        ({"key_width": 0}, "key_width 0 must be a whole number, at least 1"),
        ({"num_heads": 3}, "width 8 does not divide by num_heads 3"),
    ],
)
def test_bad_settings(settings: dict[str, int], text: str) -> None:
    with pytest.raises(AttnsearchError, match=text):
        GatedDeltaNet(WIDTH, 9, rngs=nnx.Rngs(0), **settings)
