"""Tokens a second: the runner's lanes beside a plain training loop, on the machine this runs on.

    python benchmarks/speed.py [--rounds 5] [--seconds 4] [--profile] [--json]

The plain loop is what one would write without attnsearch: flax's own layers on a batch `[B, L]`, logits at
every position, one run, `optax.adamw`, one jitted step a turn of a Python loop. It trains the same network:
before anything is timed, it is given the runner's parameters and must return the same logits and losses.

Everything is compiled first. Then the ways are measured in turn, round after round, so that what else the
machine does falls on all of them alike; ratios are taken within a round. Nothing is asserted about speed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from rich.console import Console
from rich.table import Table

from attnsearch import devices
from attnsearch.base import RECORDING_INTERVAL, Example, Integers
from attnsearch.generators import GENERATORS
from attnsearch.lanes import Lanes
from attnsearch.mixers import MIXERS
from attnsearch.mixers.attention import Attention
from attnsearch.mixers.base import default_settings, rows
from attnsearch.network import Network
from attnsearch.plan import Cohort, Registries, cohorts
from attnsearch.specs import (
    BudgetSpec,
    CellSpec,
    MixerSpec,
    NetworkSpec,
    OptimizerSpec,
    RunSpec,
    TaskSpec,
    settings,
)
from attnsearch.train import Record, RunState, Trainer

TASK = TaskSpec("linear_map", "linear_map", settings({"state_size": 16, "support_size": 3}))
BUDGET = BudgetSpec(tokens_per_step=8_192)
NETWORK, OPTIMIZER, NUM_HEADS = NetworkSpec(), OptimizerSpec(), 16
MIXER_NAMES = ("attention", "mlp_mixer")
ALL_LANES, ONE_LANE, PLAIN = "runner, every lane", "runner, one lane", "plain loop"
MATRIX_SIZES = (1_024, 2_048, 3_072)


def cohort(mixer: str, num_runs: int) -> Cohort:
    """The runs that are timed: one seed each."""
    chosen = default_settings(MIXERS[mixer])
    if mixer == "attention":
        chosen["num_heads"] = NUM_HEADS
    cell = CellSpec(TASK, MixerSpec(mixer, settings(chosen)), NETWORK, OPTIMIZER, BUDGET)
    return cohorts(
        [RunSpec(cell, seed, seed) for seed in range(num_runs)], Registries(GENERATORS, MIXERS)
    )[0]


class Way(Protocol):
    """A way to train. `advance` trains for `RECORDING_INTERVAL` steps, of `tokens` in all, and reads
    what was recorded."""

    tokens: int

    def advance(self) -> None: ...


class Runner:
    """Lanes as the command line sets them up: one run each, on `available` devices."""

    def __init__(self, work: Cohort, available: list[jax.Device], trainer: Trainer | None = None):
        per_device = devices.lanes_per_device(available[0].platform)
        self.lanes = Lanes(trainer or work.trainer, available, per_device)
        inputs = [work.inputs(spec) for spec in work.specs[: self.lanes.count]]
        self.states = self.lanes.begin(jax.tree.map(lambda *scalars: np.stack(scalars), *inputs))
        self.active = np.ones(self.lanes.count, dtype=bool)
        self.tokens = self.lanes.count * RECORDING_INTERVAL * BUDGET.tokens_per_step

    def advance(self) -> None:
        """Train every lane, and read the records on the host as the runner does."""
        self.states, record = self.lanes.advance(self.states, self.active)
        np.asarray(record.loss), np.asarray(record.accuracy)


class PlainMixer(nnx.Module):
    """The causal two-layer MLP over positions, as masked matrices on a whole batch."""

    def __init__(self, length: int, expansion: int):
        self.inward = nnx.Param(jnp.zeros((length, expansion, length)))
        self.inward_bias = nnx.Param(jnp.zeros((length, expansion)))
        self.outward = nnx.Param(jnp.zeros((length, length, expansion)))
        self.outward_bias = nnx.Param(jnp.zeros(length))

    def __call__(self, x: jax.Array, mask: jax.Array) -> jax.Array:
        causal = mask[0, 0].astype(bool)
        inward = jnp.where(causal[:, None, :], self.inward[...], 0.0)
        hidden = jnp.einsum("iek,bkd->bied", inward, x) + self.inward_bias[...][:, :, None]
        outward = jnp.where(causal[:, :, None], self.outward[...], 0.0)
        return jnp.einsum("tie,bied->btd", outward, nnx.gelu(hidden)) + self.outward_bias[...][:, None]


class PlainBlock(nnx.Module):
    """A pre-norm block of flax's own layers, for a batch."""

    def __init__(self, mixer: MixerSpec, length: int, rngs: nnx.Rngs):
        width, chosen = NETWORK.width, dict(mixer.settings)
        self.mixer_norm = nnx.LayerNorm(width, rngs=rngs)
        if mixer.name == "attention":
            self.mixer = nnx.MultiHeadAttention(NUM_HEADS, width, use_bias=False, decode=False, rngs=rngs)
        else:
            self.mixer = PlainMixer(length, int(chosen["expansion"] or 0))
        self.mlp_norm = nnx.LayerNorm(width, rngs=rngs)
        self.mlp_in = nnx.Linear(width, NETWORK.mlp_width, rngs=rngs)
        self.mlp_out = nnx.Linear(NETWORK.mlp_width, width, rngs=rngs)

    def __call__(self, x: jax.Array, mask: jax.Array) -> jax.Array:
        x = x + self.mixer(self.mixer_norm(x), mask=mask)
        return x + self.mlp_out(nnx.gelu(self.mlp_in(self.mlp_norm(x))))


class PlainModel(nnx.Module):
    """Tokens `i32[B, L]` to logits at every position, `f32[B, L, V]`. Its parameters are named as those
    of `attnsearch.network`, so that each can be given the other's."""

    def __init__(self, network: Network, mixer: MixerSpec, rngs: nnx.Rngs):
        self.tokens = nnx.Embed(network.vocab_size, NETWORK.width, rngs=rngs)
        self.positions = nnx.Embed(network.context_length, NETWORK.width, rngs=rngs)
        self.blocks = nnx.List(
            [PlainBlock(mixer, network.context_length, rngs) for _ in range(NETWORK.num_layers)]
        )
        self.norm = nnx.LayerNorm(NETWORK.width, rngs=rngs)
        self.unembedding = nnx.Linear(NETWORK.width, network.vocab_size, use_bias=False, rngs=rngs)

    def __call__(self, tokens: jax.Array) -> jax.Array:
        x = self.tokens(tokens) + self.positions(jnp.arange(tokens.shape[1]))
        mask = nnx.make_causal_mask(tokens)
        for block in self.blocks:
            x = block(x, mask)
        return self.unembedding(self.norm(x))


def optimizer() -> optax.GradientTransformation:
    """AdamW with the runner's warm-up: the first step already learns."""
    peak, steps = OPTIMIZER.learning_rate, OPTIMIZER.warmup_steps
    warmup = optax.linear_schedule(peak / steps, peak, steps - 1)
    return optax.adamw(warmup, weight_decay=OPTIMIZER.weight_decay)


class Plain:
    """One run on the default device, from the parameters of lane 0 of `runner`."""

    def __init__(self, work: Cohort, runner: Runner):
        trainer, self.tokens = work.trainer, RECORDING_INTERVAL * BUDGET.tokens_per_step
        model = PlainModel(trainer.network, work.specs[0].cell.mixer, nnx.Rngs(0))
        definition, parameters = nnx.split(model)
        begun = jax.tree.map(lambda array: jnp.asarray(np.asarray(array)[0]), runner.states)
        given = dict(nnx.to_flat_state(begun.parameters))
        own = dict(nnx.to_flat_state(parameters))
        assert given.keys() == own.keys(), given.keys() ^ own.keys()
        for path, variable in own.items():  # flax keeps the heads of attention on an axis of their own
            variable.set_value(given[path][...].reshape(variable[...].shape))
        queries, transform = trainer.generator.query_positions, optimizer()

        def update(parameters: Any, state: Any, batch: Example) -> tuple[Any, Any, jax.Array]:
            def mean_loss(parameters: Any) -> jax.Array:
                logits = nnx.merge(definition, parameters)(batch.tokens)[:, queries]
                return optax.softmax_cross_entropy_with_integer_labels(logits, batch.answers).mean()

            loss, gradients = jax.value_and_grad(mean_loss)(parameters)
            updates, state = transform.update(gradients, state, parameters)
            return optax.apply_updates(parameters, updates), state, loss

        def step(parameters: Any, state: Any, key: jax.Array) -> tuple[Any, Any, jax.Array, jax.Array]:
            key, batch_key = jax.random.split(key)
            keys = jax.random.split(batch_key, trainer.batch_size)
            batch = jax.vmap(trainer.generator.sample, in_axes=(None, 0))(begun.rule, keys)
            return *update(parameters, state, batch), key

        self.parameters, self.state = parameters, transform.init(parameters)
        self.key, self.step = jax.random.key(0), jax.jit(step, donate_argnums=(0, 1))
        self._assert_same(work, begun, definition, jax.jit(update))

    def advance(self) -> None:
        """Train for `RECORDING_INTERVAL` steps, then read the last loss."""
        for _ in range(RECORDING_INTERVAL):
            self.parameters, self.state, loss, self.key = self.step(self.parameters, self.state, self.key)
        float(loss)

    def _assert_same(self, work: Cohort, begun: RunState, definition: Any, update: Callable[..., Any]) -> None:
        """The same logits at the queries, and the same losses over ten steps on the same batches."""
        trainer, batch = work.trainer, jax.jit(work.trainer.batch)
        tokens = batch(begun).tokens
        theirs = jax.jit(jax.vmap(trainer.network.apply, in_axes=(None, 0)))(begun.parameters, tokens)
        every = jax.jit(lambda parameters: nnx.merge(definition, parameters)(tokens))(self.parameters)
        np.testing.assert_allclose(every[:, trainer.generator.query_positions], theirs, atol=1e-4)
        parameters, state, losses = self.parameters, self.state, []
        for number in range(RECORDING_INTERVAL):
            following = batch(begun._replace(step=jnp.asarray(number, jnp.int32)))
            parameters, state, loss = update(parameters, state, following)
            losses.append(float(loss))
        record = jax.jit(trainer.advance)(begun)[1]
        np.testing.assert_allclose(np.mean(losses), record.loss.mean(), atol=1e-4)


def matrix_flops(work: Cohort) -> float:
    """Floating-point operations of one step in the matrix products that the network needs when it is
    asked at the queries only; the same for every way, whatever else it computes.

    A multiplication and an addition each; the backward pass has two products for each of the forward
    one. Masked entries count, for dense products compute them. A look-up of embeddings is no product.
    """
    network, chosen = work.trainer.network, dict(work.specs[0].cell.mixer.settings)
    length, queries, width = network.context_length, len(network.query_positions), NETWORK.width
    if "num_heads" in chosen:
        projections = (2 * queries + 2 * length) * width * width  # query and out; key and value
        mixing = projections + 2 * queries * length * width  # each head has its share of the width
    else:
        hidden = length * int(chosen["expansion"] or 0)
        mixing = (length + queries) * hidden * width
    mlp = 2 * queries * width * NETWORK.mlp_width
    unembedding = queries * width * network.vocab_size
    assert NETWORK.num_layers == 1, "only the last layer is read at the queries alone"
    return 2.0 * 3.0 * work.trainer.batch_size * (mixing + mlp + unembedding)


def matrix_rate(seconds: float) -> float:
    """FLOP/s of a large f32 matrix product: the best of some sizes, of all cores sharing one product."""
    best = 0.0
    product = jax.jit(jnp.matmul)
    for size in MATRIX_SIZES:
        square = jnp.ones((size, size))
        product(square, square).block_until_ready()
        count, taken = repeat(lambda square=square: product(square, square).block_until_ready(), seconds)
        best = max(best, count * 2 * size**3 / taken)
    return best


def repeat(call: Callable[[], Any], seconds: float) -> tuple[int, float]:
    """Call until `seconds` have passed: how often, and how long it really took."""
    start, count = time.perf_counter(), 0
    while True:
        call()
        count += 1
        taken = time.perf_counter() - start
        if taken >= seconds:
            return count, taken
