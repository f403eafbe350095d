"""What a verification looks at: a mixer in a small network, untrained, perturbed, and trained.

The probe is the linear map token by token, with every prediction asked for. An input can be predicted by a
look ahead alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from attnsearch.base import Floats
from attnsearch.runs.recorder import Recording
from attnsearch.spec.run import (
    BudgetSpec,
    CellSpec,
    MixerSpec,
    NetworkSpec,
    OptimizerSpec,
    RunSpec,
    TaskSpec,
    Value,
)
from attnsearch.spec.task_file import TaskFile, find_task
from attnsearch.training.jax.backend import JaxBackend
from attnsearch.training.jax.cohorts import JaxCohort
from attnsearch.training.jax.network import Network, Parameters

PROBE, PROBE_CONTEXT = "linear_map_autoregressive", 16
"""The task of the probe, and the tokens of its sequences."""

EASIEST_CONTEXT = 8
"""Tokens of a sequence of the easiest form of a task, where it has a form so short."""

LONGEST_CONTEXT = 256
"""Tokens of the longest sequence that is tried: as many as the longest of the shipped suites have."""

PROBE_STEPS = 300
"""Training steps on the probe. A leak shows within 100 where it is open at the start."""

TOKENS_PER_STEP = 512
"""Enough that luck alone never looks like a leak (see `attnsearch.results.cells.LEAK_MARGIN`)."""

NOISE = (1.0, 0.1, 0.01)
"""Strengths of a perturbation; the first that leaves outputs finite is used. Each parameter is multiplied by
1 + n and shifted by n / 10, n normal with this deviation. The factor opens what large numbers close, and the
shift what zeros close."""


class Trained(NamedTuple):
    """A network after training, and what was recorded meanwhile."""

    parameters: Parameters
    recording: Recording


def train(cohort: JaxCohort) -> Trained:
    """The first run of `cohort`, trained to its end."""
    trainer, spec = cohort.trainer, cohort.specs[0]
    inputs = cohort.inputs(spec)
    state = trainer.begin(inputs)
    recording = Recording(spec, trainer.generator.truth(jax.tree.map(np.asarray, state.rule), inputs.knobs))
    advance = jax.jit(trainer.advance)
    while recording.status is None:
        state, record = advance(state)
        recording.add(np.asarray(record.loss), np.asarray(record.accuracy))
    return Trained(state.parameters, recording)


@partial(jax.jit, static_argnums=0)
def forward(network: Network, parameters: Parameters, x: jax.Array) -> jax.Array:
    """The first mixer's output, `f32[L, D]`, compiled."""
    return network.first_mixer(parameters)(x)


def _noisy(parameters: Parameters, strength: float) -> Parameters:
    leaves, structure = jax.tree.flatten(parameters)
    random = np.random.default_rng(0)

    def noisy(leaf: jax.Array) -> jax.Array:
        factor, shift = random.normal(scale=strength, size=(2, *leaf.shape))
        return jnp.asarray(np.asarray(leaf) * (1 + factor) + shift / 10, leaf.dtype)

    return jax.tree.unflatten(structure, [noisy(leaf) for leaf in leaves])


@dataclass(frozen=True, eq=False)
class Subject:
    """A mixer under verification.

    task:   whose contexts are tried, and whose easiest form is to be learned
    width:  features of a token, D
    """

    mixer: MixerSpec
    task: TaskFile
    backend: JaxBackend
    width: int

    @cached_property
    def probe(self) -> JaxCohort:
        """The probe's only run. Errors: AttnsearchError where the mixer is refused."""
        task = self.sized(find_task(PROBE), PROBE_CONTEXT, {"loss": "all"})
        return self.run_on(task, BudgetSpec(PROBE_STEPS, TOKENS_PER_STEP, early_stopping=False))

    @property
    def network(self) -> Network:
        """The probe's."""
        return self.probe.trainer.network

    @cached_property
    def initial(self) -> Parameters:
        """The parameters of the probe's network before training."""
        return self.network.init(jax.random.key(0))

    @cached_property
    def perturbed(self) -> Parameters:
        """`initial` with noise on every parameter. Errors: ValueError where none leaves outputs finite."""
        for strength in NOISE:
            parameters = _noisy(self.initial, strength)
            if np.isfinite(forward(self.network, parameters, self.inputs(1)[0])).all():
                return parameters
        raise ValueError("outputs are not finite, however little the parameters are perturbed")

    @cached_property
    def trained(self) -> Trained:
        """The probe's network after training."""
        return train(self.probe)

    def inputs(self, count: int) -> Floats:
        """Random inputs of the mixer in the probe, the same at every call: `f32[count, L, D]`."""
        shape = (count, self.network.context_length, self.width)
        return np.random.default_rng(1).normal(size=shape).astype(np.float32)

    def sized(self, file: TaskFile, tokens: int, given: Mapping[str, Value] | None = None) -> TaskSpec:
        """The easiest form of a task whose context holds at most `tokens`, or its shortest form.

        Every number is at its minimum; then those that make the context longer are doubled while it fits.
        """
        values = {knob.name: knob.minimum for knob in file.knobs if knob.minimum is not None}
        chosen = file.resolve({**values, **(given or {})})
        for knob in file.knobs:
            while knob.name in values and knob.maximum is None:
                doubled = dict(chosen.knobs) | {knob.name: 2 * values[knob.name]}
                longer = file.resolve(doubled)
                if not self._context(chosen) < self._context(longer) <= tokens:
                    break
                values[knob.name] *= 2
                chosen = longer
        return chosen

    def run_on(self, task: TaskSpec, budget: BudgetSpec) -> JaxCohort:
        """The only run of a small network with this mixer. Errors: AttnsearchError where it is refused."""
        network = NetworkSpec(self.width, num_layers=1, mlp_width=self.width)
        budget = replace(budget, tokens_per_step=max(budget.tokens_per_step, self._context(task)))
        cell = CellSpec(task, self.mixer, network, OptimizerSpec(), budget)
        return JaxCohort(self.backend.trainer(cell), (RunSpec(cell, seed=0, rule_seed=0),))

    def _context(self, task: TaskSpec) -> int:
        return self.backend.generator(task).context_length
