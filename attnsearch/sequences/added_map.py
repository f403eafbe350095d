"""The map that a run adds to attention logits: where it lies, and as an array for each sequence."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from attnsearch.base import Floats, Integers
from attnsearch.generators.base import Generator, Rule
from attnsearch.spec.run import InterventionSpec, RunSpec


def chosen(
    generator: Generator, rule: Rule, tokens: jax.Array, placebo: Any, positions: Integers | jax.Array
) -> jax.Array:
    """`bool[P, L]`: the map at `positions` of the sequence `tokens`, or the wrong map where `placebo`."""
    target_at = np.full(generator.context_length, -1)
    target_at[generator.query_positions[generator.is_target]] = np.arange(generator.is_target.sum())
    targets = jnp.asarray(target_at)[positions]
    one = jnp.maximum(targets, 0)
    right = generator.supports(rule, tokens, one)
    wrong = generator.placebo(rule, tokens, one)
    return jnp.where(placebo, wrong, right) & (targets >= 0)[:, None]


@dataclass(frozen=True, eq=False)
class AddedMap:
    """A map for each sequence of one run. `first`, `last`: while first <= steps done < last."""

    generator: Generator
    rule: Rule
    placebo: bool
    first: int
    last: int

    @classmethod
    def of(cls, spec: RunSpec, generator: Generator, rule: Rule) -> Self | None:
        """The map of a run; None where it adds none."""
        given = spec.cell.intervention
        if given == InterventionSpec():
            return None
        return cls(generator, rule, given.map_bias_placebo, *given.steps(spec.cell.budget.steps))

    def at(self, tokens: Integers, step: int) -> Floats:
        """`f32[B, L, L]`: 1 where something is added to the logits of `tokens`, `i32[B, L]`, else 0."""
        if not self.first <= step < self.last:
            length = tokens.shape[1]
            return np.zeros((len(tokens), length, length), np.float32)
        return np.array(_maps(self.generator, self.rule, tokens, self.placebo), np.float32)


@partial(jax.jit, static_argnums=0)
def _maps(generator: Generator, rule: Rule, tokens: jax.Array, placebo: jax.Array) -> jax.Array:
    positions = jnp.arange(generator.context_length)
    return jax.vmap(lambda sequence: chosen(generator, rule, sequence, placebo, positions))(tokens)


def strengths(spec: RunSpec) -> tuple[float, ...]:
    """What a set position of the map adds in each layer; empty where a run adds no map."""
    given = spec.cell.intervention
    if given == InterventionSpec():
        return ()
    return tuple(given.map_bias * layer for layer in given.layers(spec.cell.network.num_layers))
