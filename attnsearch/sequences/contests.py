"""Where two routes compete: what is asked of a network, and which route its answers tell of."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from attnsearch.generators.base import Generator, ProbeItem, Rule

CONTESTS = 64
"""Probe sequences on which the routes differ, P, and as many on which they agree."""

LEAST = float(np.finfo(np.float32).tiny)
"""Probabilities are taken to be at least this, so that a margin is a number."""


class Contested(NamedTuple):
    """What the answers tell, as in `base.Contests`: margin `f32[P]`, agreement `f32[]`."""

    margin: Any
    agreement: Any


def asked(generator: Generator, rule: Rule, key: jax.Array) -> ProbeItem:
    """`CONTESTS` items on which the routes differ, then as many on which they agree; one axis leads."""
    keys = jax.random.split(key, 2 * CONTESTS)
    differing = jax.vmap(generator.probe, (None, 0))(rule, keys[:CONTESTS])
    agreeing = jax.vmap(generator.agreeing, (None, 0))(rule, keys[CONTESTS:])
    return jax.tree.map(lambda *parts: jnp.concatenate(parts), differing, agreeing)


def contested(generator: Generator, items: ProbeItem, answers: jax.Array) -> Contested:
    """What is told by the distributions `answers`, `f32[2P, Q, V]`, to the `items` that `asked` made."""
    targets = np.flatnonzero(generator.is_target)

    def surprise(wanted: jax.Array) -> jax.Array:
        chosen = jnp.take_along_axis(answers[:CONTESTS], wanted[:CONTESTS, :, None], axis=-1)[:, targets, 0]
        return jnp.log(jnp.maximum(chosen, LEAST))

    margin = (surprise(items.general) - surprise(items.shallow)).mean(axis=1)
    right = (answers.argmax(axis=-1) == items.general)[CONTESTS:, targets]
    return Contested(margin, right.mean())


def nothing_contested(generator: Generator) -> Contested:
    """Numbers that are not known, of the same shapes; P = 0 where no routes compete."""
    return Contested(jnp.full(CONTESTS if generator.competes else 0, jnp.nan), jnp.array(jnp.nan))
