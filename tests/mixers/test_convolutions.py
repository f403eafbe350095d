"""Mixers by convolution are their definitions, in whichever form they are computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from helpers.definitions import (
    LENGTHS,
    assert_as_large_as_attention,
    assert_defined_by,
    exact,
    inputs,
    noisy,
)

from attnsearch.base import AttnsearchError, Floats
from attnsearch.mixers.convolution import CHUNK, WHOLE, convolved
from attnsearch.mixers.hyena import Hyena
from attnsearch.mixers.short_conv import ShortConv
from attnsearch.mixers.taps import LONGEST, convolved_by_taps

WIDTH = 4


def convolution(x: Floats, kernel: Floats) -> Floats:
    mixed = np.zeros_like(x)
    for token in range(len(x)):
        for back in range(min(token + 1, len(kernel))):
            mixed[token] += kernel[back] * x[token - back]
    return mixed


def short_conv(mixer: ShortConv, x: Floats) -> Floats:
    gated = (x @ exact(mixer.before.kernel)) * (x @ exact(mixer.value.kernel))
    mixed = (x @ exact(mixer.after.kernel)) * convolution(gated, exact(mixer.kernel))
    return mixed @ exact(mixer.out.kernel)


def hyena(mixer: Hyena, x: Floats) -> Floats:
    length, width = x.shape
    z, one, two = np.split(convolution(x @ exact(mixer.inward.kernel), exact(mixer.short)), 3, axis=1)
    share = np.arange(length)[:, None] / length
    turns = 2 * np.pi * np.arange(16) * share
    hidden = np.concatenate([share, np.cos(turns), np.sin(turns)], axis=1)
    for layer in (mixer.first, mixer.second):
        assert layer.bias is not None
        hidden = np.sin(10 * (hidden @ exact(layer.kernel) + exact(layer.bias)))
    window = 100 ** (-share / np.linspace(0.3, 1.5, width)) + 0.05
    window /= np.sqrt((window**2).sum(axis=0))
    filters = np.split(hidden @ exact(mixer.last.kernel), 2, axis=1)
    for gate, kernel in zip((one, two), filters, strict=True):
        z = gate * convolution(z, window * kernel)
    return z @ exact(mixer.out.kernel)


def test_a_short_convolution_is_its_definition() -> None:
    mixer = noisy(ShortConv(WIDTH, 131, rngs=nnx.Rngs(0)))
    assert_defined_by(mixer, short_conv, WIDTH)


@pytest.mark.parametrize("length", LENGTHS)
def test_hyena_is_its_definition(length: int) -> None:
    # Its filters belong to its context, so that each length is a mixer of its own.
    mixer, x = Hyena(WIDTH, length, rngs=nnx.Rngs(0)), inputs(length, WIDTH)
    asked = np.unique([0, length // 2, length - 1])
    whole, some = jax.jit(lambda x: (mixer(x), mixer.at(x, asked)))(jnp.asarray(x, jnp.float32))
    expected = hyena(mixer, x)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(whole / scale, expected / scale, atol=2e-5)
    np.testing.assert_allclose(some / scale, expected[asked] / scale, atol=2e-5)


BY_PRODUCTS = [
    (convolved, length, size)
    for length in (7, CHUNK + 1, WHOLE, 2 * WHOLE + 37)
    for size in (1, 5, CHUNK, CHUNK + 1)
]
BY_TAPS = [(convolved_by_taps, length, size) for length in (1, 37) for size in (1, 8, LONGEST, LONGEST + 1)]


@pytest.mark.parametrize(("convolved", "length", "size"), BY_PRODUCTS + BY_TAPS)
def test_every_form_of_a_convolution_and_its_gradients_are_the_plain_one(
    convolved: Callable[[jax.Array, jax.Array], jax.Array], length: int, size: int
) -> None:
    random = np.random.default_rng(size)
    x, weights = random.normal(size=(2, length, 2))
    kernel = random.normal(size=(size, 2))

    def loss(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return (convolved(x, kernel) * jnp.asarray(weights, jnp.float32)).sum()

    given = (jnp.asarray(x, jnp.float32), jnp.asarray(kernel, jnp.float32))
    of_x, of_kernel = jax.jit(jax.grad(loss, argnums=(0, 1)))(*given)
    np.testing.assert_allclose(jax.jit(convolved)(*given), convolution(x, kernel), atol=1e-4)
    # The gradient of the kernel: what is j tokens apart, multiplied and summed.
    expected = [
        (weights[j:] * x[: length - j]).sum(axis=0) if j < length else np.zeros(2) for j in range(size)
    ]
    np.testing.assert_allclose(of_kernel, expected, atol=1e-3)
    np.testing.assert_allclose(of_x[::-1], convolution(weights[::-1], kernel), atol=1e-4)


def test_nothing_beyond_the_kernel_is_read() -> None:
    mixer = ShortConv(WIDTH, 9, rngs=nnx.Rngs(0), kernel_size=3)
    reads = jax.jacobian(lambda x: mixer(x)[-1])(
        jnp.asarray(np.random.default_rng(0).normal(size=(9, WIDTH)))
    )
    assert (np.flatnonzero(np.abs(reads).sum(axis=(0, 2))) == [6, 7, 8]).all()


@pytest.mark.parametrize("name", ["short_conv", "hyena"])
def test_size(name: str) -> None:
    assert_as_large_as_attention(name)


@pytest.mark.parametrize(
    ("kind", "setting"), [(ShortConv, "kernel_size"), (Hyena, "order"), (Hyena, "filter_width")]
)
def test_bad_settings(kind: type[Any], setting: str) -> None:
    with pytest.raises(AttnsearchError, match=f"{setting} 0 must be at least 1"):
        kind(WIDTH, 9, rngs=nnx.Rngs(0), **{setting: 0})
