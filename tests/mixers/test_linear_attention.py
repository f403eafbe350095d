"""Linear attention is its recurrence, under each feature map, and its weights are those it mixes with."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from helpers.definitions import assert_as_large_as_attention, assert_defined_by, exact, noisy

from attnsearch.base import AttnsearchError, Floats
from attnsearch.mixers.linear_attention import LinearAttention

WIDTH = 6
MAPS = {
    "elu": lambda x: np.where(x > 0, x + 1, np.exp(x)),
    "relu": lambda x: np.maximum(x, 0),
    "square": np.square,
    "identity": lambda x: x,
}


def definition(mixer: LinearAttention, x: Floats) -> Floats:
    query, key, value = (
        (x @ exact(projection.kernel)).reshape(len(x), mixer.num_heads, -1)
        for projection in (mixer.query, mixer.key, mixer.value)
    )
    query, key = MAPS[mixer.feature_map](query), MAPS[mixer.feature_map](key)
    heads, features = key.shape[1:]
    state, total, mixed = np.zeros((heads, features, value.shape[-1])), np.zeros((heads, features)), []
    for q, k, v in zip(query, key, value, strict=True):
        state, total = state + k[:, :, None] * v[:, None, :], total + k
        recalled = np.einsum("hk,hkv->hv", q, state)
        share = (q * total).sum(axis=1, keepdims=True) + 1e-12 if mixer.normalized else 1.0
        mixed.append((recalled / share).reshape(-1))
    return np.array(mixed) @ exact(mixer.out.kernel)


@pytest.mark.parametrize(
    ("feature_map", "normalized"), [("elu", True), ("square", True), ("identity", False)]
)
def test_it_is_its_recurrence(feature_map: str, normalized: bool) -> None:
    mixer = LinearAttention(
        WIDTH, 131, rngs=nnx.Rngs(0), num_heads=2, feature_map=feature_map, normalized=normalized
    )
    assert_defined_by(noisy(mixer), definition, WIDTH)


def test_size() -> None:
    assert_as_large_as_attention("linear_attention")


def test_its_weights_are_those_it_mixes_with() -> None:
    # The values of one head that are the positions themselves, passed on as they are, show its weights.
    made = LinearAttention(7, 7, rngs=nnx.Rngs(0), num_heads=1)
    x = jax.random.normal(jax.random.key(2), (7, 7)) + jnp.eye(7) * 3
    made.value.kernel.set_value(jnp.linalg.inv(x))
    made.out.kernel.set_value(jnp.eye(7))
    np.testing.assert_allclose(made(x), made.weights(x, np.arange(7))[0], atol=1e-4)
    rectified = LinearAttention(7, 7, rngs=nnx.Rngs(0), num_heads=1, feature_map="relu")
    assert rectified.weights(x, np.arange(2)).shape == (0, 2, 7)


def test_features_that_are_all_zero_leave_outputs_and_gradients_finite() -> None:
    made = LinearAttention(4, 5, rngs=nnx.Rngs(0), num_heads=2, feature_map="relu")
    nothing = jax.jit(jax.value_and_grad(lambda x: made(x).sum()))(jnp.zeros((5, 4)))
    assert all(np.isfinite(found).all() for found in nothing)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"feature_map": "cosine"}, "feature_map 'cosine' must be one of elu, relu, square, identity"),
        ({"feature_map": "identity"}, "set normalized to false, or use elu, relu, square"),
        ({"num_heads": 4}, "width 6 does not divide by num_heads 4"),
    ],
)
def test_bad_settings(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(AttnsearchError, match=text):
        LinearAttention(WIDTH, 9, rngs=nnx.Rngs(0), **settings)
