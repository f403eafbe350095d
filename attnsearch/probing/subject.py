"""What a verification looks at: a mixer in a small network, untrained, perturbed, and trained.

The probe is the linear map token by token, with every prediction asked for. An input can be predicted by a
look ahead alone. Nothing here knows a framework: `Framework` and `Network` say what is asked of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from attnsearch.base import AttnsearchError, Floats, Integers
from attnsearch.generators.base import Generator
from attnsearch.runs.recorder import Recording
from attnsearch.runs.verification import MAX_CONTEXT, MAX_LAYERS
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

PROBE, PROBE_CONTEXT = "linear_map_autoregressive", 16
"""The task of the probe, and the tokens of its sequences."""

EASIEST_CONTEXT = 8
"""Tokens of a sequence of the easiest form of a task, where it has a form so short."""

LONG_CONTEXT = 131
"""Tokens: a prime number, and more than two chunks of 64."""

PROBE_STEPS = 300
"""Training steps on the probe. A leak shows within 100 where it is open at the start."""

LONG_PROBE_STATE, LONG_PROBE_LAYERS, LONG_PROBE_STEPS = 66, 2, 150
"""The probe in a deeper network, on sequences of 132 tokens, beyond two chunks of 64: one in each step."""

TOKENS_PER_STEP = 512
"""Enough that luck alone never looks like a leak (see `attnsearch.runs.leaks.LEAK_MARGIN`)."""

NOISE = (1.0, 0.1, 0.01)
"""Strengths of a perturbation; the first that leaves outputs finite is used. Each parameter is multiplied by
1 + n and shifted by n / 10, n normal with this deviation. The factor opens what large numbers close, and the
shift what zeros close."""

Parameters = Mapping[str, Floats]
"""A network's trained arrays, f32, by their paths in it: `blocks.0.mixer.query.kernel`."""

_MIXER = "blocks.0.mixer."


class Network(Protocol):
    """A network made from one key, whose first mixer can be called: numpy in, numpy out.

    Every method that is given `parameters` makes the network anew and puts them in. `inputs` are of the
    mixer, `f32[N, L, D]`, and `x` is one of them, `f32[L, D]`. Errors: AttnsearchError where the mixer does
    what it must not; whatever the mixer raises.
    """

    @property
    def context_length(self) -> int: ...

    @property
    def vocab_size(self) -> int: ...

    @property
    def query_positions(self) -> Sequence[int]:
        """Where logits are computed."""
        ...

    @property
    def takes_bias(self) -> bool:
        """Whether its mixer has attention logits, to which a bias can be added."""
        ...

    def resized(self, num_layers: int, context_length: int, query_positions: Sequence[int]) -> Network:
        """The network of the same mixer with other layers, context and queries.

        Errors: AttnsearchError where the mixer refuses that context.
        """
        ...

    def init(self) -> Parameters:
        """The parameters of a network that is made now."""
        ...

    def constants(self) -> Mapping[str, npt.NDArray[Any]]:
        """The arrays of a mixer that is made now, by name, that are not trained."""
        ...

    def outputs(self, parameters: Parameters, inputs: Floats) -> Floats:
        """`f32[N, L, D]`: one sequence after another, each alone, as training computes it."""
        ...

    def batched(self, parameters: Parameters, inputs: Floats) -> Floats:
        """`f32[N, L, D]`: all in one batch, as training computes it."""
        ...

    def calls(self, parameters: Parameters, inputs: Floats) -> Floats:
        """`f32[N, L, D]`: what one mixer returns that is called on each in turn, as its author calls it."""
        ...

    def other_mode(self, parameters: Parameters, inputs: Floats) -> Floats:
        """`outputs`, in the other mode that the framework has beside the one of training."""
        ...

    def rows(
        self, parameters: Parameters, x: Floats, choices: Sequence[Sequence[int]]
    ) -> Mapping[str, Sequence[Floats]]:
        """By the name of each method that can be asked for some rows alone: all rows, then each choice.

        Rows are the first axis. A mixer that is always asked for all of them has no such method.
        """
        ...

    def weights(self, parameters: Parameters, x: Floats, bias: Floats | None = None) -> Floats:
        """`f32[H, L, L]`: the weights at all positions; H = 0 for a mixer without.

        bias:  `f32[L, L]`, added to the logits of every head
        """
        ...

    def slopes(self, parameters: Parameters, x: Floats, directions: Floats) -> Floats:
        """`f32[N, L, D]`: the gradients of the output, seen in each of N directions, with respect to `x`.

        directions:  `f32[N, L, D]`; a row of zeros leaves that row of the output out
        """
        ...

    def gradients(
        self, parameters: Parameters, inputs: Floats, direction: Floats
    ) -> tuple[Floats, Parameters]:
        """The outputs for `inputs`, and their gradients, seen in one direction, `f32[L, D]`."""
        ...

    def logits(self, parameters: Parameters, tokens: Integers) -> Floats:
        """`f32[N, Q, V]` of `tokens`, `i32[N, L]`: one sequence after another."""
        ...

    def mapped(self, parameters: Parameters, tokens: Integers, bias: Floats | None = None) -> Floats:
        """`logits`, all in one batch, as training computes them.

        bias:  `f32[L, L]`, added to the attention logits of every layer
        """
        ...

    def differentiated(self, parameters: Parameters, tokens: Integers) -> Floats:
        """`mapped`, computed while the gradient of every parameter is taken."""
        ...


class Trained(NamedTuple):
    """A network after training, and what was recorded meanwhile."""

    parameters: Parameters
    recording: Recording


class Sample(NamedTuple):
    """A network, its parameters, and one input of its mixer, `f32[L, D]`."""

    network: Network
    parameters: Parameters
    x: Floats


class Framework(Protocol):
    """Where networks of a mixer are made and trained."""

    def found_at(self, mixer: str) -> str | None:
        """The name of a mixer by which another process finds its class, `package.module:Class`, if it can."""
        ...

    def generator(self, task: TaskSpec) -> Generator:
        """The generator of a task. Errors: AttnsearchError for one that cannot be had."""
        ...

    def network(self, run: RunSpec) -> Network:
        """The network of a run. Errors: AttnsearchError where the mixer is refused."""
        ...

    def train(self, run: RunSpec) -> Trained:
        """A run to its end. Errors: AttnsearchError where the mixer is refused."""
        ...


def of_mixer(arrays: Mapping[str, Floats]) -> dict[str, Floats]:
    """The arrays of the first mixer among a network's, by the names of its attributes."""
    return {name.removeprefix(_MIXER): array for name, array in arrays.items() if name.startswith(_MIXER)}


def noisy(parameters: Parameters, strength: float) -> Parameters:
    """`parameters`, with noise of one of the strengths `NOISE` on each."""
    random = np.random.default_rng(0)
    found = {}
    for name, array in parameters.items():
        factor, shift = random.normal(scale=strength, size=(2, *array.shape))
        found[name] = np.asarray(array * (1 + factor) + shift / 10, np.float32)
    return found


@dataclass(frozen=True, eq=False)
class Subject:
    """A mixer under verification.

    task:         whose contexts are tried, and whose easiest form is to be learned
    width:        features of a token, D
    max_layers:   of the deepest network that is tried
    max_context:  tokens of the longest sequence that is tried
    """

    mixer: MixerSpec
    task: TaskFile
    framework: Framework
    width: int
    max_layers: int = MAX_LAYERS
    max_context: int = MAX_CONTEXT

    @cached_property
    def probe(self) -> RunSpec:
        """The run in which looking ahead pays."""
        task = self.sized(find_task(PROBE), PROBE_CONTEXT, {"loss": "all"})
        return self.run_on(task, BudgetSpec(PROBE_STEPS, TOKENS_PER_STEP, early_stopping=False))

    @cached_property
    def long_probe(self) -> RunSpec:
        """The same on long sequences, in several layers."""
        task = self.sized(find_task(PROBE), 0, {"loss": "all", "state_size": LONG_PROBE_STATE})
        budget = BudgetSpec(LONG_PROBE_STEPS, 1, early_stopping=False)
        return self.run_on(task, budget, LONG_PROBE_LAYERS)

    @cached_property
    def network(self) -> Network:
        """The probe's. Errors: AttnsearchError where the mixer is refused."""
        return self.framework.network(self.probe)

    @cached_property
    def initial(self) -> Parameters:
        """The parameters of the probe's network before training."""
        return self.network.init()

    @cached_property
    def strength(self) -> float:
        """The first of `NOISE` that leaves outputs finite. Errors: ValueError where none does."""
        for strength in NOISE:
            if np.isfinite(self.network.outputs(noisy(self.initial, strength), self.inputs(1))).all():
                return strength
        raise ValueError("outputs are not finite, however little the parameters are perturbed")

    @cached_property
    def perturbed(self) -> Parameters:
        """`initial` with noise on every parameter. Errors: ValueError where none leaves outputs finite."""
        return noisy(self.initial, self.strength)

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """The probe's network perturbed, and one of a long context that the mixer does not refuse."""
        probe = Sample(self.network, self.perturbed, self.inputs(1)[0])
        try:
            network = self.network.resized(1, LONG_CONTEXT, range(LONG_CONTEXT))
        except AttnsearchError:
            return (probe,)
        x = np.random.default_rng(5).normal(size=(LONG_CONTEXT, self.width)).astype(np.float32)
        return probe, Sample(network, noisy(network.init(), self.strength), x)

    @cached_property
    def contexts(self) -> tuple[RunSpec, RunSpec]:
        """Runs on the task's shortest context, and on its longest of at most `max_context` tokens."""
        shortest, longest = (self.sized(self.task, tokens) for tokens in (0, self.max_context))
        return self.run_on(shortest, BudgetSpec()), self.run_on(longest, BudgetSpec())

    @cached_property
    def trained(self) -> Trained:
        """The probe's network after training."""
        return self.framework.train(self.probe)

    @cached_property
    def max_tried(self) -> int:
        """Tokens of the longest sequence that the mixer does not refuse: `max_context`, or else the longest
        of the task."""
        try:
            return self.network.resized(1, self.max_context, range(self.max_context)).context_length
        except AttnsearchError:
            return self._context(self.contexts[1].cell.task)

    def inputs(self, count: int) -> Floats:
        """Random inputs of the mixer in the probe, the same at every call: `f32[count, L, D]`."""
        shape = (count, self.network.context_length, self.width)
        return np.random.default_rng(1).normal(size=shape).astype(np.float32)

    def sized(self, file: TaskFile, tokens: int, given: Mapping[str, Value] | None = None) -> TaskSpec:
        """The easiest form of a task whose context holds at most `tokens`, or its shortest form.

        Every number is at its minimum; then those that make the context longer are doubled while it fits.
        """
        asked = dict(given or {})
        chosen = file.resolve(file.sized(asked))
        for knob in file.knobs:
            while knob.minimum is not None and knob.maximum is None:
                size = dict(chosen.knobs)[knob.name]
                if not isinstance(size, int):
                    break
                doubled = asked | {knob.name: 2 * size}
                longer = file.resolve(file.sized(doubled))
                if not self._context(chosen) < self._context(longer) <= tokens:
                    break
                asked, chosen = doubled, longer
        return chosen

    def run_on(self, task: TaskSpec, budget: BudgetSpec, num_layers: int = 1) -> RunSpec:
        """The run of a small network with this mixer on `task`."""
        network = NetworkSpec(self.width, num_layers=num_layers, mlp_width=self.width)
        budget = replace(budget, tokens_per_step=max(budget.tokens_per_step, self._context(task)))
        return RunSpec(CellSpec(task, self.mixer, network, OptimizerSpec(), budget), seed=0, rule_seed=0)

    def _context(self, task: TaskSpec) -> int:
        return self.framework.generator(task).context_length
