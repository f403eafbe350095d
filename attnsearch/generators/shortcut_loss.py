"""The loss that a known shortcut reaches, so that the threshold of a plateau can be put below it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from attnsearch.generators.base import Generator
from attnsearch.generators.lazy import jax
from attnsearch.generators.shortcuts import Shortcut

SEQUENCES = 1024
"""Of one rule, over which a loss is averaged."""

TRUST = np.append(np.linspace(0.0, 0.975, 40), 0.999)
"""Shares that a guess may have in a mixture with an even guess."""


def loss_of(shortcut: Shortcut, generator: Generator, knobs: Mapping[str, Any]) -> float:
    """Nats: the mean loss over targets, each at the best trust in the guess beside an even one.

    knobs: the `traced_knobs`
    """
    rule = generator.init(jax.random.key(0), knobs)
    keys = jax.random.split(jax.random.key(1), SEQUENCES)
    drawn = jax.tree.map(np.asarray, jax.jit(jax.vmap(generator.sample, (None, 0)))(rule, keys))
    answers = drawn.answers[:, generator.is_target]
    guessed = shortcut.guess(rule, drawn.tokens)
    right = np.take_along_axis(guessed, answers[..., None], axis=-1)[..., 0]
    mixed = TRUST * right[..., None] + (1 - TRUST) / generator.num_values
    return float(-np.log(mixed).mean(axis=0).max(axis=-1).mean())
