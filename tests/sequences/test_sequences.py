"""The sequences of a run as numpy arrays: bit for bit what the compiled programs draw; and their maps."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.trainers import SPEC

from attnsearch.backends import specify
from attnsearch.sequences.host_map import HostMap
from attnsearch.sequences.influence import distances
from attnsearch.sequences.sequences import Sequences
from attnsearch.spec.run import RunSpec
from attnsearch.training.jax import probes
from attnsearch.training.jax.backend import JaxBackend
from attnsearch.training.jax.cohorts import JaxCohort
from attnsearch.training.jax.trainer import RunState, Trainer

TASKS: Mapping[str, Mapping[str, list[Any]]] = {
    "linear_map": {"state_size": [4], "support_size": [2]},
    "cellular_automaton": {"state_size": [8], "num_layers": [1]},
}


@cache
def begun(task: str) -> tuple[RunSpec, Trainer, RunState]:
    """A run of a tiny network before its first step, its rule drawn of another seed than its data."""
    values = {"width": [SPEC.width], "mlp_width": [SPEC.mlp_width], "tokens_per_step": [512], **TASKS[task]}
    (spec,) = specify([task], ["mlp_mixer"], values, seeds=[3], rule_seed=5)
    trainer = JaxBackend().trainer(spec.cell)
    return spec, trainer, jax.jit(trainer.begin)(JaxCohort(trainer, (spec,)).inputs(spec))


@pytest.mark.parametrize("task", TASKS)
def test_sequences_are_bit_for_bit_those_that_jax_trains_on(task: str) -> None:
    spec, trainer, state = begun(task)
    sequences = Sequences.of(trainer.generator, spec)
    jax.tree.map(np.testing.assert_array_equal, sequences.rule, state.rule)
    truth = trainer.generator.truth(state.rule, state.inputs.knobs)
    jax.tree.map(np.testing.assert_array_equal, sequences.truth(), truth)
    batch = jax.jit(lambda step: trainer.batch(state._replace(step=step)))
    tokens, answers = sequences.steps(7, 3)
    assert tokens.dtype == answers.dtype == np.int32
    for place, step in enumerate((7, 8, 9)):
        expected = batch(jnp.asarray(step, jnp.int32))
        np.testing.assert_array_equal(tokens[place], expected.tokens)
        np.testing.assert_array_equal(answers[place], expected.answers)


@pytest.mark.parametrize("task", TASKS)
def test_a_map_measured_from_outside_is_the_one_that_jax_measures(task: str) -> None:
    """The network is jax's own, asked as a stranger would be asked: with tokens, for logits."""
    spec, trainer, state = begun(task)
    sequences = Sequences.of(trainer.generator, spec)
    measuring = HostMap(sequences, 0)
    tokens = measuring.tokens
    np.testing.assert_array_equal(
        tokens, probes.probe_sequences(trainer.generator, state.rule, 3)[: len(tokens)]
    )
    replaced = sequences.probes(0).replaced
    assert (tokens != replaced).all()
    assert (replaced < trainer.generator.num_values).all()

    @jax.jit
    def answers(tokens: jax.Array) -> jax.Array:
        def one(sequence: jax.Array) -> jax.Array:
            return jax.nn.softmax(trainer.network.apply(state.parameters, sequence))

        return jax.lax.map(one, tokens, batch_size=min(len(tokens), trainer.batch_size))

    for _ in range(measuring.ways):
        measuring.take(np.array(answers(measuring.shown())))
    mean, mass, later, _ = measuring.influence()
    expected = jax.jit(lambda state: probes.influence(trainer, state))(state)
    # Two programs round the last bit of a sum in their own ways.
    np.testing.assert_allclose(mean, expected.mean, rtol=1e-6)
    np.testing.assert_allclose(mass, expected.mass, rtol=1e-6)
    assert later == expected.later == 0


def test_distances_are_half_of_what_all_symbols_moved() -> None:
    before = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]], np.float32)
    after = np.array([[0.5, 0.0, 0.5], [0.0, 0.0, 1.0]], np.float32)
    np.testing.assert_array_equal(distances(after, before), [0.5, 1.0])


def test_supports_are_given_for_each_sequence_and_target() -> None:
    spec, trainer, _ = begun("linear_map")
    sequences = Sequences.of(trainer.generator, replace(spec, rule_seed=6))
    tokens, _ = sequences.steps(0, 1)
    supports = sequences.supports(tokens[0])
    assert supports.shape == (64, 4, 8)
    assert supports.dtype == bool
    assert (supports == sequences.truth().attention_map).all()
    np.testing.assert_array_equal(sequences.supports(tokens[0], np.array([2])), supports[:, 2:3])
