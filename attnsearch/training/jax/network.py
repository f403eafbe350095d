"""Embedding, pre-norm blocks, unembedding: what surrounds a mixer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from attnsearch.base import AttnsearchError, Integers
from attnsearch.files import reason
from attnsearch.generators.base import Generator
from attnsearch.mixers.base import LogitBias, LogitMixer, Mixer, rows
from attnsearch.mixers.linear import Linear, product
from attnsearch.spec.run import NetworkSpec, Settings

_Shape = tuple[int | str, ...]
"""Letters stand for any number."""

Parameters = Any
"""A network's trained arrays: a pytree."""

LayerBiases = Sequence[LogitBias]
"""What is added to the attention logits of each layer."""

BuildMixer = Callable[[nnx.Rngs], Mixer]


class _Block(nnx.Module):
    """x + mixer(norm(x)), then x + MLP(norm(x)) (pre-norm, GELU)."""

    def __init__(self, width: int, mlp_width: int, build_mixer: BuildMixer, rngs: nnx.Rngs):
        self.mixer_norm = nnx.LayerNorm(width, rngs=rngs)
        self.mixer = build_mixer(rngs)
        self.mlp_norm = nnx.LayerNorm(width, rngs=rngs)
        self.mlp_in = Linear(width, mlp_width, rngs=rngs)
        self.mlp_out = Linear(mlp_width, width, rngs=rngs)

    def __call__(self, x: jax.Array, bias: LogitBias | None) -> jax.Array:
        if bias is not None:
            return self.at(x, np.arange(len(x)), bias)
        return self._mlp(x + self.mixer(self.mixer_norm(x)))

    def at(self, x: jax.Array, positions: Integers, bias: LogitBias | None) -> jax.Array:
        """The rows `positions` of `self(x, bias)`, computing no others where the mixer can."""
        normed = self.mixer_norm(x)
        if bias is None:
            mixed = self.mixer.at(normed, positions)
        else:
            mixed = _with_logits(self.mixer).biased_at(normed, positions, bias)
        return self._mlp(rows(x, positions) + mixed)

    def weights(self, x: jax.Array, positions: Integers, bias: LogitBias | None) -> jax.Array:
        """`f32[H, Q, L]`: those of its mixer."""
        normed = self.mixer_norm(x)
        if bias is None:
            return self.mixer.weights(normed, positions)
        return _with_logits(self.mixer).biased_weights(normed, positions, bias)

    def _mlp(self, x: jax.Array) -> jax.Array:
        return x + self.mlp_out(nnx.gelu(self.mlp_in(self.mlp_norm(x))))


class _Model(nnx.Module):
    def __init__(self, network: Network, rngs: nnx.Rngs):
        spec = network.spec
        self.tokens = nnx.Embed(network.vocab_size, spec.width, rngs=rngs)
        self.positions = nnx.Embed(network.context_length, spec.width, rngs=rngs)
        self.blocks = nnx.List(
            [_Block(spec.width, spec.mlp_width, network.build_mixer, rngs) for _ in range(spec.num_layers)]
        )
        self.norm = nnx.LayerNorm(spec.width, rngs=rngs)
        self.unembedding = Linear(spec.width, network.vocab_size, use_bias=False, rngs=rngs)

    def __call__(self, tokens: jax.Array, positions: Integers, bias: LayerBiases | None) -> jax.Array:
        x = self._embedded(tokens)
        *biases, last = bias or [None] * len(self.blocks)
        for block, added in zip(self.blocks[:-1], biases, strict=True):
            x = block(x, added)
        return self.unembedding(self.norm(self.blocks[-1].at(x, positions, last)))

    def weights(self, tokens: jax.Array, positions: Integers, bias: LayerBiases | None) -> jax.Array:
        """`f32[A, Q, L]`: those of every layer's mixer, layer by layer."""
        x, found = self._embedded(tokens), []
        for block, added in zip(self.blocks, bias or [None] * len(self.blocks), strict=True):
            found.append(block.weights(x, positions, added))
            x = block(x, added)
        return jnp.concatenate(found)

    def _embedded(self, tokens: jax.Array) -> jax.Array:
        """`f32[L, D]`"""
        # A product with one-hot rows, for the gradient of a look-up is a scatter, slow on a CPU.
        embedded = product(jax.nn.one_hot(tokens, self.tokens.num_embeddings), self.tokens.embedding[...])
        return embedded + self.positions.embedding[...]


@dataclass(frozen=True)
class Network:
    """A network as a pair of pure functions, for one sequence of one run.

    Learned absolute positions, `spec.num_layers` pre-norm blocks, untied unembedding.
    `query_positions` are the positions at which logits are computed, and beyond the last mixer
    nothing else is.
    """

    spec: NetworkSpec
    mixer: type[Mixer]
    mixer_settings: Settings
    vocab_size: int
    context_length: int
    query_positions: tuple[int, ...]

    @classmethod
    def of(
        cls, spec: NetworkSpec, mixer: type[Mixer], mixer_settings: Settings, generator: Generator
    ) -> Network:
        """The network for `generator`'s sequences and queries.

        Errors: AttnsearchError where the mixer refuses its settings or the call, or returns another shape.
        """
        network = cls(
            spec,
            mixer,
            mixer_settings,
            generator.vocab_size,
            generator.context_length,
            tuple(int(position) for position in generator.query_positions),
        )
        # What is wrong with a mixer must speak here, not in the middle of a sweep.
        network._definition  # noqa: B018
        network._check_call()
        return network

    def init(self, key: jax.Array) -> Parameters:
        """Freshly initialised parameters."""
        return nnx.split(_Model(self, nnx.Rngs(key)))[1]

    def apply(self, parameters: Parameters, tokens: jax.Array, bias: LayerBiases | None = None) -> jax.Array:
        """Logits at the queries, `f32[Q, V]`, of `tokens`, `i32[L]`; attention logits have `bias` added."""
        chex.assert_shape(tokens, (self.context_length,))
        model = nnx.merge(self._definition, parameters)
        logits = model(tokens, np.asarray(self.query_positions), bias)
        chex.assert_shape(logits, (len(self.query_positions), self.vocab_size))
        return logits

    def weights(
        self,
        parameters: Parameters,
        tokens: jax.Array,
        positions: Integers,
        bias: LayerBiases | None = None,
    ) -> jax.Array:
        """The weights of every head at `positions`, `i32[P]`: `f32[A, P, L]`, of `tokens`, `i32[L]`."""
        model = nnx.merge(self._definition, parameters)
        weights = model.weights(tokens, positions, bias)
        chex.assert_shape(weights, (None, len(positions), self.context_length))
        return weights

    def without_head(self, parameters: Parameters, layer: int, head: jax.Array) -> Parameters:
        """`parameters` of a network in which `head`, `i32[]`, of `layer` adds nothing.

        Errors: AttnsearchError where the mixer has no heads that can be taken out.
        """
        model = nnx.merge(self._definition, parameters)
        block = model.blocks[layer]
        block.mixer = _with_logits(block.mixer).without_head(head)
        return nnx.split(model)[1]

    def build_mixer(self, rngs: nnx.Rngs) -> Mixer:
        """One mixer layer. Errors: AttnsearchError where its constructor raises anything."""
        build = cast("Callable[..., Mixer]", self.mixer)
        given = "".join(f", {name}={value!r}" for name, value in self.mixer_settings)
        place = f"width={self.spec.width}, context_length={self.context_length}"
        with _explaining(f"mixer {self.mixer.__name__} cannot be built with {place}{given}"):
            return build(self.spec.width, self.context_length, rngs=rngs, **dict(self.mixer_settings))

    def first_mixer(self, parameters: Parameters) -> Mixer:
        """The mixer of the first block, with its parameters."""
        return nnx.merge(self._definition, parameters).blocks[0].mixer

    def _check_call(self) -> None:
        """Trace the mixer alone. Errors: AttnsearchError where that fails, or returns what it should not."""
        queries = np.asarray(self.query_positions)
        whole, at, weights = self._shapes
        self._check(
            ("", lambda mixer, x: mixer(x), whole),
            ("at(x, positions)", lambda mixer, x: mixer.at(x, queries), at),
            ("weights(x, positions)", lambda mixer, x: mixer.weights(x, queries), weights),
        )

    def check_bias(self) -> None:
        """Trace a mixer with logits with a bias on them. Errors: AttnsearchError as for any other call."""
        queries = np.asarray(self.query_positions)
        _, at, weights = self._shapes

        def bias(positions: Integers | jax.Array) -> jax.Array:
            return jnp.zeros((len(positions), self.context_length))

        asked = "(x, positions, bias)"
        self._check(
            ("biased_at" + asked, lambda mixer, x: _with_logits(mixer).biased_at(x, queries, bias), at),
            (
                "biased_weights" + asked,
                lambda mixer, x: _with_logits(mixer).biased_weights(x, queries, bias),
                weights,
            ),
        )

    @property
    def _shapes(self) -> tuple[_Shape, _Shape, _Shape]:
        """Of what a mixer returns: at all positions, at the queries, and as weights."""
        length, queries = self.context_length, len(self.query_positions)
        return (length, self.spec.width), (queries, self.spec.width), ("H", queries, length)

    def _check(self, *calls: tuple[str, Callable[[Mixer, jax.Array], object], _Shape]) -> None:
        given = jax.ShapeDtypeStruct((self.context_length, self.spec.width), jnp.float32)
        name = f"mixer {self.mixer.__name__}"

        def trace(x: jax.Array) -> None:
            mixer = self.build_mixer(nnx.Rngs(0))
            for method, call, expected in calls:
                called = f"{name}, {method}," if method else name
                with _explaining(f"{called} cannot be called on {_described(given)}"):
                    returned = call(mixer, x)
                if not _fits(returned, expected):
                    raise AttnsearchError(
                        f"{called} returned {_described(returned)} for {_described(given)}:"
                        f" expected f32[{', '.join(map(str, expected))}]"
                    )

        jax.eval_shape(trace, given)

    @cached_property
    def _definition(self) -> nnx.GraphDef[_Model]:
        """The model's structure; its arrays are all parameters."""
        abstract = nnx.eval_shape(lambda: _Model(self, nnx.Rngs(0)))
        definition, parameters, others = nnx.split(abstract, nnx.Param, ...)
        if jax.tree.leaves(others):
            raise AttnsearchError(
                f"mixer {self.mixer.__name__} holds arrays that are not nnx.Param: {_paths(others)};"
                " keep constants in numpy, and no state between calls"
            )
        fixed = nnx.filter_state(parameters, lambda path, leaf: not jnp.issubdtype(leaf.dtype, jnp.floating))
        if jax.tree.leaves(fixed):
            raise AttnsearchError(
                f"mixer {self.mixer.__name__} holds parameters that are no floats, which nothing can train:"
                f" {_paths(fixed)}"
            )
        return definition


def _with_logits(mixer: Mixer) -> LogitMixer:
    if not isinstance(mixer, LogitMixer):
        raise AttnsearchError(f"mixer {type(mixer).__name__} has no attention logits")
    return mixer


def _paths(arrays: Any) -> str:
    """Where in a model they are, from its blocks on."""
    return ", ".join(".".join(map(str, path)) for path, _ in nnx.to_flat_state(arrays))


@contextmanager
def _explaining(what: str) -> Iterator[None]:
    """Turn whatever is raised, but for what is an AttnsearchError already, into one that says `what`."""
    try:
        yield
    except AttnsearchError:
        raise
    except Exception as error:
        raise AttnsearchError(f"{what}: {reason(error)}") from error


def _fits(value: Any, expected: _Shape) -> bool:
    """Whether `value` is an array of 32-bit floats of that shape, where a letter is any size."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    return (
        shape is not None
        and dtype == jnp.float32
        and len(shape) == len(expected)
        and all(isinstance(axis, str) or size == axis for size, axis in zip(shape, expected, strict=True))
    )


def _described(value: Any) -> str:
    """Type and shape of an array, as in `f32[16, 128]`; of anything else its type."""
    if not hasattr(value, "dtype"):
        return f"a {type(value).__name__}"
    dtype = value.dtype.name.replace("float", "f").replace("uint", "u").replace("int", "i")
    return f"{dtype}[{', '.join(map(str, value.shape))}]"
