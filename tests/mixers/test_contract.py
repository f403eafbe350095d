"""The construction and the call of a mixer are checked before training, and what is wrong is one line."""

from __future__ import annotations

from typing import Any

import jax
import pytest
from flax import nnx
from helpers.complaint import message

from attnsearch.base import AttnsearchError
from attnsearch.generators import LinearMap
from attnsearch.mixers import Mixer
from attnsearch.spec.run import NetworkSpec, Settings, settings
from attnsearch.training.jax.network import Network


class Sound(Mixer):
    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs, depth: int = 1):
        if depth < 1:
            raise AttnsearchError(f"depth {depth} must be at least 1")
        self.scale = nnx.Param(jax.numpy.ones(width // depth))

    def __call__(self, x: jax.Array) -> jax.Array:
        return x


class Narrow(Sound):
    def __call__(self, x: jax.Array) -> jax.Array:
        return x[:, ::2]


class Half(Sound):
    def __call__(self, x: jax.Array) -> jax.Array:
        return x.astype("bfloat16")


class Pair(Sound):
    def __call__(self, x: jax.Array) -> Any:
        return x, x


class Nothing(Sound):
    def __call__(self, x: jax.Array) -> Any: ...


class Branching(Sound):
    def __call__(self, x: jax.Array) -> jax.Array:
        return x if x[0, 0] > 0 else -x


class Silent(Mixer):
    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs): ...


class AllRows(Sound):
    def at(self, x: jax.Array, positions: Any) -> jax.Array:
        return x


class FlatWeights(Sound):
    def weights(self, x: jax.Array, positions: Any) -> jax.Array:
        return x


class Counter(Sound):
    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs):
        super().__init__(width, context_length, rngs=rngs)
        self.steps = nnx.Param(jax.numpy.zeros(3, int))


class NoRngs(Mixer):
    def __init__(self, width: int, context_length: int):
        super().__init__()


class Picky(Sound):
    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs, size: Any = None):
        super().__init__(width, context_length, rngs=rngs, depth=size + 1)


@pytest.mark.parametrize(
    ("mixer", "given", "expected"),
    [
        (Narrow, {}, "mixer Narrow returned f32[8, 16] for f32[8, 32]: expected f32[8, 32]"),
        (Half, {}, "mixer Half returned bf16[8, 32] for f32[8, 32]: expected f32[8, 32]"),
        (Pair, {}, "mixer Pair returned a tuple for f32[8, 32]: expected f32[8, 32]"),
        (Nothing, {}, "mixer Nothing returned a NoneType for f32[8, 32]: expected"),
        (Branching, {}, "mixer Branching cannot be called on f32[8, 32]: TracerBoolConversionError: "),
        (
            Silent,
            {},
            "mixer Silent cannot be called on f32[8, 32]: TypeError: Silent does not define __call__",
        ),
        (
            AllRows,
            {},
            "mixer AllRows, at(x, positions), returned f32[8, 32] for f32[8, 32]: expected f32[4, 32]",
        ),
        (
            FlatWeights,
            {},
            "mixer FlatWeights, weights(x, positions), returned f32[8, 32] for f32[8, 32]:"
            " expected f32[H, 4, 8]",
        ),
        (
            NoRngs,
            {},
            "mixer NoRngs cannot be built with width=32, context_length=8: TypeError: "
            "NoRngs.__init__() got an unexpected keyword argument 'rngs'",
        ),
        (
            Picky,
            {"size": "wide"},
            "cannot be built with width=32, context_length=8, size='wide': TypeError: ",
        ),
        (
            Counter,
            {},
            "mixer Counter holds parameters that are not floating-point numbers: blocks.0.mixer.steps",
        ),
        (Sound, {"deep": 1}, "unexpected keyword argument 'deep'"),
        (Sound, {"depth": 0}, "depth 0 must be at least 1"),
    ],
)
def test_a_mixer_that_cannot_be_used_says_what_was_expected(
    mixer: type[Mixer], given: dict[str, Any], expected: str
) -> None:
    assert expected in message(lambda: network(mixer, settings(given)))


def test_one_that_can_is_not_refused() -> None:
    assert network(Sound, settings({"depth": 2})).mixer is Sound


def network(mixer: type[Mixer], given: Settings) -> Network:
    return Network.of(NetworkSpec(width=32), mixer, given, LinearMap(4))
