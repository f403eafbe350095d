"""From replaced tokens to a measured map: arithmetic on the answers of a network in any framework."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from attnsearch.base import Integers
from attnsearch.generators.base import Generator, Rule


class Influence(NamedTuple):
    """How far the answer to each mapped target moves when one token is replaced.

    mean:  `f32[K, L]` over probe sequences, in [0, 1]; zero at positions that are not probed
    mass:  `f32[K]` share that lies on the support of the very sequence; nan where nothing moves an answer
    later: `f32[]` the furthest that any answer moved when only tokens behind its query were replaced
    route_mass: `f32[W, K]` share that lies on each named route of the very sequence; nan as for `mass`
    """

    mean: jax.Array
    mass: jax.Array
    later: jax.Array
    route_mass: jax.Array


def distances(answers: Any, untouched: Any) -> Any:
    """`f32[...]`: the total variation distance between two distributions over symbols, `f32[..., V]` each.

    Arrays of numpy, jax or torch.
    """
    return abs(answers - untouched).sum(-1) / 2


def measured(
    generator: Generator, rule: Rule, tokens: jax.Array, moved: jax.Array, later: jax.Array
) -> Influence:
    """The map that the distances `moved` make; `later` is as in `Influence`.

    tokens:  `i32[B, L]`, the probe sequences
    moved:   `f32[P, B, K]` how far the answers moved when each of the P probed positions was replaced
    """
    positions = generator.probed_positions.nonzero()[0]
    routes = jnp.zeros((0, moved.shape[2]))
    if generator.route_names:
        routes = route_mass(generator, rule, tokens, moved)
    mean = jnp.zeros((tokens.shape[1], moved.shape[2])).at[positions].set(moved.mean(axis=1))
    return Influence(mean.T, map_mass(generator, rule, tokens, moved), later, routes)


def map_mass(generator: Generator, rule: Rule, tokens: jax.Array, moved: jax.Array) -> jax.Array:
    """`f32[K]`: the share of `moved` on the supports of the very sequences; nan where all are 0.

    Arguments are as in `measured`. Where not every position was probed, the positions that belong to no
    support stand for all such: each counts as many times as there are of them for each that was probed.
    Supports were all probed.
    """
    probed, targets = generator.probed_positions, generator.mapped_targets
    queries = generator.query_positions[mapped_queries(generator)]
    visible = generator.replaceable & (np.arange(generator.context_length) <= queries[:, None])

    def shares(sequence: jax.Array, moved: jax.Array) -> tuple[jax.Array, jax.Array]:
        supports = generator.supports(rule, sequence, targets)
        elsewhere = visible & ~supports.any(axis=0)
        of_each = elsewhere.sum(axis=1) / jnp.maximum((elsewhere & probed).sum(axis=1), 1)
        # What a query cannot see, and yet moves with, is a leak: it counts as it was measured.
        weights = jnp.where(elsewhere, of_each[:, None], 1.0)[:, probed]
        return (moved * supports[:, probed]).sum(axis=1), (moved * weights).sum(axis=1)

    on_support, total = jax.tree.map(
        lambda parts: parts.sum(axis=0), jax.vmap(shares)(tokens, moved.transpose(1, 2, 0))
    )
    return jnp.where(total > 0, on_support / jnp.where(total > 0, total, 1.0), jnp.nan)


def route_mass(generator: Generator, rule: Rule, tokens: jax.Array, moved: jax.Array) -> jax.Array:
    """`f32[W, K]`: the share of `moved` on each named route of the very sequences; nan where all are 0.

    Arguments are as in `measured`. Routes may share positions, so that shares need not add up to 1. What was
    not probed counts as nothing.
    """
    probed, targets = generator.probed_positions, generator.mapped_targets

    def on_routes(sequence: jax.Array, moved: jax.Array) -> jax.Array:
        return (generator.routes(rule, sequence, targets)[..., probed] * moved).sum(axis=-1)

    found = jax.vmap(on_routes)(tokens, moved.transpose(1, 2, 0)).sum(axis=0)
    total = moved.sum(axis=(0, 1))
    return jnp.where(total > 0, found / jnp.where(total > 0, total, 1.0), jnp.nan)


def mapped_queries(generator: Generator) -> Integers:
    """`i64[K]`: which queries ask for the mapped targets."""
    return generator.is_target.nonzero()[0][generator.mapped_targets]
