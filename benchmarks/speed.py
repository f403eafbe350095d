"""Tokens a second: the runner's lanes beside a plain training loop, on the machine this runs on.

    python benchmarks/speed.py [--rounds 5] [--seconds 4] [--profile] [--json]

The plain loop is what one would write without attnsearch: flax's layers on a batch, logits at every position,
one run on the default device, a jitted step called from a Python loop. It is the same training: before it is
timed, its logits and its losses over ten steps, from the same parameters on the same sequences, must agree.
Where torch is installed, the same mixers in torch stand beside them, with a plain loop in torch.
The ways are measured in turn, round after round, so that whatever else the machine does falls on all alike;
ratios are taken within a round. Nothing here fails for being slow.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from rich.console import Console
from rich.table import Table

from attnsearch.base import RECORDING_INTERVAL, Example, Integers
from attnsearch.mixers import MIXERS
from attnsearch.mixers.attention import Attention
from attnsearch.mixers.base import Mixer, default_settings, rows
from attnsearch.spec.grid import grid
from attnsearch.spec.run import OptimizerSpec
from attnsearch.training.jax import devices
from attnsearch.training.jax.backend import JaxBackend
from attnsearch.training.jax.cohorts import JaxCohort
from attnsearch.training.jax.compiled import CompiledLanes, lanes_that_pay, stacked
from attnsearch.training.jax.network import LayerBiases, Network, Parameters
from attnsearch.training.jax.trainer import Record, RunState, Trainer
from attnsearch.training.machine import cores
from attnsearch.training.torch.names import PREFIX

STATE_SIZE, TOKENS_PER_STEP, WIDTH, MLP_WIDTH, NUM_HEADS, EXPANSION = 16, 8_192, 128, 512, 16, 4
PEAK, STEPS, DECAY = OptimizerSpec.learning_rate, OptimizerSpec.warmup_steps, OptimizerSpec.weight_decay
OPTIMIZER = optax.adamw(optax.linear_schedule(PEAK / STEPS, PEAK, STEPS - 1), weight_decay=DECAY)
MATRIX_SIZES = (1_024, 2_048, 3_072)
DRAWING = "drawing alone"
MIXERS_TIMED = ("attention", "mlp_mixer")
VALUES = {"state_size": [STATE_SIZE], "support_size": [3], "tokens_per_step": [TOKENS_PER_STEP]}
Measured = dict[str, np.ndarray]  # quantities by name, a value a round


class Way(Protocol):
    """`advance` does `work`: tokens trained on, or drawn, or operations."""

    work: float

    def advance(self) -> Any: ...


def cohort(mixer: str, num_runs: int) -> JaxCohort:
    """The runs that are timed, one a seed. What is not set here has its default, or Plain would notice."""
    known = {name: default_settings(kind) for name, kind in MIXERS.items()}
    specs = grid(["linear_map"], [mixer], dict(VALUES), known_mixers=known, seeds=range(num_runs))
    return JaxBackend().cohorts(specs)[0]


def step_flops(mixer: str) -> float:
    """Floating-point operations of a step in the matrix products that a network asked at its queries needs:
    the same for every way, whatever else it computes. Two for each multiply-add; the backward pass has two
    products for each of the forward pass. Masked entries count; looking up an embedding is no product.
    """
    queries, length, vocabulary = STATE_SIZE, 2 * STATE_SIZE, 3
    if mixer == "attention":
        projections = (2 * queries + 2 * length) * WIDTH * WIDTH  # queries and outputs; keys and values
        mixing = projections + 2 * queries * length * WIDTH  # the core, of all heads together
    else:
        mixing = (length + queries) * length * EXPANSION * WIDTH
    multiply_adds = mixing + 2 * queries * WIDTH * MLP_WIDTH + queries * WIDTH * vocabulary
    return 2.0 * 3.0 * (TOKENS_PER_STEP // length) * multiply_adds


class Runner:
    """The runner's way: `lanes` on each of `available`, all active, trained by `trainer`."""

    def __init__(self, runs: JaxCohort, trainer: Trainer, available: Sequence[Any], lanes: int):
        self.lanes = CompiledLanes(trainer, available, lanes)
        inputs = [runs.inputs(spec) for spec in runs.specs[: self.lanes.count]]
        self.states = self.lanes.begin(stacked(inputs))
        self.work = float(self.lanes.count * RECORDING_INTERVAL * TOKENS_PER_STEP)

    def advance(self) -> Record:
        """Train every lane for ten steps, and read the record on the host as the runner does."""
        self.states, record = self.lanes.advance(self.states, np.ones(self.lanes.count, dtype=bool))
        return jax.tree.map(np.asarray, record)


class PlainMixer(nnx.Module):
    """The causal MLP over positions, as two masked matrices on a batch."""

    def __init__(self, length: int):
        self.inward = nnx.Param(jnp.zeros((length, EXPANSION, length)))
        self.inward_bias = nnx.Param(jnp.zeros((length, EXPANSION)))
        self.outward = nnx.Param(jnp.zeros((length, length, EXPANSION)))

    def __call__(self, x: jax.Array, mask: jax.Array) -> jax.Array:
        inward = jnp.where(mask[0, 0, :, None, :], self.inward[...], 0.0)
        outward = jnp.where(mask[0, 0, :, :, None], self.outward[...], 0.0)
        hidden = jnp.einsum("iek,bkd->bied", inward, x) + self.inward_bias[...][:, :, None]
        return jnp.einsum("tie,bied->btd", outward, nnx.gelu(hidden))


class PlainModel(nnx.Module):
    """Tokens `i32[B, L]` to logits at every position, `f32[B, L, V]`."""

    def __init__(self, network: Network, mixer: str):
        rngs, length = nnx.Rngs(0), network.context_length
        self.tokens = nnx.Embed(network.vocab_size, WIDTH, rngs=rngs)
        self.positions = nnx.Embed(length, WIDTH, rngs=rngs)
        self.mixer_norm = nnx.LayerNorm(WIDTH, rngs=rngs)
        self.mixer = PlainMixer(length)
        if mixer == "attention":
            self.mixer = nnx.MultiHeadAttention(NUM_HEADS, WIDTH, use_bias=False, decode=False, rngs=rngs)
        self.mlp_norm = nnx.LayerNorm(WIDTH, rngs=rngs)
        self.mlp_in = nnx.Linear(WIDTH, MLP_WIDTH, rngs=rngs)
        self.mlp_out = nnx.Linear(MLP_WIDTH, WIDTH, rngs=rngs)
        self.norm = nnx.LayerNorm(WIDTH, rngs=rngs)
        self.unembedding = nnx.Linear(WIDTH, network.vocab_size, use_bias=False, rngs=rngs)

    def __call__(self, tokens: jax.Array) -> jax.Array:
        x = self.tokens(tokens) + self.positions(jnp.arange(tokens.shape[1]))
        x = x + self.mixer(self.mixer_norm(x), mask=nnx.make_causal_mask(tokens, dtype=jnp.bool_))
        x = x + self.mlp_out(nnx.gelu(self.mlp_in(self.mlp_norm(x))))
        return self.unembedding(self.norm(x))


class Plain:
    """The plain loop, begun as lane 0 of `runner` is and trained on the same sequences."""

    work = float(RECORDING_INTERVAL * TOKENS_PER_STEP)

    def __init__(self, runs: JaxCohort, runner: Runner):
        trainer, queries = runs.trainer, runs.trainer.generator.query_positions
        begun = jax.tree.map(lambda array: jnp.asarray(np.asarray(array)[0]), runner.states)
        definition, parameters = nnx.split(PlainModel(trainer.network, runs.specs[0].cell.mixer.name))
        given, own = nnx.to_flat_state(begun.parameters), nnx.to_flat_state(parameters)
        values = {path[2:] if path[0] == "blocks" else path: value[...] for path, value in given}
        for path, variable in own:  # flax gives the heads of attention an axis of their own
            variable[...] = values.pop(path).reshape(variable.shape)
        assert not values, f"not in the plain loop's network: {list(values)}"

        def mean_loss(parameters: Any, batch: Example) -> jax.Array:
            logits = nnx.merge(definition, parameters)(batch.tokens)[:, queries]
            return optax.softmax_cross_entropy_with_integer_labels(logits, batch.answers).mean()

        def step(parameters: Any, state: Any, number: jax.Array) -> tuple[Any, Any, jax.Array, jax.Array]:
            batch = trainer.batch(begun._replace(step=number))
            loss, gradients = jax.value_and_grad(mean_loss)(parameters, batch)
            updates, state = OPTIMIZER.update(gradients, state, parameters)
            return optax.apply_updates(parameters, updates), state, number + 1, loss

        tokens = trainer.batch(begun).tokens
        theirs = jax.vmap(trainer.network.apply, in_axes=(None, 0))(begun.parameters, tokens)
        np.testing.assert_allclose(nnx.merge(definition, parameters)(tokens)[:, queries], theirs, atol=1e-4)
        self._step = jax.jit(step, donate_argnums=(0, 1, 2))
        self._carried = (parameters, OPTIMIZER.init(parameters), jnp.zeros((), jnp.int32))
        np.testing.assert_allclose(np.mean(self.advance()), runner.advance().loss[0].mean(), atol=1e-4)

    def advance(self) -> list[jax.Array]:
        """Train for ten steps, then read the last loss on the host."""
        losses = []
        for _ in range(RECORDING_INTERVAL):
            *self._carried, loss = self._step(*self._carried)
            losses.append(loss)
        losses[-1].item()
        return losses


class MatrixProduct:
    """A large f32 matrix product, shared by all cores."""

    def __init__(self, size: int):
        self.square, self.work = jnp.ones((size, size)), 2.0 * size**3

    def advance(self) -> jax.Array:
        return (self.square @ self.square).block_until_ready()


class NoCore(Attention):
    """The same four projections; where queries would meet keys, a product without heads or softmax."""

    def at(self, x: jax.Array, positions: Integers) -> jax.Array:
        return self.out(self.query(rows(x, positions)) + (self.key(x) * self.value(x)).mean(axis=0))


class NotTrained(Network):
    """A network without gradients, which need no backward pass."""

    def apply(self, parameters: Parameters, tokens: jax.Array, bias: LayerBiases | None = None) -> jax.Array:
        return super().apply(jax.lax.stop_gradient(parameters), tokens, bias)


class Absent(Network):
    """No network: logits that do no more than read the tokens."""

    def apply(self, parameters: Parameters, tokens: jax.Array, bias: LayerBiases | None = None) -> jax.Array:
        return jax.nn.one_hot(tokens[: len(self.query_positions)], self.vocab_size)


class Still(Trainer):
    """Draws no sequences."""

    def batch(self, state: RunState) -> Example:
        return jax.tree.map(jnp.zeros_like, super().batch(state))


def rate(way: Way, seconds: float) -> float:
    """Work a second, over `seconds` or the one `advance` that takes longer."""
    start, count, taken = time.perf_counter(), 0, 0.0
    while taken < seconds:
        way.advance()
        count, taken = count + 1, time.perf_counter() - start
    return count * way.work / taken


def in_turn(ways: Mapping[str, Way], rounds: int, seconds: float) -> Measured:
    """Work a second of each way in each round, after an `advance` of each that is not timed."""
    for way in ways.values():
        way.advance()
    rates = [[rate(way, seconds) for way in ways.values()] for _ in range(rounds)]
    return dict(zip(ways, np.array(rates).T, strict=True))


def compare(available: Sequence[Any], per_device: int, rounds: int, seconds: float) -> dict[str, Measured]:
    """Every way with both mixers, beside the fastest of the matrix products."""
    ways: dict[str, Way] = {f"{size}": MatrixProduct(size) for size in MATRIX_SIZES}
    for mixer in MIXERS_TIMED:
        runs = cohort(mixer, len(available) * per_device)
        ways[f"{mixer}, every lane"] = Runner(runs, runs.trainer, available, per_device)
        ways[f"{mixer}, one lane"] = one_lane = Runner(runs, runs.trainer, available[:1], 1)
        ways[f"{mixer}, plain loop"] = Plain(runs, one_lane)
    with torch_ways() as others:
        rates = in_turn(ways | dict(others), rounds, seconds)
    product = np.max([rates.pop(f"{size}") for size in MATRIX_SIZES], axis=0)
    table: dict[str, Measured] = {"matrix product": {"GFLOP/s": product / 1e9}}
    for name, tokens in rates.items():
        mixer, _, way = name.partition(", ")
        table[name] = {"1,000 tokens/s": tokens / 1e3}
        if way == DRAWING:
            table[name]["% of the lanes' time"] = 100 * rates[f"{mixer}, every lane"] / tokens
            continue
        table[name]["times the plain loop"] = tokens / rates[f"{mixer}, plain loop"]
        work = step_flops(mixer.removeprefix(PREFIX)) / TOKENS_PER_STEP
        table[name]["% of product"] = 100 * tokens * work / product
    return table


@contextmanager
def torch_ways() -> Iterator[Mapping[str, Way]]:
    """Both mixers in torch: a lane on each core, one lane, a plain loop, and the drawing of sequences alone.
    Nothing where torch is not installed."""
    if importlib.util.find_spec("torch") is None:
        print("torch is not installed: its rows are left out. make test-torch installs it.", file=sys.stderr)
        yield {}
        return
    import speed_torch

    from attnsearch.training.torch.worker import Apart

    ways: dict[str, Way] = {}
    with ExitStack() as stack:
        for mixer in MIXERS_TIMED:
            name = f"{PREFIX}{mixer}"
            runs = speed_torch.cohort(name, VALUES, cores())
            workers = [Apart() for _ in range(cores() + 1)]
            for worker in workers:
                stack.callback(worker.close)
            *every, alone = workers
            ways[f"{name}, plain loop"] = speed_torch.proven(runs, alone)
            ways[f"{name}, every lane"] = speed_torch.Lanes(runs, every)
            ways[f"{name}, one lane"] = speed_torch.Lanes(runs, [alone])
            ways[f"{name}, {DRAWING}"] = speed_torch.Drawing(runs)
        yield ways


def profile(available: Sequence[Any], per_device: int, rounds: int, seconds: float) -> dict[str, Measured]:
    """What is left of an attention step, every lane at work, when parts of it are taken away."""
    runs = cohort("attention", len(available) * per_device)
    task, network, size = runs.trainer.generator, runs.trainer.network, runs.trainer.batch_size

    def altered(kind: type[Network], mixer: type[Mixer], trainer: type[Trainer] = Trainer) -> Trainer:
        return trainer(task, kind.of(network.spec, mixer, network.mixer_settings, task), size)

    trainers = {
        "whole step": runs.trainer,
        "without the attention core": altered(Network, NoCore),
        "without the backward pass": altered(NotTrained, Attention),
        "sampling and optimizer": altered(Absent, Attention),
        "optimizer": altered(Absent, Attention, Still),
    }
    ways = {name: Runner(runs, trainer, available, per_device) for name, trainer in trainers.items()}
    rates = in_turn(ways, rounds, seconds)
    taken = {name: 1e3 * len(runs.specs) * TOKENS_PER_STEP / made for name, made in rates.items()}
    return {name: {"ms": ms, "% of whole": 100 * ms / taken["whole step"]} for name, ms in taken.items()}


def show(title: str, measured: Mapping[str, Measured]) -> None:
    """A table: median and range over the rounds."""
    columns = list(dict.fromkeys(name for row in measured.values() for name in row))
    table = Table(title, *columns)
    for name, row in measured.items():
        spread = {of: f"{np.median(v):.4g} ({v.min():.4g} to {v.max():.4g})" for of, v in row.items()}
        table.add_row(name, *(spread.get(column, "") for column in columns))
    Console(width=150).print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="turns of each way  [default: 5]")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each turn  [default: 4]")
    parser.add_argument("--profile", action="store_true", help="the parts of an attention step as well")
    parser.add_argument("--json", action="store_true", help="one JSON document, with every round")
    flags = parser.parse_args()
    devices.use_every_core()
    available = jax.local_devices()
    per_device = lanes_that_pay(cohort("attention", len(available)))
    tables = {"way": compare(available, per_device, flags.rounds, flags.seconds)}
    if flags.profile:
        tables["what is left"] = profile(available, per_device, flags.rounds, flags.seconds)
    machine = devices.describe(len(available))
    if flags.json:
        print(json.dumps({"machine": machine, **tables}, default=np.ndarray.tolist))
    else:
        print(f"{machine['processor']}, {len(available)} x {machine['device']}, jax {jax.__version__}")
        for title, measured in tables.items():
            show(title, measured)


if __name__ == "__main__":
    main()
