"""Mamba and Mamba-2 are their recurrences, and the gradient of the scan is the derived one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from helpers.definitions import assert_as_large_as_attention, assert_defined_by, exact, noisy

from attnsearch.base import AttnsearchError, Floats
from attnsearch.mixers.mamba import Mamba
from attnsearch.mixers.mamba2 import Mamba2
from attnsearch.mixers.parts import Convolved
from attnsearch.mixers.scan import Selection, selective_scan
from attnsearch.mixers.state_space import LONGEST_STEP, SHORTEST_STEP

WIDTH, STATE = 8, 3


def softplus(x: Floats) -> Floats:
    return np.log1p(np.exp(x))


def silu(x: Floats) -> Floats:
    return x / (1 + np.exp(-x))


def convolved(layer: Convolved, x: Floats) -> Floats:
    kernel, moved = exact(layer.kernel), x @ exact(layer.linear.kernel)
    rows = []
    for now in range(len(x)):
        row = exact(layer.bias)
        for before in range(min(now + 1, len(kernel))):
            row = row + kernel[before] * moved[now - before]
        rows.append(silu(row))
    return np.array(rows)


def mamba(mixer: Mamba, x: Floats) -> Floats:
    u = convolved(mixer.inward, x)
    selected, rank = u @ exact(mixer.selection.kernel), mixer.step.kernel.shape[0]
    steps = softplus(selected[:, :rank] @ exact(mixer.step.kernel) + exact(mixer.step_bias))
    rate, state, mixed = np.exp(exact(mixer.log_rate)), np.zeros((STATE, u.shape[1])), []
    for token, step, (b, c) in zip(u, steps, selected[:, rank:].reshape(-1, 2, STATE), strict=True):
        state = np.exp(-rate * step) * state + b[:, None] * (step * token)
        mixed.append(c @ state + exact(mixer.skip) * token)
    return (np.array(mixed) * silu(x @ exact(mixer.gate.kernel))) @ exact(mixer.out.kernel)


def mamba2(mixer: Mamba2, x: Floats) -> Floats:
    values, written, read = np.split(convolved(mixer.inward, x), [mixer.inner, mixer.inner + STATE], axis=1)
    steps = softplus(x @ exact(mixer.step.kernel) + exact(mixer.step_bias))
    heads = mixer.num_heads
    rate, state, mixed = np.exp(exact(mixer.log_rate)), np.zeros((heads, STATE, mixer.inner // heads)), []
    for row, step, b, c in zip(values, steps, written, read, strict=True):
        value = row.reshape(heads, -1)
        added = b[:, None] * (step[:, None] * value)[:, None]
        state = np.exp(-rate * step)[:, None, None] * state + added
        mixed.append((c @ state + exact(mixer.skip)[:, None] * value).reshape(-1))
    gated = np.array(mixed) * silu(x @ exact(mixer.gate.kernel))
    normed = gated / np.sqrt((gated**2).mean(axis=1, keepdims=True) + 1e-5)
    return (normed * exact(mixer.norm.scale)) @ exact(mixer.out.kernel)


def test_mamba_is_its_recurrence() -> None:
    mixer = noisy(Mamba(WIDTH, 131, rngs=nnx.Rngs(0), state_width=STATE, step_width=2, expansion=2))
    assert_defined_by(mixer, mamba, WIDTH)


def test_mamba2_is_its_recurrence() -> None:
    mixer = noisy(Mamba2(WIDTH, 131, rngs=nnx.Rngs(0), state_width=STATE, num_heads=2, expansion=2))
    assert_defined_by(mixer, mamba2, WIDTH)


@pytest.mark.parametrize("name", ["mamba", "mamba2"])
def test_size(name: str) -> None:
    assert_as_large_as_attention(name)


@pytest.mark.parametrize("kind", [Mamba, Mamba2])
def test_steps_start_in_their_range_and_bad_settings_are_refused(kind: Any) -> None:
    steps = softplus(exact(kind(64, 9, rngs=nnx.Rngs(0)).step_bias))
    assert (steps >= 0.99 * SHORTEST_STEP).all()
    assert (steps <= 1.01 * LONGEST_STEP).all()
    for setting in ("state_width", "expansion", "convolution_size"):
        with pytest.raises(AttnsearchError, match=f"{setting} 0 must be at least 1"):
            kind(64, 9, rngs=nnx.Rngs(0), **{setting: 0})


@pytest.mark.parametrize("length", [7, 131])
def test_the_gradient_of_the_scan_is_the_derived_one(length: int) -> None:
    random = np.random.default_rng(0)

    def drawn(*shape: int) -> jax.Array:
        return jnp.asarray(random.normal(size=shape), jnp.float32)

    tokens = Selection(jnp.abs(drawn(length, 4)), drawn(length, 4), drawn(length, 2), drawn(length, 2))
    rate, weights = jnp.abs(drawn(2, 4)), drawn(length, 4)

    def plain(rate: jax.Array, tokens: Selection) -> jax.Array:
        def step(state: jax.Array, now: Selection) -> tuple[jax.Array, jax.Array]:
            state = jnp.exp(-rate * now.step) * state + now.written[:, None] * now.moved
            return state, now.read @ state

        return jax.lax.scan(step, jnp.zeros_like(rate), tokens)[1]

    ways = [
        jax.jit(jax.grad(lambda r, t, way=way: (way(r, t) * weights).sum(), argnums=(0, 1)))
        for way in (plain, selective_scan)
    ]
    found = [jax.tree.leaves(way(rate, tokens)) for way in ways]
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
