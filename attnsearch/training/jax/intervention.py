"""A map that is added to the attention logits while a network trains."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from attnsearch.base import Integers
from attnsearch.generators.base import Generator, Rule
from attnsearch.training.jax.network import LayerBiases


class MapBias(NamedTuple):
    """A map that is added to the attention logits of the queries.

    strength:     `f32[num_layers]`, what an entry of the map adds, in every head of a layer
    first, last:  `i32[]`, while first <= steps done < last
    placebo:      `bool[]`, whether it is the wrong map
    """

    strength: Any
    first: Any
    last: Any
    placebo: Any


def biases(
    given: MapBias, generator: Generator, rule: Rule, tokens: jax.Array, step: jax.Array
) -> LayerBiases:
    """What each layer adds to the attention logits of the sequence `tokens` after `step` steps."""
    active = (given.first <= step) & (step < given.last)

    def added(strength: jax.Array, positions: Integers | jax.Array) -> jax.Array:
        return chosen(generator, rule, tokens, given.placebo, positions) * jnp.where(active, strength, 0.0)

    return [partial(added, strength) for strength in given.strength]


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
