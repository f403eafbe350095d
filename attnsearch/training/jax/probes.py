"""What a network reads, measured on probe sequences: the map, and where attention heads look."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from attnsearch.base import MapRecord
from attnsearch.mixers.base import LogitBias
from attnsearch.sequences.influence import Influence, distances, mapped_queries, measured
from attnsearch.sequences.replacements import Replacements, inside, moved_before
from attnsearch.sequences.sequences import PROBE_SEQUENCES, probe_sequences, probes
from attnsearch.training.jax.network import LayerBiases
from attnsearch.training.jax.trainer import RunState, Trainer


class _Answered(NamedTuple):
    """What one way of replacing tokens has come to: `f32[P, Q, V]` twice, and `Replacements.first`."""

    untouched: jax.Array
    answers: jax.Array
    first: jax.Array


def look(trainer: Trainer, state: RunState) -> MapRecord:
    """The measured map, and what the heads look at."""
    return MapRecord(*influence(trainer, state), *heads(trainer, state))


def influence(trainer: Trainer, state: RunState) -> Influence:
    """Replaces every probed token by another symbol, one at a time, and then the ends of sequences.

    An influence is the total variation distance between the answer's distributions before and after, over
    `PROBE_SEQUENCES` sequences, or fewer of long contexts. It needs the network's output alone, so it is
    defined for every mixer alike.
    """
    generator = trainer.generator
    tokens, replaced, ways = probes(generator, state.rule, state.inputs.seed, state.step)
    mapped = mapped_queries(generator)
    # As many at a time as in a part of a training step, which fits into a cache.
    at_once = min(len(tokens), -(-trainer.batch_size // trainer.parts))

    def probabilities(shown: jax.Array, untouched: jax.Array, first: jax.Array) -> jax.Array:
        bias = _bias(trainer, state, shown, untouched, first)
        return jax.nn.softmax(trainer.network.apply(state.parameters, shown, bias))

    def answers(way: Replacements) -> jax.Array:
        shown = jnp.where(inside(*way, tokens.shape[1]), replaced, tokens)
        given = shown, tokens, way.first
        return jax.lax.map(lambda one: probabilities(*one), given, batch_size=at_once)

    def compared(done: _Answered) -> tuple[jax.Array, jax.Array]:
        moved = distances(done.answers, done.untouched)
        return moved[:, mapped], moved_before(generator, done.first, moved)

    # The untouched sequences go the same way as the others, and answers are compared as they are stored, one
    # way later. So what has no influence differs by nothing at all, not by how two programs round.
    def asked(
        done: _Answered, way: tuple[jax.Array, Replacements]
    ) -> tuple[_Answered, tuple[jax.Array, jax.Array]]:
        number, replacing = way
        found = answers(replacing)
        untouched = jnp.where(number == 0, found, done.untouched)
        return _Answered(untouched, found, replacing.first), compared(done)

    shape = jax.eval_shape(answers, jax.tree.map(lambda field: field[0], ways))
    nothing = jnp.zeros(shape.shape, shape.dtype)
    before = _Answered(nothing, nothing, ways.first[0])
    last, others = jax.lax.scan(asked, before, (jnp.arange(len(ways.first)), ways))
    # The first of these is of nothing; the last way is still to be compared.
    moved, later = jax.tree.map(lambda done, one: jnp.append(done[1:], one[None], 0), others, compared(last))
    single = moved[1 : 1 + int(generator.probed_positions.sum())]
    return measured(generator, state.rule, tokens, single, later.max())


def _bias(
    trainer: Trainer, state: RunState, shown: jax.Array, untouched: jax.Array, first: jax.Array
) -> LayerBiases | None:
    """What is added to the attention logits of the sequence `shown`, in which `first`, `i32[]`, is the first
    replaced token.

    Before it, that is what is added to the `untouched` sequence: what the map makes of a later token is not
    what the network makes of it.
    """
    after, before = (trainer.bias(state, sequence) for sequence in (shown, untouched))
    if after is None or before is None:
        return None

    def of_layer(after: LogitBias, before: LogitBias) -> LogitBias:
        return lambda positions: jnp.where((positions < first)[:, None], before(positions), after(positions))

    return [of_layer(*pair) for pair in zip(after, before, strict=True)]


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
