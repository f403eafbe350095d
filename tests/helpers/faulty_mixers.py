"""Mixers with one fault each, beside sound ones that look like them, and which check is to catch which."""

from __future__ import annotations

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.core import Tracer

from attnsearch import Mixer
from attnsearch.base import Integers


class Triangular(Mixer):
    """Sound: one trained lower-triangular matrix mixes all positions, and a product all features."""

    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs):
        scale = context_length**-0.5
        self.mixing = nnx.Param(scale * jax.random.normal(rngs.params(), (context_length, context_length)))
        self.out = nnx.Linear(width, width, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.out(jnp.tril(self.mixing[...]) @ x)


class Recurrent(Mixer):
    """Sound: heads of decaying sums, by a scan."""

    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs, heads: int = 4):
        self.heads = heads
        self.decay = nnx.Param(jax.random.normal(rngs.params(), (heads, 1)))
        self.out = nnx.Linear(width, width, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.out(self._joined(self._summed(x.reshape(len(x), self.heads, -1))))

    def _summed(self, x: jax.Array) -> jax.Array:
        """`f32[L, H, d]`"""
        decay = jax.nn.sigmoid(self.decay[...])

        def step(sums: jax.Array, row: jax.Array) -> tuple[jax.Array, jax.Array]:
            sums = decay * sums + row
            return sums, sums

        return jax.lax.scan(step, jnp.zeros_like(x[0]), x)[1]

    def _joined(self, sums: jax.Array) -> jax.Array:
        return sums.reshape(len(sums), -1)


class Convolution(Triangular):
    """Sound up to rounding: a convolution over all of the past by Fourier transforms."""

    def __call__(self, x: jax.Array) -> jax.Array:
        length = len(x)
        kernel = jnp.fft.rfft(self.mixing[0], 2 * length)[:, None]
        return self.out(jnp.fft.irfft(kernel * jnp.fft.rfft(x, 2 * length, axis=0), axis=0)[:length])


class Unmasked(Triangular):
    def __call__(self, x: jax.Array) -> jax.Array:
        return self.out(self.mixing[...] @ x)


class SwappedHeads(Recurrent):
    """Heads come first after the sums, and nobody puts them back."""

    def _joined(self, sums: jax.Array) -> jax.Array:
        return sums.transpose(1, 0, 2).reshape(len(sums), -1)


class NormalisedOverSequence(Triangular):
    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__((x - x.mean(axis=0)) / (x.std(axis=0) + 1e-3))


@jax.custom_batching.custom_vmap
def _centred(x: jax.Array) -> jax.Array:
    return x


@_centred.def_vmap
def _centred_over_batch(size: int, batched: list[bool], x: jax.Array) -> tuple[jax.Array, bool]:
    del size, batched
    return x - x.mean(axis=0), True


class NormalisedOverBatch(Triangular):
    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(_centred(x))


class Bidirectional(Recurrent):
    def _summed(self, x: jax.Array) -> jax.Array:
        return super()._summed(x) + super()._summed(x[::-1])[::-1]


class ShiftedQuery(Triangular):
    """Asked for some rows, it returns those before them: a query shifted by one."""

    def at(self, x: jax.Array, positions: Integers) -> jax.Array:
        return self(x)[np.maximum(positions - 1, 0)]


class ShiftedOutput(Triangular):
    """Row t is what row t + 1 should be."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return jnp.roll(super().__call__(x), -1, axis=0)


class UnusedParameter(Triangular):
    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs):
        super().__init__(width, context_length, rngs=rngs)
        self.spare = nnx.Param(jnp.ones(width))


class Counting(Triangular):
    """What it returns grows with every call, its own or a call of its like."""

    calls: ClassVar[list[None]] = []

    def __call__(self, x: jax.Array) -> jax.Array:
        self.calls.append(None)
        return super().__call__(x) * len(self.calls)


class Remembering(Triangular):
    """Keeps what it saw in what it calls a parameter."""

    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs):
        super().__init__(width, context_length, rngs=rngs)
        self.memory = nnx.Param(jnp.zeros(width))

    def __call__(self, x: jax.Array) -> jax.Array:
        mixed = super().__call__(x) + self.memory[...]
        self.memory.set_value(x[-1])
        return mixed


class Hoarding(Triangular):
    """Adds what another call saw, compiled or not."""

    last: ClassVar[list[jax.Array]] = []

    def __call__(self, x: jax.Array) -> jax.Array:
        before = self.last[-1:]
        self.last.append(x[-1])
        return super().__call__(x) + sum(before)


class Dicing(Triangular):
    """Its constant is another one each time it is made."""

    draws: ClassVar[np.random.Generator] = np.random.default_rng(0)

    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs):
        super().__init__(width, context_length, rngs=rngs)
        self.scale = self.draws.normal(size=width).astype(np.float32)

    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(x) * self.scale


class CountingBuilds(Triangular):
    """What it returns depends on how many were made before it."""

    built: ClassVar[list[None]] = []

    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs):
        super().__init__(width, context_length, rngs=rngs)
        self.built.append(None)
        self.scale = float(len(self.built))

    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(x) * self.scale


_DRAWN = float(np.random.default_rng().normal())


class DrawnAtImport(Triangular):
    """In every process it is another mixer."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(x) * _DRAWN


class Stateful(Triangular):
    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs):
        super().__init__(width, context_length, rngs=rngs)
        self.memory = nnx.Variable(jnp.zeros(width))


class Gate(Triangular):
    """Looks ahead through a gate that is closed at initialisation, by a zero."""

    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs):
        super().__init__(width, context_length, rngs=rngs)
        self.gate = nnx.Param(jnp.zeros(()))

    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(x) + self.gate[...] * x[::-1]


class SoftMask(Triangular):
    """Hides the future behind a mask that is a parameter: a large negative number."""

    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs):
        super().__init__(width, context_length, rngs=rngs)
        self.mask = nnx.Param(jnp.triu(jnp.full((context_length, context_length), -30.0), 1))

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.out(jax.nn.softmax(self.mixing[...] + self.mask[...]) @ x)


@jax.custom_jvp
def _open(gates: jax.Array) -> jax.Array:
    return (gates.min() > 0.02).astype(gates.dtype)


@_open.defjvp
def _open_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    return _open(*primals), tangents[0].sum()


class Latch(Unmasked):
    """Looks ahead once training has moved each of twenty numbers, of which noise moves only half."""

    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs):
        super().__init__(width, context_length, rngs=rngs)
        self.gates = nnx.Param(jnp.zeros(20))

    def __call__(self, x: jax.Array) -> jax.Array:
        past = Triangular.__call__(self, x)
        return past + _open(self.gates[...]) * (super().__call__(x) - past)


class CompiledOtherwise(Triangular):
    def __call__(self, x: jax.Array) -> jax.Array:
        mixed = super().__call__(x)
        return 2 * mixed if isinstance(x, Tracer) else mixed


class Dice(Triangular):
    """Noise from outside of jax."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(x) * np.float32(np.random.default_rng().normal())


class Unseeded(Triangular):
    """Initial values from outside of jax."""

    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs):
        super().__init__(width, context_length, rngs=rngs)
        self.shift = nnx.Param(jnp.asarray(np.random.default_rng().normal(size=width), jnp.float32))

    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(x) + self.shift[...]


class EndlessSlope(Triangular):
    """The gradient of a root at zero is infinite."""

    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs):
        super().__init__(width, context_length, rngs=rngs)
        self.scale = nnx.Param(jnp.zeros(width))

    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(x) + jnp.sqrt(jnp.abs(self.scale[...]))


class Chunked(Triangular):
    """Works on chunks of eight tokens, and the shortest sequence has four."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(x.reshape(-1, 8, x.shape[1]).reshape(x.shape))


class FutureWeights(Triangular):
    """Reports weights on positions that it does not read."""

    def weights(self, x: jax.Array, positions: Integers) -> jax.Array:
        return jnp.full((1, len(positions), len(x)), 1 / len(x))


class Blind(Triangular):
    """Every token sees itself alone."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.out(jnp.diag(jnp.diag(self.mixing[...])) @ x)


class Narrow(Triangular):
    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(x)[:, ::2]


SOUND: tuple[type[Mixer], ...] = (Triangular, Recurrent, Convolution)

FAULTS: tuple[tuple[type[Mixer], tuple[str, ...]], ...] = (
    (Unmasked, ("causality at initialisation",)),
    (SwappedHeads, ("causality at initialisation",)),
    (NormalisedOverSequence, ("causality at initialisation",)),
    (NormalisedOverBatch, ("sequences of a batch",)),
    (Bidirectional, ("causality at initialisation",)),
    (ShiftedQuery, ("queries",)),
    (ShiftedOutput, ("causality at initialisation",)),
    (UnusedParameter, ("gradients",)),
    (Counting, ("state between calls",)),
    (Remembering, ("state between calls",)),
    (Hoarding, ("state between calls",)),
    (Stateful, ("construction",)),
    (Gate, ("causality when perturbed",)),
    (SoftMask, ("causality when perturbed",)),
    (Latch, ("causality after training", "unpredictable targets")),
    (CompiledOtherwise, ("jitted and un-jitted",)),
    (Dice, ("determinism",)),
    (Dicing, ("determinism",)),
    (CountingBuilds, ("determinism",)),
    (DrawnAtImport, ("determinism",)),
    (Unseeded, ("determinism",)),
    (EndlessSlope, ("gradients",)),
    (Chunked, ("contexts",)),
    (FutureWeights, ("attention weights",)),
    (Blind, ("learning",)),
    (Narrow, ("construction",)),
)
