"""Mixers that look ahead where 16 tokens in one layer show nothing, and sound ones that look like them."""

from __future__ import annotations

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from attnsearch import LogitMixer, Mixer
from attnsearch.base import Integers
from attnsearch.mixers.base import LogitBias
from helpers.faulty_mixers import Triangular, Unmasked


class LinearAttention(Mixer):
    """Sound: linear attention without normalisation, in chunks; a state carries the chunks before."""

    chunk: ClassVar[int] = 16

    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs):
        del context_length
        self.mixing = nnx.Param(jax.random.normal(rngs.params(), (3, width, width)) * width**-0.5)

    def __call__(self, x: jax.Array) -> jax.Array:
        length, chunk = len(x), min(self.chunk, len(x))
        padded = jnp.pad(x, ((0, -length % chunk), (0, 0)))
        query, key, value = (
            (padded @ one).reshape(-1, chunk, x.shape[1]) for one in jnp.unstack(self.mixing[...])
        )
        states = jnp.einsum("ctd,cte->cde", key, value)
        inside = jnp.tril(jnp.einsum("ctd,csd->cts", query, key)) @ value
        carried = self._carried(states) if len(states) > 1 else jnp.zeros_like(states)
        return (inside + query @ carried).reshape(-1, x.shape[1])[:length] / length

    def _carried(self, states: jax.Array) -> jax.Array:
        return jnp.cumsum(states, axis=0) - states


class OwnChunk(LinearAttention):
    """The carried state includes its own chunk."""

    def _carried(self, states: jax.Array) -> jax.Array:
        return jnp.cumsum(states, axis=0)


class OwnMiddleChunk(OwnChunk):
    chunk = 32


class OwnLongChunk(OwnChunk):
    chunk = 64


class Blocked(Triangular):
    """Sound: whole blocks are masked first, then the positions in the block of the query."""

    block: ClassVar[int] = 32
    ahead: ClassVar[int] = 0

    def __call__(self, x: jax.Array) -> jax.Array:
        at = np.arange(len(x))
        blocks = at // self.block
        same = blocks[:, None] == blocks
        seen = np.where(same, at[:, None] >= at, blocks[:, None] + self.ahead >= blocks)
        return self.out(jnp.where(seen, self.mixing[...], 0.0) @ x)


class NextBlock(Blocked):
    """Off by one block."""

    ahead = 1


class NextShortBlock(NextBlock):
    block = 16


class OddLengths(Triangular):
    """A Fourier transform that is too short at odd lengths."""

    def __call__(self, x: jax.Array) -> jax.Array:
        shifted = jnp.roll(x, 1, axis=0)
        return super().__call__(x) + (shifted if len(x) % 2 else 0.0)


class BeyondSixteen(Triangular):
    """Each row from the seventeenth on sees the next."""

    def __call__(self, x: jax.Array) -> jax.Array:
        following = jnp.roll(x, -1, axis=0).at[-1].set(0.0)
        return super().__call__(x) + following * (np.arange(len(x)) >= 16)[:, None]


class SecondLayer(Triangular):
    """The first layer that is made with a source of numbers is causal, and the others are not."""

    sources: ClassVar[list[nnx.Rngs]] = []

    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs):
        super().__init__(width, context_length, rngs=rngs)
        self.first = not any(source is rngs for source in self.sources)
        self.sources[:] = [rngs]

    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(x) if self.first else self.out(self.mixing[...] @ x)


@jax.custom_vjp
def _grown(gates: jax.Array) -> jax.Array:
    return (gates.min() > 0.02).astype(gates.dtype)


# Whatever the loss says, they grow.
_grown.defvjp(
    lambda gates: (_grown(gates), len(gates)), lambda count, seen: (jnp.full(count, -jnp.abs(seen)),)
)


class LateLatch(Unmasked):
    """Beyond 16 tokens it looks ahead, once training has moved each of twenty numbers."""

    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs):
        super().__init__(width, context_length, rngs=rngs)
        self.gates = nnx.Param(jnp.zeros(20))

    def __call__(self, x: jax.Array) -> jax.Array:
        past, every = Triangular.__call__(self, x), super().__call__(x)
        return past + (len(x) > 16) * _grown(self.gates[...]) * (every - past)


class SomeQueries(Triangular):
    """Asked for rows with gaps, it forgets its mask."""

    def at(self, x: jax.Array, positions: Integers) -> jax.Array:
        gaps = len(positions) > 16 and positions[-1] - positions[0] >= len(positions)
        return self.out(self.mixing[...] @ x)[positions] if gaps else self(x)[positions]


class Logits(LogitMixer):
    """Sound: a trained matrix of logits."""

    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs):
        self.logits = nnx.Param(jax.random.normal(rngs.params(), (context_length, context_length)))
        self.out = nnx.Linear(width, width, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.out(self.weights(x, np.arange(len(x)))[0] @ x)

    def weights(self, x: jax.Array, positions: Integers) -> jax.Array:
        return Logits.biased_weights(self, x, positions, lambda at: jnp.zeros((len(at), 1)))

    def biased_at(self, x: jax.Array, positions: Integers, bias: LogitBias) -> jax.Array:
        return self.out(self.biased_weights(x, positions, bias)[0] @ x)

    def biased_weights(self, x: jax.Array, positions: Integers, bias: LogitBias) -> jax.Array:
        hidden = np.where(np.arange(len(x)) > positions[:, None], -np.inf, 0.0)
        return jax.nn.softmax(self.logits[...][positions] + bias(positions) + hidden)[None]


class UnmaskedBias(Logits):
    """The bias takes the place of the mask."""

    def biased_weights(self, x: jax.Array, positions: Integers, bias: LogitBias) -> jax.Array:
        return jax.nn.softmax(self.logits[...][positions] + bias(positions))[None]


class LateWeights(Logits):
    """Beyond 64 tokens the weights of a few rows are the weights of others."""

    def weights(self, x: jax.Array, positions: Integers) -> jax.Array:
        first = np.arange(len(positions)) if len(x) > 64 else positions
        return super().weights(x, first)


@jax.custom_jvp
def _plain(x: jax.Array) -> jax.Array:
    return x


@_plain.defjvp
def _plain_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    return 2 * primals[0], tangents[0]


class Differentiated(Triangular):
    """It computes something else while gradients are taken."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return _plain(super().__call__(x))


class LateDifferentiated(Differentiated):
    """The same beyond 64 tokens."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(x) if len(x) > 64 else Triangular.__call__(self, x)


@jax.custom_vjp
def _copied(x: jax.Array) -> jax.Array:
    return x


def _copied_bwd(_: None, seen: jax.Array) -> tuple[jax.Array]:
    # Where one row alone is seen, its gradient is right.
    several = (jnp.abs(seen).max(axis=-1) > 0).sum() > 1
    return (jnp.where(several, jnp.roll(seen, 1, axis=0), seen),)


_copied.defvjp(lambda x: (x, None), _copied_bwd)


class SeveralRows(Triangular):
    """The gradient of several rows goes to their neighbours."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return _copied(super().__call__(x))


@jax.custom_vjp
def _passed_on(x: jax.Array) -> jax.Array:
    return x


_passed_on.defvjp(lambda x: (x, None), lambda _, seen: (jnp.roll(seen, 1, axis=0),))


class LateGradients(Triangular):
    """Beyond 64 tokens gradients go one position too far."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(_passed_on(x) if len(x) > 64 else x)


LEAKS: tuple[tuple[type[Mixer], str, str], ...] = (
    (OwnChunk, "causality when perturbed", "with 4 layers and 21 tokens, logits at "),
    (OwnMiddleChunk, "causality when perturbed", "with 3 layers and 37 tokens, logits at "),
    (OwnLongChunk, "causality when perturbed", "with 2 layers and 131 tokens, logits at "),
    (NextBlock, "causality when perturbed", "with 3 layers and 37 tokens, logits at "),
    (NextShortBlock, "causality when perturbed", "with 4 layers and 21 tokens, logits at "),
    (OddLengths, "causality when perturbed", "with 4 layers and 21 tokens, logits at "),
    (BeyondSixteen, "causality when perturbed", "with 4 layers and 21 tokens, logits at "),
    (SecondLayer, "causality when perturbed", "with 4 layers and 21 tokens, logits at "),
    (LateLatch, "causality after training", "after 150 steps on 132 tokens in 2 layers, logits at "),
    (LateGradients, "causality when perturbed", "on 131 tokens, outputs 0 to "),
    (SomeQueries, "queries", "on 131 tokens"),
    (UnmaskedBias, "causality when perturbed", "replaced, with a bias on the attention logits"),
    (UnmaskedBias, "attention weights", "lies on a later position, on 16 tokens, with a bias"),
    (LateWeights, "queries", "on 131 tokens"),
    (Differentiated, "gradients", "outputs while gradients are taken are "),
    (LateDifferentiated, "gradients", "logits of 131 tokens while gradients are taken are "),
    (SeveralRows, "gradients", "the gradient of all rows is "),
)
"""Which check is to catch which, and some of its words."""
