"""RWKV-7 is its recurrence, where keys and inputs are large too.

The transformers package has RWKV-4 alone, so that no layer in torch is compared with it.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from helpers.definitions import assert_as_large_as_attention, assert_defined_by, exact, inputs, noisy

from attnsearch.base import AttnsearchError, Floats
from attnsearch.mixers.linear import Linear
from attnsearch.mixers.rwkv7 import RWKV7

WIDTH, HEADS = 8, 2


def sigmoid(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-x))


def applied(layer: Linear, x: Floats) -> Floats:
    return x @ exact(layer.kernel) + (0.0 if layer.bias is None else exact(layer.bias))


def definition(mixer: RWKV7, x: Floats) -> Floats:
    state, before, mixed = np.zeros((HEADS, WIDTH // HEADS, WIDTH // HEADS)), np.zeros(WIDTH), []
    for token in x:
        for_r, for_w, for_k, for_v, for_a, for_gate = token + (before - token) * exact(mixer.shift)
        before, r, v, key = (
            token,
            applied(mixer.receptance, for_r),
            applied(mixer.value, for_v),
            applied(mixer.key, for_k),
        )
        w = np.exp(-np.exp(-0.5) * sigmoid(applied(mixer.decay_out, np.tanh(applied(mixer.decay_in, for_w)))))
        a = sigmoid(applied(mixer.rate_out, applied(mixer.rate_in, for_a)))
        gate = applied(mixer.gate_out, sigmoid(applied(mixer.gate_in, for_gate)))
        u, k = key * exact(mixer.removal), key * (1 + (a - 1) * exact(mixer.replacement))
        r, w, k, v, a, u, rho = (y.reshape(HEADS, -1) for y in (r, w, k, v, a, u, exact(mixer.bonus)))
        u = u / np.sqrt((u**2).sum(axis=1, keepdims=True) + 1e-6)
        recalled = np.einsum("hkv,hk->hv", state, u)
        state = w[..., None] * state - (a * u)[..., None] * recalled[:, None] + k[..., None] * v[:, None]
        read = np.einsum("hkv,hk->hv", state, r)
        read = (read - read.mean(axis=1, keepdims=True)) / np.sqrt(read.var(axis=1, keepdims=True) + 64e-5)
        read = read.reshape(-1) * exact(mixer.scale) + exact(mixer.offset)
        own = ((r * rho * k).sum(axis=1, keepdims=True) * v).reshape(-1)
        mixed.append(applied(mixer.out, (read + own) * gate))
    return np.array(mixed)


def made() -> RWKV7:
    return noisy(RWKV7(WIDTH, 131, rngs=nnx.Rngs(0), num_heads=HEADS, rank=3))


def test_it_is_its_recurrence() -> None:
    assert_defined_by(made(), definition, WIDTH)


def test_it_is_its_recurrence_where_everything_is_forgotten_soonest() -> None:
    mixer = made()
    mixer.decay_out.bias = nnx.Param(jnp.full(WIDTH, 20.0))
    x = 10 * inputs(70, WIDTH)
    found, expected = jax.jit(lambda x: mixer(x))(jnp.asarray(x, jnp.float32)), definition(mixer, x)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found / scale, expected / scale, atol=1e-4)


def test_size() -> None:
    assert_as_large_as_attention("rwkv7")


def test_a_rank_of_zero_is_refused() -> None:
    with pytest.raises(AttnsearchError, match="rank 0 must be at least 1"):
        RWKV7(WIDTH, 9, rngs=nnx.Rngs(0), num_heads=HEADS, rank=0)
