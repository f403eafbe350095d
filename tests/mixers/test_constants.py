"""A mixer's constants are arrays: accepted of every kind, in every layer, never trained and never stored."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from helpers.tiny import VALUES

from attnsearch import MIXERS, Mixer
from attnsearch.backends import run, specify
from attnsearch.base import AttnsearchError
from attnsearch.generators import LinearMap
from attnsearch.runs.parameters import unpacked
from attnsearch.runs.store import Store
from attnsearch.spec.run import NetworkSpec
from attnsearch.training.backend import TrainingSettings
from attnsearch.training.jax.backend import JaxBackend
from attnsearch.training.jax.network import Network
from attnsearch.training.jax.parameters import named, rebuilt


class Plain(Mixer):
    """One trained matrix; the mask and the scale are made in the call."""

    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs):
        self.mixing = nnx.Param(jax.random.normal(rngs.params(), (context_length, context_length)))
        self.out = nnx.Linear(width, width, rngs=rngs)

    def mask(self) -> jax.Array:
        return jnp.tril(jnp.ones_like(self.mixing[...]))

    def scale(self) -> jax.Array:
        return jnp.linspace(0.5, 1.0, len(self.mixing[...]))[:, None]

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.out((self.mask() * self.mixing[...]) @ x * self.scale())


class Scale(nnx.Module):
    """A part of a mixer with a constant of its own."""

    def __init__(self, length: int):
        self.values = jnp.linspace(0.5, 1.0, length)[:, None]


class Constant(Plain):
    """The same with both as attributes: of numpy, and of jax in a part."""

    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs):
        super().__init__(width, context_length, rngs=rngs)
        self.held = np.tril(np.ones((context_length, context_length), np.float32))
        self.part = Scale(context_length)
        self.order = np.arange(context_length)

    def mask(self) -> jax.Array:
        return jnp.asarray(self.held)[self.order]

    def scale(self) -> jax.Array:
        return self.part.values


class Drawn(Plain):
    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs):
        super().__init__(width, context_length, rngs=rngs)
        self.features = jax.random.normal(rngs.params(), (width,))


def network(kind: type[Mixer]) -> Network:
    return Network.of(NetworkSpec(width=16, num_layers=2, mlp_width=16), kind, (), LinearMap(4))


def test_constants_are_not_parameters_in_any_layer() -> None:
    held = named(network(Constant).init(jax.random.key(0)))
    assert held.keys() == named(network(Plain).init(jax.random.key(0))).keys()
    assert [name for name in held if "mixing" in name] == [
        f"blocks.{layer}.mixer.mixing" for layer in range(2)
    ]


def test_what_is_constant_changes_no_number() -> None:
    tokens = jnp.array([0, 1, 1, 0, 2, 2, 2, 2])
    parameters = network(Plain).init(jax.random.key(1))
    for apply in (network(Constant).apply, jax.jit(network(Constant).apply)):
        np.testing.assert_allclose(
            apply(parameters, tokens), network(Plain).apply(parameters, tokens), rtol=1e-5, atol=1e-6
        )


def test_runs_are_trained_set_aside_and_rebuilt_without_them(tmp_path: Path) -> None:
    backend = JaxBackend(mixers=MIXERS | {"constant": Constant})
    values = {name: VALUES[name] for name in VALUES if name != "num_heads"} | {"steps": [20]}
    specs = specify(["linear_map"], ["constant"], values, seeds=[0], backend=backend)
    store = Store.open(tmp_path)
    (constant,) = run(specs, store, backend=backend, settings=TrainingSettings(save_parameters=True))
    assert np.isfinite(constant.curves.loss).all()

    arrays, _ = unpacked(tmp_path / "runs" / constant.spec.digest, constant.spec.digest)
    made = Network.of(constant.spec.cell.network, Constant, (), LinearMap(4))
    assert named(rebuilt(made, arrays)).keys() == arrays.keys()
    assert not any("held" in name or "part" in name for name in arrays)


def test_one_drawn_from_the_seed_of_a_run_is_refused() -> None:
    with pytest.raises(AttnsearchError) as caught:
        network(Drawn)
    assert str(caught.value) == (
        "mixer Drawn draws features from rngs but does not train it: make it an nnx.Param, or draw it from a"
        " fixed seed with numpy"
    )
