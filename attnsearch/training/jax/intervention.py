"""A map that is added to the attention logits while a network trains."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from attnsearch.base import Integers
from attnsearch.generators.base import Generator, Rule
from attnsearch.sequences.added_map import chosen
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
