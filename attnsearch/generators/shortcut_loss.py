"""The loss that a known shortcut reaches, so that the threshold of a plateau can be put below it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from attnsearch.base import Floats, Integers
from attnsearch.generators.base import Generator
from attnsearch.generators.lazy import jax, jnp
from attnsearch.generators.shortcuts import Shortcut

SEQUENCES = 1024
"""Of one rule, over which a loss is averaged."""

TRUST = np.append(np.linspace(0.0, 0.975, 40), 0.999)
"""Shares that a shortcut may have in a mixture with the guess whose loss is chance."""


def loss_of(shortcut: Shortcut, generator: Generator, knobs: Mapping[str, Any]) -> float:
    """Nats: the mean loss over targets, each at the best trust in the shortcut beside the guess of chance.

    Without any trust that is chance, which no shortcut exceeds but for what drawing sequences leaves open.

    knobs: the `traced_knobs`
    """
    rule = generator.init(jax.random.key(0), knobs)
    keys = jax.random.split(jax.random.key(1), SEQUENCES)
    drawn = jax.tree.map(np.asarray, jax.jit(jax.vmap(generator.sample, (None, 0)))(rule, keys))
    answers = drawn.answers[:, generator.is_target]
    guessed = shortcut.guess(rule, drawn.tokens)
    right = np.take_along_axis(guessed, answers[..., None], axis=-1)
    mixed = TRUST * right + (1 - TRUST) * _by_chance(generator, drawn.tokens, answers)[..., None]
    return float(-np.log(mixed).mean(axis=0).max(axis=-1).mean())


def _by_chance(generator: Generator, tokens: Integers, answers: Integers) -> Floats:
    """`f64[N, R]`: how probable the right answers are to the guess whose loss is `chance_loss`."""
    if type(generator).guess is Generator.guess:
        return np.full(answers.shape, 1 / generator.num_values)

    def one(tokens: jax.Array, answers: jax.Array) -> jax.Array:
        return jnp.take_along_axis(generator.guess(tokens), answers[:, None], axis=1)[:, 0]

    return np.asarray(jax.jit(jax.vmap(one))(tokens, answers), np.float64)
