"""How large a network is: its parameters, and the operations that the compiler counts."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from attnsearch.training import machine
from attnsearch.training.backend import Size
from attnsearch.training.jax import devices
from attnsearch.training.jax.network import Network


def size(network: Network) -> Size:
    """The size of the whole network."""
    return Size(parameters(network), flops_per_token(network), machine.in_words(devices.describe(1)))


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
