"""What a network reads, measured on probe sequences: the map, and where attention heads look."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from attnsearch.base import Integers, MapRecord
from attnsearch.generators.base import Generator, Rule
from attnsearch.training.jax.trainer import PROBE, RunState, Trainer, stream

PROBE_SEQUENCES = 32
"""Sequences over which a map is averaged; the same ones at every step of a run."""

LARGEST_PROBE = 2**15
"""Tokens that may be read to measure an influence, unless that left fewer than `FEWEST_PROBE_SEQUENCES`."""

FEWEST_PROBE_SEQUENCES = 2


class Influence(NamedTuple):
    """How far the answer to each mapped target moves when one token is replaced.

    mean:  `f32[K, L]` over probe sequences, in [0, 1]; zero at positions that are not probed
    mass:  `f32[K]` share that lies on the support of the very sequence; nan where nothing moves an answer
    """

    mean: jax.Array
    mass: jax.Array


def look(trainer: Trainer, state: RunState) -> MapRecord:
    """The measured map, and what the heads look at."""
    measured = influence(trainer, state)
    return MapRecord(measured.mean, measured.mass, *heads(trainer, state))


def influence(trainer: Trainer, state: RunState) -> Influence:
    """Replaces every probed token by another symbol, one at a time.

    An influence is the total variation distance between the answer's distributions before and after, over
    `PROBE_SEQUENCES` sequences, or fewer of long contexts. It needs the network's output alone, so it is
    defined for every mixer alike.
    """
    generator = trainer.generator
    key, shift_key = jax.random.split(stream(state.inputs.seed, PROBE))
    tokens = trainer.sample(state.rule, key, PROBE_SEQUENCES).tokens
    positions = generator.probed_positions.nonzero()[0]
    tokens = tokens[: _probe_sequences(positions.size * tokens.shape[1])]
    symbols = generator.num_symbols
    shifts = jax.random.randint(shift_key, tokens.shape, 1, symbols)
    replaced = (tokens + shifts) % symbols
    mapped = _mapped_queries(generator)
    # As many at a time as in a part of a training step, which fits into a cache.
    at_once = min(len(tokens), -(-trainer.batch_size // trainer.parts))

    def probabilities(sequence: jax.Array) -> jax.Array:
        logits = trainer.network.apply(state.parameters, sequence, trainer.bias(state, sequence))
        return jax.nn.softmax(logits[mapped])

    def answered(position: jax.Array) -> jax.Array:
        changed = jnp.where(jnp.arange(tokens.shape[1]) == position, replaced, tokens)
        return jax.lax.map(probabilities, changed, batch_size=at_once)

    # The untouched sequences go the same way as the others, so that what has no influence differs
    # by nothing at all, not by how two programs round.
    answers = jax.lax.map(answered, jnp.asarray([-1, *positions]))
    distances = jnp.abs(answers[1:] - answers[0]).sum(axis=-1) / 2
    mean = jnp.zeros((tokens.shape[1], distances.shape[2])).at[positions].set(distances.mean(axis=1))
    return Influence(mean.T, map_mass(generator, state.rule, tokens, distances))


def heads(trainer: Trainer, state: RunState) -> tuple[jax.Array, jax.Array, jax.Array]:
    """What the attention heads look at, as in `MapRecord`: weights, mass and entropy.

    Means over `PROBE_SEQUENCES` sequences, of which `influence` reads the first, or all.
    """
    key, _ = jax.random.split(stream(state.inputs.seed, PROBE))
    targets = trainer.generator.mapped_targets
    queries = trainer.generator.query_positions[_mapped_queries(trainer.generator)]

    def looked(tokens: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        weights = trainer.network.weights(state.parameters, tokens, queries, trainer.bias(state, tokens))
        mass = (weights * trainer.generator.supports(state.rule, tokens, targets)).sum(axis=-1)
        return weights, mass, jax.scipy.special.entr(weights).sum(axis=-1)

    # Added up one by one, for the weights of all sequences at once would not fit at long contexts.
    sequences = trainer.sample(state.rule, key, PROBE_SEQUENCES).tokens
    shapes = jax.eval_shape(looked, sequences[0])
    nothing = jax.tree.map(lambda field: jnp.zeros(field.shape, field.dtype), shapes)
    sums, _ = jax.lax.scan(
        lambda total, tokens: (jax.tree.map(jnp.add, total, looked(tokens)), None), nothing, sequences
    )
    return jax.tree.map(lambda total: total / PROBE_SEQUENCES, sums)


def map_mass(generator: Generator, rule: Rule, tokens: jax.Array, distances: jax.Array) -> jax.Array:
    """`f32[K]`: the share of `distances` on the supports of the very sequences; nan where all are 0.

    tokens:     `i32[B, L]`
    distances:  `f32[P, B, K]` how far the answers moved when each of the P probed positions was replaced

    Where not every position was probed, the positions that belong to no support stand for all such: each
    counts as many times as there are of them for each that was probed. Supports were all probed.
    """
    probed, targets = generator.probed_positions, generator.mapped_targets
    queries = generator.query_positions[_mapped_queries(generator)]
    visible = generator.replaceable & (np.arange(generator.context_length) <= queries[:, None])

    def shares(sequence: jax.Array, moved: jax.Array) -> tuple[jax.Array, jax.Array]:
        supports = generator.supports(rule, sequence, targets)
        elsewhere = visible & ~supports.any(axis=0)
        of_each = elsewhere.sum(axis=1) / jnp.maximum((elsewhere & probed).sum(axis=1), 1)
        # What a query cannot see, and yet moves with, is a leak: it counts as it was measured.
        weights = jnp.where(elsewhere, of_each[:, None], 1.0)[:, probed]
        return (moved * supports[:, probed]).sum(axis=1), (moved * weights).sum(axis=1)

    on_support, total = jax.tree.map(
        lambda parts: parts.sum(axis=0), jax.vmap(shares)(tokens, distances.transpose(1, 2, 0))
    )
    return jnp.where(total > 0, on_support / jnp.where(total > 0, total, 1.0), jnp.nan)


def _mapped_queries(generator: Generator) -> Integers:
    """`i64[K]`: which queries ask for the mapped targets."""
    return generator.is_target.nonzero()[0][generator.mapped_targets]


def _probe_sequences(tokens: int) -> int:
    """Sequences over which an influence is averaged that costs so many tokens for each."""
    return min(PROBE_SEQUENCES, max(FEWEST_PROBE_SEQUENCES, LARGEST_PROBE // tokens))
