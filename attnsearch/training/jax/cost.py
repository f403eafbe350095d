"""What a mixer costs on this machine: parameters, operations of a forward pass, tokens trained a second."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from attnsearch.base import RECORDING_INTERVAL
from attnsearch.runs.cost import Cost
from attnsearch.spec.run import RunSpec
from attnsearch.training.jax import devices
from attnsearch.training.jax.backend import JaxBackend
from attnsearch.training.jax.forecast import measure_rate
from attnsearch.training.jax.network import Network

MEASURED_SECONDS = 3.0
"""Training that is timed, once it is compiled."""


def cost(specs: Sequence[RunSpec], backend: JaxBackend, seconds: float = MEASURED_SECONDS) -> Cost:
    """The cost of the network of `specs`, one mixer's runs, at their largest context.

    seconds:  of training that is timed; 0 for none

    Errors: AttnsearchError where a generator or mixer refuses its settings.
    """
    largest = max(backend.cohorts(specs), key=lambda one: one.trainer.generator.context_length)
    trainer = largest.trainer
    rate = measure_rate(largest, seconds) if seconds else None
    tokens = trainer.batch_size * trainer.generator.context_length * RECORDING_INTERVAL
    return Cost(
        context_length=trainer.generator.context_length,
        parameters=parameters(trainer.network),
        flops_per_token=flops_per_token(trainer.network),
        tokens_per_second=None if rate is None else rate.lanes * tokens / rate.point,
        device=_device(),
    )


def parameters(network: Network) -> int:
    """Trained numbers of the whole network."""
    shapes = jax.eval_shape(network.init, jax.random.key(0))
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))


def flops_per_token(network: Network) -> float | None:
    """Floating-point operations of a forward pass over one sequence, by the compiler's count, for each of its
    tokens; None where the compiler of this device does not count."""
    shapes = jax.eval_shape(network.init, jax.random.key(0))
    tokens = jax.ShapeDtypeStruct((network.context_length,), jnp.int32)
    analysis = jax.jit(network.apply).lower(shapes, tokens).compile().cost_analysis()
    # A list with one mapping in some versions of jax.
    counted = analysis[0] if isinstance(analysis, list) and analysis else analysis
    flops = counted.get("flops") if isinstance(counted, dict) else None
    return float(flops) / network.context_length if flops and flops > 0 else None


def _device() -> str:
    known = devices.describe(1)
    processor = f", {known['processor']}" if known["processor"] else ""
    return f"{known['devices']} x {known['device']}{processor}"
