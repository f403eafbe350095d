"""What a network reads, measured on probe sequences: the map, and where attention heads look."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from attnsearch.base import MapRecord
from attnsearch.sequences.influence import Influence, distances, mapped_queries, measured
from attnsearch.sequences.sequences import PROBE_SEQUENCES, probe_sequences, probes
from attnsearch.training.jax.trainer import RunState, Trainer


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
    tokens, replaced, positions = probes(generator, state.rule, state.inputs.seed)
    mapped = mapped_queries(generator)
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
    return measured(generator, state.rule, tokens, distances(answers[1:], answers[0]))


def heads(trainer: Trainer, state: RunState) -> tuple[jax.Array, jax.Array, jax.Array]:
    """What the attention heads look at, as in `MapRecord`: weights, mass and entropy.

    Means over `PROBE_SEQUENCES` sequences, of which `influence` reads the first, or all.
    """
    targets = trainer.generator.mapped_targets
    queries = trainer.generator.query_positions[mapped_queries(trainer.generator)]

    def looked(tokens: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        weights = trainer.network.weights(state.parameters, tokens, queries, trainer.bias(state, tokens))
        mass = (weights * trainer.generator.supports(state.rule, tokens, targets)).sum(axis=-1)
        return weights, mass, jax.scipy.special.entr(weights).sum(axis=-1)

    # Added up one by one, for the weights of all sequences at once would not fit at long contexts.
    sequences = probe_sequences(trainer.generator, state.rule, state.inputs.seed)
    shapes = jax.eval_shape(looked, sequences[0])
    nothing = jax.tree.map(lambda field: jnp.zeros(field.shape, field.dtype), shapes)
    sums, _ = jax.lax.scan(
        lambda total, tokens: (jax.tree.map(jnp.add, total, looked(tokens)), None), nothing, sequences
    )
    return jax.tree.map(lambda total: total / PROBE_SEQUENCES, sums)
