"""The network of a flax mixer under verification: what is asked of it, compiled as in training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from attnsearch.base import AttnsearchError, Floats, Integers
from attnsearch.generators.base import Generator
from attnsearch.mixers.base import LogitBias, LogitMixer
from attnsearch.mixers.contract import with_logits
from attnsearch.probing.apart import importable
from attnsearch.probing.subject import Parameters, Trained
from attnsearch.runs.recorder import Recording
from attnsearch.spec.run import RunSpec, TaskSpec
from attnsearch.training.jax.backend import JaxBackend
from attnsearch.training.jax.cohorts import JaxCohort
from attnsearch.training.jax.network import Network
from attnsearch.training.jax.network import Parameters as Arrays
from attnsearch.training.jax.parameters import named


@dataclass(frozen=True, eq=False)
class JaxFramework:
    """A `probing.subject.Framework` of the mixers that `backend` knows or finds."""

    backend: JaxBackend

    def found_at(self, mixer: str) -> str | None:
        kind = self.backend.mixer(mixer)
        return f"{kind.__module__}:{kind.__qualname__}" if importable(kind) else None

    def generator(self, task: TaskSpec) -> Generator:
        return self.backend.generator(task)

    def network(self, run: RunSpec) -> JaxNetwork:
        return JaxNetwork(self.backend.trainer(run.cell).network)

    def train(self, run: RunSpec) -> Trained:
        trainer = self.backend.trainer(run.cell)
        inputs = JaxCohort(trainer, (run,)).inputs(run)
        # Compiled as a whole it takes a tenth of the time.
        state = jax.jit(trainer.begin)(inputs)
        recording = Recording(
            run, trainer.generator.truth(jax.tree.map(np.asarray, state.rule), inputs.knobs)
        )
        advance = jax.jit(trainer.advance)
        while recording.status is None:
            state, record = advance(state)
            recording.add(*map(np.asarray, (record.loss, record.accuracy, record.update_norm)))
        return Trained(named(state.parameters), recording)


@dataclass(frozen=True, eq=False)
class JaxNetwork:
    """A `probing.subject.Network`; its other mode is to compute operation by operation."""

    made: Network

    @property
    def context_length(self) -> int:
        return self.made.context_length

    @property
    def vocab_size(self) -> int:
        return self.made.vocab_size

    @property
    def query_positions(self) -> Sequence[int]:
        return self.made.query_positions

    @property
    def takes_bias(self) -> bool:
        return issubclass(self.made.mixer, LogitMixer)

    def resized(self, num_layers: int, context_length: int, query_positions: Sequence[int]) -> JaxNetwork:
        spec, queries = replace(self.made.spec, num_layers=num_layers), tuple(query_positions)
        made = replace(self.made, spec=spec, context_length=context_length, query_positions=queries)
        made.contract.check_call()
        return JaxNetwork(made)

    def init(self) -> Parameters:
        return named(self._initial())

    def constants(self) -> Mapping[str, npt.NDArray[Any]]:
        return self.made.contract.constants()

    def outputs(self, parameters: Parameters, inputs: Floats) -> Floats:
        return self._answer(_outputs, parameters, inputs)

    def batched(self, parameters: Parameters, inputs: Floats) -> Floats:
        return self._answer(_batched, parameters, inputs)

    def calls(self, parameters: Parameters, inputs: Floats) -> Floats:
        return self._answer(_calls, parameters, inputs)

    def other_mode(self, parameters: Parameters, inputs: Floats) -> Floats:
        return self.calls(parameters, inputs)

    def rows(
        self, parameters: Parameters, x: Floats, choices: Sequence[Sequence[int]]
    ) -> Mapping[str, Sequence[Floats]]:
        return self._answer(_rows, parameters, x, tuple(map(tuple, choices)))

    def weights(self, parameters: Parameters, x: Floats, bias: Floats | None = None) -> Floats:
        return self._answer(_weights, parameters, x, bias)

    def slopes(self, parameters: Parameters, x: Floats, directions: Floats) -> Floats:
        return self._answer(_slopes, parameters, x, directions)

    def gradients(
        self, parameters: Parameters, inputs: Floats, direction: Floats
    ) -> tuple[Floats, Parameters]:
        outputs, gradients = self._answer(_gradients, parameters, inputs, direction)
        return outputs, named(gradients)

    def logits(self, parameters: Parameters, tokens: Integers) -> Floats:
        return self._answer(_logits, parameters, tokens)

    def mapped(self, parameters: Parameters, tokens: Integers, bias: Floats | None = None) -> Floats:
        return self._answer(_mapped, parameters, tokens, bias)

    def differentiated(self, parameters: Parameters, tokens: Integers) -> Floats:
        # What is not returned is not computed either: the gradients too.
        return self._answer(_differentiated, parameters, tokens)[0]

    def _answer(self, program: Callable[..., Any], parameters: Parameters, *arguments: Any) -> Any:
        """The arrays that `program` returns, on the host."""
        try:
            return jax.tree.map(np.asarray, program(self.made, self._put(parameters), *arguments))
        except jax.errors.UnexpectedTracerError as error:
            raise AttnsearchError("it holds on to an array of an earlier call, which was compiled") from error

    def _initial(self) -> Arrays:
        return self.made.init(jax.random.key(0))

    @cached_property
    def _shapes(self) -> Arrays:
        return jax.eval_shape(self._initial)

    def _put(self, parameters: Parameters) -> Arrays:
        # Names come in the order of the leaves.
        leaves, structure = jax.tree.flatten(self._shapes)
        arrays = zip(parameters.values(), leaves, strict=True)
        return jax.tree.unflatten(structure, [jnp.asarray(array, leaf.dtype) for array, leaf in arrays])


@partial(jax.jit, static_argnums=0)
def _outputs(network: Network, parameters: Arrays, inputs: jax.Array) -> jax.Array:
    mixer = network.first_mixer(parameters)
    # One alone without a loop, in which a mixer that keeps what it saw cannot be traced.
    return mixer(inputs[0])[None] if len(inputs) == 1 else jax.lax.map(mixer, inputs)


@partial(jax.jit, static_argnums=0)
def _batched(network: Network, parameters: Arrays, inputs: jax.Array) -> jax.Array:
    return jax.vmap(network.first_mixer(parameters))(inputs)


def _calls(network: Network, parameters: Arrays, inputs: Floats) -> jax.Array:
    mixer = network.first_mixer(parameters)
    return jnp.stack([mixer(jnp.asarray(x)) for x in inputs])


@partial(jax.jit, static_argnums=(0, 3))
def _rows(
    network: Network, parameters: Arrays, x: jax.Array, choices: tuple[tuple[int, ...], ...]
) -> dict[str, list[jax.Array]]:
    mixer = network.first_mixer(parameters)
    asked = [np.arange(len(x)), *map(np.array, choices)]
    found = {"at": [mixer(x), *(mixer.at(x, choice) for choice in asked[1:])]}
    weights = [mixer.weights(x, choice) for choice in asked]
    if len(weights[0]):
        found["weights"] = [jnp.moveaxis(heads, 1, 0) for heads in weights]
    return found


@partial(jax.jit, static_argnums=0)
def _weights(network: Network, parameters: Arrays, x: jax.Array, bias: jax.Array | None) -> jax.Array:
    mixer, positions = network.first_mixer(parameters), np.arange(len(x))
    if bias is None:
        return mixer.weights(x, positions)
    return with_logits(mixer).biased_weights(x, positions, _looked_up(bias))


@partial(jax.jit, static_argnums=0)
def _slopes(network: Network, parameters: Arrays, x: jax.Array, directions: jax.Array) -> jax.Array:
    mixer = network.first_mixer(parameters)

    def slope(direction: jax.Array) -> jax.Array:
        return jax.grad(lambda x: (mixer(x) * direction).sum())(x)

    return jax.lax.map(slope, directions)


@partial(jax.jit, static_argnums=0)
def _gradients(
    network: Network, parameters: Arrays, inputs: jax.Array, direction: jax.Array
) -> tuple[jax.Array, Arrays]:
    def seen(parameters: Arrays) -> tuple[jax.Array, jax.Array]:
        outputs = jax.lax.map(network.first_mixer(parameters), inputs)
        return (outputs * direction).sum(), outputs

    gradients, outputs = jax.grad(seen, has_aux=True)(parameters)
    return outputs, gradients


@partial(jax.jit, static_argnums=0)
def _logits(network: Network, parameters: Arrays, tokens: jax.Array) -> jax.Array:
    return jax.lax.map(partial(network.apply, parameters), tokens)


@partial(jax.jit, static_argnums=0)
def _mapped(network: Network, parameters: Arrays, tokens: jax.Array, bias: jax.Array | None) -> jax.Array:
    biases = None if bias is None else [_looked_up(bias)] * network.spec.num_layers
    return jax.vmap(lambda sequence: network.apply(parameters, sequence, biases))(tokens)


@partial(jax.jit, static_argnums=0)
def _differentiated(network: Network, parameters: Arrays, tokens: jax.Array) -> tuple[jax.Array, Arrays]:
    def seen(parameters: Arrays) -> tuple[jax.Array, jax.Array]:
        logits = jax.vmap(partial(network.apply, parameters))(tokens)
        return jax.nn.log_softmax(logits).mean(), logits

    (_, logits), gradients = jax.value_and_grad(seen, has_aux=True)(parameters)
    return logits, gradients


def _looked_up(bias: jax.Array) -> LogitBias:
    return lambda positions: bias[positions]
