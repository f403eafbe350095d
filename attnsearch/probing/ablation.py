"""Takes the heads out of a trained network one by one, and measures what that costs each target."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

from attnsearch.base import AttnsearchError, Example, Floats
from attnsearch.generators.base import Generator
from attnsearch.mixers.base import LogitMixer, Mixer
from attnsearch.results.head_costs import HeadCosts
from attnsearch.runs.store import StoredRun
from attnsearch.sequences.sequences import draw_rule
from attnsearch.spec import plugins
from attnsearch.training.jax.backend import JaxBackend
from attnsearch.training.jax.cohorts import JaxCohort
from attnsearch.training.jax.network import Parameters
from attnsearch.training.jax.parameters import rebuilt
from attnsearch.training.jax.trainer import RunState, Trainer
from attnsearch.training.torch.names import PREFIX

SEQUENCES = 1024
"""Over which a loss is averaged, unless that were more tokens than `LARGEST_SAMPLE`."""

FEWEST_SEQUENCES = 64

LARGEST_SAMPLE = 2**16
"""Tokens."""


def trainer_of(run: StoredRun, backend: JaxBackend) -> Trainer:
    """The trainer of a stored run, whose mixer and generator `backend` knows or finds installed.

    Errors: AttnsearchError where they are other code, and for a mixer without heads that can be taken out.
    """
    cell = run.spec.cell
    if cell.mixer.name.startswith(PREFIX):
        raise AttnsearchError(
            f"mixer {cell.mixer.name} is written in PyTorch: ablate works with mixers in jax"
        )
    plugins.require_named(cell.task.generator, backend.generators, Generator)
    plugins.require_named(cell.mixer.name, backend.mixers, Mixer)
    mixer = backend.mixer(cell.mixer.name)
    if not issubclass(mixer, LogitMixer) or mixer.without_head is LogitMixer.without_head:
        raise AttnsearchError(
            f"mixer {cell.mixer.name} has no heads to take out: ablate works with attention, and with an"
            " attnsearch.LogitMixer that defines without_head(head)"
        )
    return backend.trainer(cell)


def ablate(
    run: StoredRun,
    arrays: Mapping[str, Floats],
    step: int,
    *,
    sequences: int | None = None,
    backend: JaxBackend | None = None,
) -> HeadCosts:
    """What each head of `run` costs each target.

    arrays, step:  the parameters by name, and the steps that they were trained for
    sequences:     `SEQUENCES` unless given, fewer of long contexts

    Errors: AttnsearchError as of `trainer_of`, and for parameters that are not the network's.
    """
    cell = run.spec.cell
    made = trainer_of(run, backend or JaxBackend())
    parameters = rebuilt(made.network, arrays)
    state = _last_step(made, run, parameters, step)
    length = made.generator.context_length
    count = sequences or int(np.clip(LARGEST_SAMPLE // length, FEWEST_SEQUENCES, SEQUENCES))
    examples = made.fresh(state, count)

    queries = made.generator.query_positions
    weights = jax.eval_shape(partial(made.network.weights, positions=queries), parameters, examples.tokens[0])
    layers, heads = np.indices((cell.network.num_layers, len(weights) // cell.network.num_layers))
    whole = jax.jit(partial(_losses, made))(state, examples)
    if not np.isfinite(whole).all():
        raise AttnsearchError(f"run {run.spec.digest[:12]} has a loss that is not finite: it has diverged")
    without = []
    for layer in range(cell.network.num_layers):
        measure = jax.jit(partial(_losses_without, made, layer))
        without += [measure(state, examples, jnp.asarray(head)) for head in heads[layer]]
    return HeadCosts(
        spec=run.spec,
        step=step,
        sequences=count,
        map_bias=_biased_at(run, step - 1) if cell.intervention.map_bias else None,
        layers=layers.ravel(),
        heads=heads.ravel(),
        truth=run.truth,
        whole=np.asarray(whole, np.float64).mean(axis=0),
        without=np.asarray(without, np.float64).mean(axis=1),
        mass=run.head_mass.mass[-1] if run.head_mass.mass.size else None,
    )


def _last_step(made: Trainer, run: StoredRun, parameters: Parameters, step: int) -> RunState:
    """The run as its last step was made, so that a map is added to the logits where one was then."""
    inputs = JaxCohort(made, (run.spec,)).inputs(run.spec)
    rule = draw_rule(made.generator, inputs.rule_seed, inputs.knobs)
    if not np.array_equal(made.generator.truth(rule, inputs.knobs).attention_map, run.truth.attention_map):
        raise AttnsearchError(
            f"run {run.spec.digest[:12]} learned another rule than this version draws from its seed: train it"
            " again in another folder (--out) with --save-params"
        )
    return RunState(inputs, rule, parameters, None, jnp.asarray(step - 1, jnp.int32))


def _biased_at(run: StoredRun, step: int) -> bool:
    first, last = run.spec.cell.intervention.steps(run.spec.cell.budget.steps)
    return first <= step < last


def _losses_without(
    made: Trainer, layer: int, state: RunState, examples: Example, head: jax.Array
) -> jax.Array:
    silenced = made.network.without_head(state.parameters, layer, head)
    return _losses(made, state._replace(parameters=silenced), examples)


def _losses(made: Trainer, state: RunState, examples: Example) -> jax.Array:
    """`f32[N, R]`: nats, of every sequence and target."""
    targets = made.generator.is_target.nonzero()[0]

    def loss(example: Example) -> jax.Array:
        logits = made.network.apply(state.parameters, example.tokens, made.bias(state, example.tokens))
        return optax.softmax_cross_entropy_with_integer_labels(logits, example.answers)[targets]

    return jax.lax.map(loss, examples, batch_size=made.batch_size)
