"""The two memories of xLSTM are their recurrences, with the exponential gates as written."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from helpers.definitions import assert_as_large_as_attention, assert_defined_by, exact, noisy

from attnsearch.base import Floats
from attnsearch.mixers import mlstm as module
from attnsearch.mixers.chunks import by_chunks
from attnsearch.mixers.linear import Linear
from attnsearch.mixers.mlstm import LARGEST_GATE, MLSTM, remembered
from attnsearch.mixers.slstm import SLSTM

WIDTH, HEADS = 8, 2


def sigmoid(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-x))


def applied(layer: Linear, x: Floats) -> Floats:
    return x @ exact(layer.kernel) + (0.0 if layer.bias is None else exact(layer.bias))


def normed(x: Floats) -> Floats:
    """The LayerNorm of each head."""
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-6)


def mlstm(mixer: MLSTM, x: Floats) -> Floats:
    layers = (mixer.query, mixer.key, mixer.value)
    queries, keys, values = (applied(layer, x).reshape(len(x), HEADS, -1) for layer in layers)
    gates = LARGEST_GATE * np.tanh(applied(mixer.gates, x) / LARGEST_GATE)
    memory, normaliser, mixed = np.zeros((HEADS, mixer.key_width, WIDTH // HEADS)), 0.0, []
    for query, key, value, gate in zip(queries, keys, values, gates, strict=True):
        added, kept = np.exp(gate[:HEADS, None]), sigmoid(gate[HEADS:, None])
        memory = kept[..., None] * memory + (added * key)[..., None] * value[:, None]
        normaliser = kept * normaliser + added * key
        query = query / mixer.key_width**0.5
        found = np.abs((normaliser * query).sum(axis=1, keepdims=True))
        mixed.append(np.einsum("hkv,hk->hv", memory, query) / np.maximum(found, 1.0))
    read = normed(np.array(mixed)).reshape(x.shape) * exact(mixer.scale)
    return applied(mixer.out, read * sigmoid(applied(mixer.output_gate, x)))


def slstm(mixer: SLSTM, x: Floats) -> Floats:
    recurrent, given = exact(mixer.recurrent), applied(mixer.inward, x).reshape(len(x), HEADS, -1)
    cell, normaliser, hidden, mixed = 0.0, 0.0, np.zeros((HEADS, WIDTH // HEADS)), []
    for now in given:
        z, i, f, o = np.split(now + np.einsum("hd,hde->he", hidden, recurrent), 4, axis=1)
        cell = sigmoid(f) * cell + np.exp(i) * np.tanh(z)
        normaliser = sigmoid(f) * normaliser + np.exp(i)
        hidden = sigmoid(o) * cell / normaliser
        mixed.append(hidden)
    return normed(np.array(mixed)).reshape(x.shape) * exact(mixer.scale)


def test_mlstm_is_its_recurrence() -> None:
    mixer = noisy(MLSTM(WIDTH, 131, rngs=nnx.Rngs(0), num_heads=HEADS, key_width=3))
    assert_defined_by(mixer, mlstm, WIDTH)


def test_the_gradient_within_a_chunk_is_that_of_two_chunks() -> None:
    # The loop over chunks has a derived gradient. With these gates some outputs are divided by the floor.
    random = np.random.default_rng(0)
    query, key, value, direction = random.normal(size=(4, 37, 5))
    given = (query, key, value, random.normal(size=37) - 2.0, -random.uniform(size=37))
    arrays = [jnp.asarray(one, jnp.float32) for one in given]

    def by_halves(query: jax.Array, key: jax.Array, value: jax.Array, *gates: jax.Array) -> jax.Array:
        with_ones = jnp.pad(value, ((0, 0), (0, 1)), constant_values=1.0)
        return by_chunks(module._chunk, (query, key, with_ones, *gates), size=20)

    @jax.jit
    def both(*arrays: jax.Array) -> Any:
        made = [jax.vjp(form, *arrays) for form in (remembered, by_halves)]
        return [(mixed, back(jnp.asarray(direction, jnp.float32))) for mixed, back in made]

    found, expected = both(*arrays)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5 * np.abs(other).max())


def test_slstm_is_its_recurrence() -> None:
    assert_defined_by(noisy(SLSTM(WIDTH, 131, rngs=nnx.Rngs(0), num_heads=HEADS)), slstm, WIDTH)


@pytest.mark.parametrize("kind", [MLSTM, SLSTM])
def test_large_gates_overflow_nothing(kind: type[MLSTM] | type[SLSTM]) -> None:
    definition, parameters = nnx.split(kind(WIDTH, 70, rngs=nnx.Rngs(0), num_heads=HEADS))
    x = 1000.0 * jax.random.normal(jax.random.key(0), (70, WIDTH))
    gradient = jax.jit(jax.grad(lambda p, x: (nnx.merge(definition, p)(x) ** 2).sum(), argnums=(0, 1)))
    assert all(jnp.isfinite(found).all() for found in jax.tree.leaves(gradient(parameters, x)))


@pytest.mark.parametrize("name", ["mlstm", "slstm"])
def test_size(name: str) -> None:
    assert_as_large_as_attention(name)
