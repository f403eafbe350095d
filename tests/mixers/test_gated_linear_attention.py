"""Gated linear attention is its recurrence, also where a feature forgets all at once."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from helpers.definitions import assert_as_large_as_attention, assert_defined_by, exact, noisy
from helpers.heads import centred, projected, sigmoid, silu

from attnsearch.base import AttnsearchError, Floats
from attnsearch.mixers import recurrence
from attnsearch.mixers.gated_linear_attention import GatedLinearAttention

WIDTH = 8


def definition(mixer: GatedLinearAttention, x: Floats) -> Floats:
    heads = mixer.num_heads
    query, key, value = (projected(part, x, heads) for part in (mixer.query, mixer.key, mixer.value))
    low = x @ exact(mixer.decay_inward.kernel)
    decay = sigmoid(projected(mixer.decay_outward, low, heads)) ** (1 / 16)
    state, recalled = np.zeros((*key.shape[1:], value.shape[-1])), []
    for q, k, v, a in zip(query, key, value, decay, strict=True):
        state = a[:, :, None] * state + k[:, :, None] * v[:, None, :]
        recalled.append(np.einsum("hk,hkv->hv", q, state) / np.sqrt(mixer.key_width))
    normed = centred(np.array(recalled)) * exact(mixer.norm.scale) + exact(mixer.norm.bias)
    mixed = normed * silu(projected(mixer.gate, x, heads))
    return mixed.reshape(len(x), -1) @ exact(mixer.out.kernel)


def test_it_is_its_recurrence() -> None:
    made = GatedLinearAttention(WIDTH, 131, rngs=nnx.Rngs(0), num_heads=2, key_width=3, gate_rank=2)
    assert_defined_by(noisy(made), definition, WIDTH)


def test_size() -> None:
    assert_as_large_as_attention("gated_linear_attention")


def test_forgetting_all_at_once_leaves_outputs_and_gradients_finite() -> None:
    length = 37
    query, key, value = jax.random.normal(jax.random.key(0), (3, length, 2))
    forgetting = jnp.full((length, 2), -1e3).at[::2, 0].set(0.0)

    def mixed(*given: jax.Array) -> tuple[jax.Array, jax.Array]:
        found = recurrence.gated(*given)
        return found.sum(), found

    gradients, found = jax.jit(jax.grad(mixed, argnums=(0, 1, 2, 3), has_aux=True))(
        query, key, value, forgetting
    )
    assert all(np.isfinite(array).all() for array in gradients)
    only_the_last = (query[:, 1] * key[:, 1])[:, None] * value
    first = np.array(query[:, :1] * key[:, :1] * value)
    first[2::2] += np.asarray(query[2::2, :1] * key[1:-1:2, :1] * value[1:-1:2])
    np.testing.assert_allclose(found, only_the_last + first, atol=2e-3)


def test_bad_rank() -> None:
    with pytest.raises(AttnsearchError, match="gate_rank 0 must be at least 1"):
        GatedLinearAttention(WIDTH, 9, rngs=nnx.Rngs(0), gate_rank=0)
