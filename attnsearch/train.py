"""One run as three pure functions: begin, advance by one recorded point, measure the map.

Written for one run; `attnsearch.lanes` maps them over lanes. What a run sees at step t depends on its
own seeds and t alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from attnsearch.base import RECORDING_INTERVAL, Example, MapRecord
from attnsearch.generators.base import Generator, Rule
from attnsearch.network import Network, Parameters

PROBE_SEQUENCES = 32
"""Sequences over which an influence is averaged; the same ones at every step of a run."""

_INIT, _DATA, _PROBE, _RULE = range(4)


class RunInputs(NamedTuple):
    """What may differ between the lanes of one compilation; scalars, `[N]` in lanes.

    seed, rule_seed:  `i32[]`
    knobs:            the generator's traced knobs, `i32[]` or `f32[]` each
    learning_rate:    `f32[]`, reached after `warmup_steps`, `i32[]`, linear steps
    weight_decay:     `f32[]`, decoupled (AdamW), applied to every parameter
    """

    seed: jax.Array
    rule_seed: jax.Array
    knobs: Mapping[str, jax.Array]
    learning_rate: jax.Array
    weight_decay: jax.Array
    warmup_steps: jax.Array


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
    changes nothing but the order of a sum.
    """

    generator: Generator
    network: Network
    batch_size: int
    parts: int = 1

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

    def influence(self, state: RunState) -> jax.Array:
        """How far the answer to each target moves when one token is replaced: `f32[R, L]`, in [0, 1].

        Mean over `PROBE_SEQUENCES` sequences of the total variation distance between the answers'
        distributions before and after the token at a position becomes another symbol; zero at
        positions that are never replaced. It needs the network's output alone, so it is defined
        for every mixer alike.
        """
        key, shift_key = jax.random.split(_stream(state.inputs.seed, _PROBE))
        tokens = self._sample(state.rule, key, PROBE_SEQUENCES).tokens
        symbols = self.generator.num_symbols
        shifts = jax.random.randint(shift_key, tokens.shape, 1, symbols)
        replaced = (tokens + shifts) % symbols
        positions = self.generator.replaceable.nonzero()[0]

        def answered(position: jax.Array) -> jax.Array:
            changed = jnp.where(jnp.arange(tokens.shape[1]) == position, replaced, tokens)
            return self._probabilities(state.parameters, changed)

        # The untouched sequences go the same way as the others, so that what has no influence differs
        # by nothing at all, not by how two programs round.
        answers = jax.lax.map(answered, jnp.asarray([-1, *positions]))
        distances = jnp.abs(answers[1:] - answers[0]).sum(axis=-1).mean(axis=1) / 2
        influence = jnp.zeros((tokens.shape[1], distances.shape[1])).at[positions].set(distances)
        return influence.T[self.generator.is_target.nonzero()[0]]

    def heads(self, state: RunState) -> tuple[jax.Array, jax.Array, jax.Array]:
        """What the attention heads look at, as in `MapRecord`: weights, mass and entropy, mean over the same
        probe sequences as `influence`."""
        key, _ = jax.random.split(_stream(state.inputs.seed, _PROBE))
        targets = self.generator.is_target.nonzero()[0]

        def looked(example: Example) -> tuple[jax.Array, jax.Array, jax.Array]:
            weights = self.network.weights(state.parameters, example.tokens)[:, targets]
            mass = (weights * example.attention_map).sum(axis=-1)
            return weights, mass, jax.scipy.special.entr(weights).sum(axis=-1)

        # Added up one by one, for the weights of all sequences at once would not fit at long contexts.
        examples = self._sample(state.rule, key, PROBE_SEQUENCES)
        shapes = jax.eval_shape(looked, jax.tree.map(lambda field: field[0], examples))
        nothing = jax.tree.map(lambda field: jnp.zeros(field.shape, field.dtype), shapes)
        sums, _ = jax.lax.scan(
            lambda total, example: (jax.tree.map(jnp.add, total, looked(example)), None), nothing, examples
        )
        return jax.tree.map(lambda total: total / PROBE_SEQUENCES, sums)

    def look(self, state: RunState) -> MapRecord:
        """The measured map, and what the heads look at."""
        return MapRecord(self.influence(state), *self.heads(state))

    def _probabilities(self, parameters: Parameters, tokens: jax.Array) -> jax.Array:
        """`f32[P, Q, V]` of `tokens`, `i32[P, L]`."""
        return jax.nn.softmax(jax.vmap(self.network.apply, in_axes=(None, 0))(parameters, tokens))

    def _sample(self, rule: Rule, key: jax.Array, count: int) -> Example:
        return jax.vmap(self.generator.sample, in_axes=(None, 0))(rule, jax.random.split(key, count))

    def _step(self, state: RunState, _: None) -> tuple[RunState, Record]:
        batch = self.batch(state)
        parts = [field.reshape(self.parts, -1, *field.shape[1:]) for field in (batch.tokens, batch.answers)]

        def mean_loss(
            parameters: Parameters, tokens: jax.Array, answers: jax.Array
        ) -> tuple[jax.Array, Record]:
            logits = jax.vmap(self.network.apply, in_axes=(None, 0))(parameters, tokens)
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


def _stream(seed: jax.Array, stream: int) -> jax.Array:
    """A key of its own for each use of a seed."""
    return jax.random.fold_in(jax.random.key(seed), stream)


def _optimizer(inputs: RunInputs) -> optax.GradientTransformation:
    """AdamW with a linear warm-up; its settings are arrays, so that lanes may differ in them."""

    def learning_rate(count: jax.Array) -> jax.Array:
        return inputs.learning_rate * jnp.minimum(1.0, (count + 1) / jnp.maximum(inputs.warmup_steps, 1))

    return optax.adamw(learning_rate, weight_decay=inputs.weight_decay)  # pyright: ignore[reportArgumentType]
