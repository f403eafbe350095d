"""One run as two pure functions: begin, and advance by one recorded point. `probes` measure it.

Written for one run; `lanes` maps them over lanes. What a run sees at step t depends on its own
seeds and t alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from attnsearch.base import RECORDING_INTERVAL, Example
from attnsearch.generators.base import Generator, Rule
from attnsearch.sequences.contests import Contested, contested, nothing_contested
from attnsearch.sequences.sequences import FRESH, INIT, batch, contests, draw, draw_rule, stream
from attnsearch.training.jax.intervention import MapBias, biases
from attnsearch.training.jax.network import LayerBiases, Network, Parameters


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
    """A recorded point. `loss` in nats and `accuracy`, `f32[Q]` each, are means over the last
    `RECORDING_INTERVAL` steps; `update_norm`, `f32[]`, is as in `base.Updates`, and `margin`, `f32[P]`, and
    `agreement`, `f32[]`, are as in `base.Contests`."""

    loss: jax.Array
    accuracy: jax.Array
    update_norm: jax.Array
    margin: jax.Array
    agreement: jax.Array


class _Trained(NamedTuple):
    """Of some sequences: `loss` in nats and `accuracy`, `f32[Q]` each."""

    loss: jax.Array
    accuracy: jax.Array


class _Step(NamedTuple):
    """`_Trained` of the sequences of a step, and the norm of its update, `f32[]`."""

    loss: jax.Array
    accuracy: jax.Array
    update_norm: jax.Array


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
        parameters = self.network.init(stream(inputs.seed, INIT))
        optimizer_state = _optimizer(inputs).init(parameters)
        return RunState(inputs, rule, parameters, optimizer_state, jnp.zeros((), jnp.int32))

    def advance(self, state: RunState) -> tuple[RunState, Record]:
        """Train for `RECORDING_INTERVAL` steps."""
        state, records = jax.lax.scan(self._step, state, length=RECORDING_INTERVAL)
        loss, accuracy, update_norm = (recorded.mean(axis=0) for recorded in records)
        return state, Record(loss, accuracy, update_norm, *self.contested(state))

    def contested(self, state: RunState) -> Contested:
        """Which of two routes a network takes; P = 0 where none compete, and then nothing is computed."""
        if not self.generator.competes:
            return nothing_contested(self.generator)
        items = contests(self.generator, state.rule, state.inputs.seed)

        def answered(tokens: jax.Array) -> jax.Array:
            logits = self.network.apply(state.parameters, tokens, self.bias(state, tokens))
            return jax.nn.softmax(logits)

        at_once = min(len(items.tokens), -(-self.batch_size // self.parts))
        answers = jax.lax.map(answered, items.tokens, batch_size=at_once)
        return contested(self.generator, items, answers)

    def batch(self, state: RunState) -> Example:
        """The sequences of the step after `state`; a leading axis B on every field."""
        return batch(self.generator, self.batch_size, state.rule, state.inputs.seed, state.step)

    def fresh(self, state: RunState, count: int) -> Example:
        """Sequences of `state`'s rule, of a stream that training never draws from; a leading axis `count`."""
        return draw(self.generator, state.rule, stream(state.inputs.seed, FRESH), count)

    def bias(self, state: RunState, tokens: jax.Array) -> LayerBiases | None:
        """What is added to the attention logits of one sequence in the step after `state`."""
        given = state.inputs.map_bias
        if given is None:
            return None
        return biases(given, self.generator, state.rule, tokens, state.step)

    def _step(self, state: RunState, _: None) -> tuple[RunState, _Step]:
        examples = self.batch(state)
        parts = [field.reshape(self.parts, -1, *field.shape[1:]) for field in examples]

        def mean_loss(
            parameters: Parameters, tokens: jax.Array, answers: jax.Array
        ) -> tuple[jax.Array, _Trained]:
            logits = jax.vmap(
                lambda sequence: self.network.apply(parameters, sequence, self.bias(state, sequence))
            )(tokens)
            chex.assert_equal_shape_prefix([logits, answers], 2)
            loss = optax.softmax_cross_entropy_with_integer_labels(logits, answers).mean(axis=0)
            right = (logits.argmax(axis=-1) == answers).mean(axis=0)
            return loss.mean(), _Trained(loss, right)

        def add(total: Parameters, part: list[jax.Array]) -> tuple[Parameters, _Trained]:
            gradients, record = jax.grad(mean_loss, has_aux=True)(state.parameters, *part)
            return jax.tree.map(jnp.add, total, gradients), record

        totals, records = jax.lax.scan(add, jax.tree.map(jnp.zeros_like, state.parameters), parts)
        gradients = jax.tree.map(lambda total: total / self.parts, totals)
        record = jax.tree.map(lambda recorded: recorded.mean(axis=0), records)
        updates, optimizer_state = _optimizer(state.inputs).update(
            gradients, state.optimizer_state, state.parameters
        )
        parameters = optax.apply_updates(state.parameters, updates)
        trained = RunState(state.inputs, state.rule, parameters, optimizer_state, state.step + 1)
        return trained, _Step(record.loss, record.accuracy, optax.tree.norm(updates))


def _optimizer(inputs: RunInputs) -> optax.GradientTransformation:
    """AdamW with a linear warm-up; its settings are arrays, so that lanes may differ in them."""

    def learning_rate(count: jax.Array) -> jax.Array:
        return inputs.learning_rate * jnp.minimum(1.0, (count + 1) / jnp.maximum(inputs.warmup_steps, 1))

    return optax.adamw(learning_rate, weight_decay=inputs.weight_decay)  # pyright: ignore[reportArgumentType]
