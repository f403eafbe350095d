"""A tiny trainer and the inputs of a run, for tests of what compiled programs compute."""

from __future__ import annotations

import jax.numpy as jnp

from attnsearch.generators import LinearMap
from attnsearch.mixers import MIXERS
from attnsearch.spec.run import NetworkSpec, settings
from attnsearch.training.jax.network import Network
from attnsearch.training.jax.trainer import RunInputs, Trainer

SPEC = NetworkSpec(width=32, num_layers=1, mlp_width=64)


def trainer(mixer: str = "attention", generator: type = LinearMap, **knobs: str) -> Trainer:
    made = generator(4, **knobs)
    chosen = settings({"num_heads": 4} if mixer == "attention" else {})
    return Trainer(made, Network.of(SPEC, MIXERS[mixer], chosen, made), batch_size=16)


def inputs(seed: int = 0, support_size: int = 2, learning_rate: float = 1e-3, rule_seed: int | None = None):
    return RunInputs(
        seed=jnp.asarray(seed),
        rule_seed=jnp.asarray(seed if rule_seed is None else rule_seed),
        knobs={"support_size": jnp.asarray(support_size)},
        learning_rate=jnp.asarray(learning_rate),
        weight_decay=jnp.asarray(0.01),
        warmup_steps=jnp.asarray(20),
    )
