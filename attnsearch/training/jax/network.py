"""Embedding, pre-norm blocks, unembedding: what surrounds a mixer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from attnsearch.base import Integers
from attnsearch.generators.base import Generator
from attnsearch.mixers.base import LogitBias, Mixer, rows
from attnsearch.mixers.contract import Contract, constants, with_logits
from attnsearch.mixers.linear import Linear, product
from attnsearch.spec.positions import sinusoidal
from attnsearch.spec.run import NetworkSpec, Settings
from attnsearch.training.embedding import LARGEST_ONE_HOT

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
            mixed = with_logits(self.mixer).biased_at(normed, positions, bias)
        return self._mlp(rows(x, positions) + mixed)

    def weights(self, x: jax.Array, positions: Integers, bias: LogitBias | None) -> jax.Array:
        """`f32[H, Q, L]`: its mixer's weights."""
        normed = self.mixer_norm(x)
        if bias is None:
            return self.mixer.weights(normed, positions)
        return with_logits(self.mixer).biased_weights(normed, positions, bias)

    def _mlp(self, x: jax.Array) -> jax.Array:
        return x + self.mlp_out(nnx.gelu(self.mlp_in(self.mlp_norm(x))))


class _Model(nnx.Module):
    def __init__(self, network: Network, rngs: nnx.Rngs):
        spec = network.spec
        self.tokens = nnx.Embed(network.vocab_size, spec.width, rngs=rngs)
        learned = spec.positions == "learned"
        self.positions = nnx.Embed(network.context_length, spec.width, rngs=rngs) if learned else None
        self.sinusoidal = spec.positions == "sinusoidal"
        self.blocks = nnx.List(
            [_Block(spec.width, spec.mlp_width, network.contract.build, rngs) for _ in range(spec.num_layers)]
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
        """`f32[A, Q, L]`: the weights of every layer's mixer, layer by layer."""
        x, found = self._embedded(tokens), []
        for block, added in zip(self.blocks, bias or [None] * len(self.blocks), strict=True):
            found.append(block.weights(x, positions, added))
            x = block(x, added)
        return jnp.concatenate(found)

    def _embedded(self, tokens: jax.Array) -> jax.Array:
        """`f32[L, D]`"""
        embedded = rows_of(self.tokens.embedding[...], tokens)
        if self.positions is not None:
            return embedded + self.positions.embedding[...]
        return embedded + sinusoidal(*embedded.shape) if self.sinusoidal else embedded


def rows_of(table: jax.Array, tokens: jax.Array) -> jax.Array:
    """`f32[L, D]`: the rows of `table`, `f32[V, D]`, that `tokens` name."""
    if len(table) <= LARGEST_ONE_HOT:
        return product(jax.nn.one_hot(tokens, len(table)), table)
    return table[tokens]


@dataclass(frozen=True)
class Network:
    """A network as a pair of pure functions, for one sequence of one run.

    Tokens with `spec.positions`, `spec.num_layers` pre-norm blocks, untied unembedding.
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
        network._structure  # noqa: B018
        network.contract.check_call()
        return network

    def init(self, key: jax.Array) -> Parameters:
        """Freshly initialised parameters."""
        return nnx.split(_Model(self, nnx.Rngs(key)), nnx.Param, ...)[1]

    def apply(self, parameters: Parameters, tokens: jax.Array, bias: LayerBiases | None = None) -> jax.Array:
        """Logits at the queries, `f32[Q, V]`, of `tokens`, `i32[L]`; attention logits have `bias` added."""
        chex.assert_shape(tokens, (self.context_length,))
        model = self._merged(parameters)
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
        model = self._merged(parameters)
        weights = model.weights(tokens, positions, bias)
        chex.assert_shape(weights, (None, len(positions), self.context_length))
        return weights

    def without_head(self, parameters: Parameters, layer: int, head: jax.Array) -> Parameters:
        """`parameters` of a network in which `head`, `i32[]`, of `layer` adds nothing.

        Errors: AttnsearchError where the mixer has no heads that can be taken out.
        """
        model = self._merged(parameters)
        block = model.blocks[layer]
        block.mixer = with_logits(block.mixer).without_head(head)
        return nnx.split(model, nnx.Param, ...)[1]

    def first_mixer(self, parameters: Parameters) -> Mixer:
        """The mixer of the first block, with its parameters."""
        return self._merged(parameters).blocks[0].mixer

    @property
    def contract(self) -> Contract:
        """What the mixer must keep to here."""
        return Contract(
            self.mixer, self.mixer_settings, self.spec.width, self.context_length, self.query_positions
        )

    @cached_property
    def _structure(self) -> tuple[nnx.GraphDef[_Model], nnx.State]:
        """The model without its arrays, and those that are not trained."""
        held: list[nnx.State] = []

        def build(key: jax.Array) -> _Model:
            model = _Model(self, nnx.Rngs(key))
            held.append(constants(model))
            return model

        abstract = nnx.eval_shape(build, jax.random.key(0))
        definition, parameters, others = nnx.split(abstract, nnx.Param, ...)
        self.contract.check_arrays(parameters, others)
        return definition, held[0]

    def _merged(self, parameters: Parameters) -> _Model:
        definition, constant = self._structure
        return nnx.merge(definition, parameters, constant)
