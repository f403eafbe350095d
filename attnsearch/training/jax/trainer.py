"""One run as three pure functions: begin, advance by one recorded point, measure the map.

Written for one run; `lanes` maps them over lanes. What a run sees at step t depends on its own
seeds and t alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from attnsearch.base import RECORDING_INTERVAL, Example, Integers, MapRecord
from attnsearch.generators.base import Generator, Rule
from attnsearch.training.jax.network import LayerBiases, Network, Parameters

PROBE_SEQUENCES = 32
"""Sequences over which a map is averaged; the same ones at every step of a run."""

LARGEST_PROBE = 2**15
"""Tokens that may be read to measure an influence, unless that left fewer than `FEWEST_PROBE_SEQUENCES`."""

FEWEST_PROBE_SEQUENCES = 2

_INIT, _DATA, _PROBE, _RULE, _FRESH = range(5)


class MapBias(NamedTuple):
    """A map that is added to the attention logits of the queries.

    strength:     `f32[num_layers]`, what an entry of the map adds, in every head of a layer
    first, last:  `i32[]`, while first <= steps done < last
    placebo:      `bool[]`, whether it is the wrong map
    """

    strength: Any
    first: Any
    last: Any
    placebo: Any


class RunInputs(NamedTuple):
    """What may differ between the lanes of one compilation: numpy scalars on the host, `[N]` in lanes.

    seed, rule_seed:  `i32[]`
    knobs:            the generator's traced knobs, `i32[]` or `f32[]` each
    learning_rate:    `f32[]`, reached after `warmup_steps`, `i32[]`, linear steps
    weight_decay:     `f32[]`, decoupled (AdamW), applied to every parameter
    map_bias:         None in cohorts without any
    """

    seed: Any
    rule_seed: Any
    knobs: Mapping[str, Any]
    learning_rate: Any
    weight_decay: Any
    warmup_steps: Any
    map_bias: MapBias | None = None


class RunState(NamedTuple):
    """A run between two recorded points. `step`: `i32[]` steps done."""

    inputs: RunInputs
    rule: Rule
    parameters: Parameters
    optimizer_state: Any
    step: jax.Array


class Record(NamedTuple):
    """Means over the last `RECORDING_INTERVAL` steps: `loss` in nats and `accuracy`, `f32[Q]` each."""

    loss: jax.Array
    accuracy: jax.Array


@dataclass(frozen=True)
class Trainer:
    """Trains `network` on fresh sequences of `generator`, `batch_size` of them a step.

    The gradient of a step is summed over `parts` equal parts of the batch, one after another, which
    changes nothing but the order of a sum. `biased` says that runs have a map bias.
    """

    generator: Generator
    network: Network
    batch_size: int
    parts: int = 1
    biased: bool = False

    def begin(self, inputs: RunInputs) -> RunState:
        """A run before its first step."""
        rule = draw_rule(self.generator, inputs.rule_seed, inputs.knobs)
        parameters = self.network.init(_stream(inputs.seed, _INIT))
        optimizer_state = _optimizer(inputs).init(parameters)
        return RunState(inputs, rule, parameters, optimizer_state, jnp.zeros((), jnp.int32))

    def advance(self, state: RunState) -> tuple[RunState, Record]:
        """Train for `RECORDING_INTERVAL` steps."""
        state, records = jax.lax.scan(self._step, state, length=RECORDING_INTERVAL)
        return state, jax.tree.map(lambda recorded: recorded.mean(axis=0), records)

    def batch(self, state: RunState) -> Example:
        """The sequences of the step after `state`; a leading axis B on every field."""
        key = jax.random.fold_in(_stream(state.inputs.seed, _DATA), state.step)
        return self._sample(state.rule, key, self.batch_size)

    def fresh(self, state: RunState, count: int) -> Example:
        """Sequences of `state`'s rule, of a stream that training never draws from; a leading axis `count`."""
        return self._sample(state.rule, _stream(state.inputs.seed, _FRESH), count)

    def influence(self, state: RunState) -> jax.Array:
        """How far the answer to each mapped target moves when one token is replaced: `f32[K, L]`, in [0, 1].

        Mean over `PROBE_SEQUENCES` sequences, fewer for long contexts, of the total variation distance
        between the answers' distributions before and after the token at a position becomes another
        symbol; zero at positions that are not probed. It needs the network's output alone, so it is
        defined for every mixer alike.
        """
        key, shift_key = jax.random.split(_stream(state.inputs.seed, _PROBE))
        tokens = self._sample(state.rule, key, PROBE_SEQUENCES).tokens
        positions = self.generator.probed_positions.nonzero()[0]
        tokens = tokens[: _probe_sequences(positions.size * tokens.shape[1])]
        symbols = self.generator.num_symbols
        shifts = jax.random.randint(shift_key, tokens.shape, 1, symbols)
        replaced = (tokens + shifts) % symbols
        mapped = self._mapped_queries
        # As many at a time as in a part of a training step, which fits into a cache.
        at_once = min(len(tokens), -(-self.batch_size // self.parts))

        def probabilities(sequence: jax.Array) -> jax.Array:
            logits = self.network.apply(state.parameters, sequence, self.bias(state, sequence))
            return jax.nn.softmax(logits[mapped])

        def answered(position: jax.Array) -> jax.Array:
            changed = jnp.where(jnp.arange(tokens.shape[1]) == position, replaced, tokens)
            return jax.lax.map(probabilities, changed, batch_size=at_once)

        # The untouched sequences go the same way as the others, so that what has no influence differs
        # by nothing at all, not by how two programs round.
        answers = jax.lax.map(answered, jnp.asarray([-1, *positions]))
        distances = jnp.abs(answers[1:] - answers[0]).sum(axis=-1).mean(axis=1) / 2
        influence = jnp.zeros((tokens.shape[1], distances.shape[1])).at[positions].set(distances)
        return influence.T

    def heads(self, state: RunState) -> tuple[jax.Array, jax.Array, jax.Array]:
        """What the attention heads look at, as in `MapRecord`: weights, mass and entropy, mean over
        `PROBE_SEQUENCES` sequences, of which `influence` reads the first, or all."""
        key, _ = jax.random.split(_stream(state.inputs.seed, _PROBE))
        targets = self.generator.mapped_targets
        queries = self.generator.query_positions[self._mapped_queries]

        def looked(tokens: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
            weights = self.network.weights(state.parameters, tokens, queries, self.bias(state, tokens))
            mass = (weights * self.generator.supports(state.rule, tokens, targets)).sum(axis=-1)
            return weights, mass, jax.scipy.special.entr(weights).sum(axis=-1)

        # Added up one by one, for the weights of all sequences at once would not fit at long contexts.
        sequences = self._sample(state.rule, key, PROBE_SEQUENCES).tokens
        shapes = jax.eval_shape(looked, sequences[0])
        nothing = jax.tree.map(lambda field: jnp.zeros(field.shape, field.dtype), shapes)
        sums, _ = jax.lax.scan(
            lambda total, tokens: (jax.tree.map(jnp.add, total, looked(tokens)), None), nothing, sequences
        )
        return jax.tree.map(lambda total: total / PROBE_SEQUENCES, sums)

    def look(self, state: RunState) -> MapRecord:
        """The measured map, and what the heads look at."""
        return MapRecord(self.influence(state), *self.heads(state))

    @property
    def _mapped_queries(self) -> Integers:
        """`i64[K]`: which queries ask for the mapped targets."""
        return self.generator.is_target.nonzero()[0][self.generator.mapped_targets]

    def bias(self, state: RunState, tokens: jax.Array) -> LayerBiases | None:
        """What is added to the attention logits of one sequence in the step after `state`."""
        given, generator = state.inputs.map_bias, self.generator
        if given is None:
            return None
        active = (given.first <= state.step) & (state.step < given.last)
        target_at = np.full(generator.context_length, -1)
        target_at[generator.query_positions[generator.is_target]] = np.arange(generator.is_target.sum())

        def added(strength: jax.Array, positions: Integers | jax.Array) -> jax.Array:
            targets = jnp.asarray(target_at)[positions]
            one = jnp.maximum(targets, 0)
            right = generator.supports(state.rule, tokens, one)
            wrong = generator.placebo(state.rule, tokens, one)
            chosen = jnp.where(given.placebo, wrong, right) & (targets >= 0)[:, None]
            return chosen * jnp.where(active, strength, 0.0)

        return [partial(added, strength) for strength in given.strength]

    def _sample(self, rule: Rule, key: jax.Array, count: int) -> Example:
        return jax.vmap(self.generator.sample, in_axes=(None, 0))(rule, jax.random.split(key, count))

    def _step(self, state: RunState, _: None) -> tuple[RunState, Record]:
        batch = self.batch(state)
        parts = [field.reshape(self.parts, -1, *field.shape[1:]) for field in (batch.tokens, batch.answers)]

        def mean_loss(
            parameters: Parameters, tokens: jax.Array, answers: jax.Array
        ) -> tuple[jax.Array, Record]:
            logits = jax.vmap(
                lambda sequence: self.network.apply(parameters, sequence, self.bias(state, sequence))
            )(tokens)
            chex.assert_equal_shape_prefix([logits, answers], 2)
            loss = optax.softmax_cross_entropy_with_integer_labels(logits, answers).mean(axis=0)
            right = (logits.argmax(axis=-1) == answers).mean(axis=0)
            return loss.mean(), Record(loss, right)

        def add(total: Parameters, part: list[jax.Array]) -> tuple[Parameters, Record]:
            gradients, record = jax.grad(mean_loss, has_aux=True)(state.parameters, *part)
            return jax.tree.map(jnp.add, total, gradients), record

        totals, records = jax.lax.scan(add, jax.tree.map(jnp.zeros_like, state.parameters), parts)
        gradients = jax.tree.map(lambda total: total / self.parts, totals)
        record = jax.tree.map(lambda recorded: recorded.mean(axis=0), records)
        updates, optimizer_state = _optimizer(state.inputs).update(
            gradients, state.optimizer_state, state.parameters
        )
        parameters = optax.apply_updates(state.parameters, updates)
        return RunState(state.inputs, state.rule, parameters, optimizer_state, state.step + 1), record


def draw_rule(generator: Generator, rule_seed: jax.Array, knobs: Mapping[str, jax.Array]) -> Rule:
    """The hidden rule that runs with this seed have."""
    return generator.init(_stream(rule_seed, _RULE), knobs)


def _probe_sequences(tokens: int) -> int:
    """Sequences over which an influence is averaged that costs so many tokens for each."""
    return min(PROBE_SEQUENCES, max(FEWEST_PROBE_SEQUENCES, LARGEST_PROBE // tokens))


def _stream(seed: jax.Array, stream: int) -> jax.Array:
    """A key of its own for each use of a seed."""
    return jax.random.fold_in(jax.random.key(seed), stream)


def _optimizer(inputs: RunInputs) -> optax.GradientTransformation:
    """AdamW with a linear warm-up; its settings are arrays, so that lanes may differ in them."""

    def learning_rate(count: jax.Array) -> jax.Array:
        return inputs.learning_rate * jnp.minimum(1.0, (count + 1) / jnp.maximum(inputs.warmup_steps, 1))

    return optax.adamw(learning_rate, weight_decay=inputs.weight_decay)  # pyright: ignore[reportArgumentType]
