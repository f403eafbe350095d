"""Attention and MLP-Mixer are the same in both frameworks: from copied parameters, and as they start."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx
from helpers.with_torch.mixers import class_of, inputs
from torch import nn

from attnsearch.base import AttnsearchError
from attnsearch.mixers import MIXERS
from attnsearch.mixers.base import LogitMixer, Mixer, default_settings
from attnsearch.training.torch.mixers.attention import Attention

LENGTH, WIDTH, BATCH = 7, 16, 3
POSITIONS = np.array([1, 2, 6])

CASES: list[tuple[str, dict[str, Any]]] = [
    ("attention", {}),
    ("attention", {"num_heads": 3, "head_width": 5}),
    ("mlp_mixer", {}),
    ("mlp_mixer", {"expansion": 1}),
]


def in_jax(name: str) -> Callable[..., Mixer]:
    return MIXERS[name]


class Pair:
    """A mixer in jax, and the one of its name in torch with the parameters of the first."""

    def __init__(self, name: str, settings: dict[str, Any]) -> None:
        self.jax = in_jax(name)(WIDTH, LENGTH, rngs=nnx.Rngs(0), **settings)
        self.torch = class_of(name)(WIDTH, LENGTH, **settings)
        flat = {path: leaf[...] for path, leaf in nnx.to_flat_state(nnx.state(self.jax, nnx.Param))}
        with torch.no_grad():
            for path, array in flat.items():
                self.parameter(path).copy_(torch.from_numpy(self.turned(path, array).copy()))

    def parameter(self, path: tuple[Any, ...]) -> nn.Parameter:
        return self.torch.get_parameter(".".join(map(str, path)).replace("kernel", "weight"))

    def turned(self, path: tuple[Any, ...], array: Any) -> np.ndarray:
        """An array of jax as torch holds it: the matrix of a linear layer the other way round."""
        return np.asarray(array).T if path[-1] == "kernel" else np.asarray(array)


def assert_agree(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.fixture(params=CASES, ids=str)
def pair(request: pytest.FixtureRequest) -> Pair:
    return Pair(*request.param)


def test_outputs_and_gradients_agree(pair: Pair) -> None:
    x, weights = inputs(BATCH, LENGTH, WIDTH).requires_grad_(), inputs(BATCH, LENGTH, WIDTH, seed=3)
    mixed = pair.torch(x)
    (mixed * weights).sum().backward()
    definition, parameters = nnx.split(pair.jax)

    def weighted(parameters: Any, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        mixed = jax.vmap(nnx.merge(definition, parameters))(x)
        return (mixed * jnp.asarray(weights.numpy())).sum(), mixed

    gradient = jax.jit(jax.grad(weighted, argnums=(0, 1), has_aux=True))
    (of_parameters, of_x), expected = gradient(parameters, jnp.asarray(x.detach().numpy()))
    assert_agree(mixed.detach(), expected)
    assert x.grad is not None
    assert_agree(x.grad, of_x)
    for path, leaf in nnx.to_flat_state(of_parameters):
        found = pair.parameter(path).grad
        assert found is not None
        assert_agree(found, pair.turned(path, leaf[...]))


@torch.no_grad()
@pytest.mark.parametrize("settings", [settings for name, settings in CASES if name == "attention"])
def test_weights_and_biases_agree(settings: dict[str, Any]) -> None:
    pair, x = Pair("attention", settings), inputs(BATCH, LENGTH, WIDTH)
    bias, asked = inputs(BATCH, LENGTH, LENGTH, seed=4) * 3, torch.from_numpy(POSITIONS)
    found, ours = pair.torch, pair.jax
    assert isinstance(found, Attention)
    assert isinstance(ours, LogitMixer)

    @jax.jit
    @jax.vmap
    def expected(x: jax.Array, bias: jax.Array) -> tuple[jax.Array, ...]:
        return (
            ours.weights(x, POSITIONS),
            ours.biased_weights(x, POSITIONS, lambda at: bias[at]),
            ours.biased_at(x, np.arange(LENGTH), lambda at: bias[at]),
        )

    for one, other in zip(
        (found.weights(x, asked), found.biased_weights(x, asked, bias), found.biased(x, bias)),
        expected(jnp.asarray(x.numpy()), jnp.asarray(bias.numpy())),
        strict=True,
    ):
        assert_agree(one, other)


@torch.no_grad()
def test_a_bias_of_nothing_changes_nothing() -> None:
    mixer, x = Attention(WIDTH, LENGTH), inputs(BATCH, LENGTH, WIDTH)
    torch.testing.assert_close(mixer.biased(x, torch.zeros(BATCH, LENGTH, LENGTH)), mixer(x))


@pytest.mark.parametrize("name", ["attention", "mlp_mixer"])
def test_settings_have_the_same_names_and_defaults(name: str) -> None:
    defaults = {
        parameter.name: parameter.default
        for parameter in list(inspect.signature(class_of(name)).parameters.values())[2:]
    }
    assert defaults == default_settings(MIXERS[name])


@pytest.mark.parametrize("name", ["attention", "mlp_mixer"])
def test_both_start_from_the_same_distribution(name: str) -> None:
    """Deviation and kurtosis of each array, the second to tell a cut normal distribution from a whole one."""
    width, length = 256, 48
    torch.manual_seed(0)
    ours = dict(class_of(name)(width, length).named_parameters())
    for path, leaf in nnx.to_flat_state(nnx.state(in_jax(name)(width, length, rngs=nnx.Rngs(0)), nnx.Param)):
        found = ours[".".join(map(str, path)).replace("kernel", "weight")].detach().numpy()
        expected = np.asarray(leaf[...])
        if name == "mlp_mixer":
            # The first axis is the position; the more one sees, the smaller its values.
            scale = np.arange(1, length + 1).reshape(-1, *[1] * (found.ndim - 1)) ** 0.5
            found, expected = found * scale, expected * scale
        np.testing.assert_allclose(found.std(), expected.std(), rtol=0.02)
        np.testing.assert_allclose((found**4).mean(), (expected**4).mean(), rtol=0.05)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("attention", {"num_heads": 3}, "width 16 does not divide by num_heads 3: .*, or give head_width"),
        ("attention", {"head_width": 0}, "head_width 0 must be a whole number"),
        ("mlp_mixer", {"expansion": 0}, "expansion 0 must be at least 1"),
    ],
)
def test_bad_settings_are_refused(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(AttnsearchError, match=message):
        class_of(name)(WIDTH, LENGTH, **settings)
