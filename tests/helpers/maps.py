"""Maps as they are recorded of tasks whose map is one for all sequences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from attnsearch.base import Floats, Integers, Maps, Truth
from attnsearch.runs.store import StoredRun


def maps_of(truth: Truth, step: Integers, influence: Floats) -> Maps:
    """Maps of `influence`, `f32[M, K, L]`, with the mass that they have."""
    return Maps(
        step, influence, map_mass(influence, truth).astype(np.float32), np.zeros(len(step), np.float32)
    )


def no_maps(step: Integers, rows: int, length: int) -> Maps:
    """Maps of a network in which no token has any influence."""
    shape = (len(step), rows)
    zeros = np.zeros((*shape, length), np.float32)
    return Maps(step, zeros, np.full(shape, np.nan, np.float32), np.zeros(len(step), np.float32))


def leaking(run: StoredRun, later: float = 0.25) -> StoredRun:
    """The same run, in whose last map tokens behind a query moved its answer so far."""
    moved = np.zeros(len(run.maps.step), np.float32)
    moved[-1] = later
    return replace(run, maps=run.maps._replace(later=moved))


def map_mass(influence: Floats, truth: Truth) -> Floats:
    """`f64[..., K]`: the definition of map mass in plain numpy, of `influence`, `f32[..., K, L]`.

    It is the share on the support, nan where there is no influence. Visible positions that belong to no
    support stand for all such, also where only some were probed.
    """
    influence = influence.astype(np.float64)
    on_support = (influence * truth.attention_map).sum(axis=-1)
    visible = truth.replaceable & (np.arange(len(truth.replaceable)) <= truth.queries[:, None])
    elsewhere = visible & ~truth.attention_map.any(axis=0)
    probed = (elsewhere & truth.probed).sum(axis=-1, keepdims=True)
    weight = np.where(elsewhere, elsewhere.sum(axis=-1, keepdims=True) / np.maximum(probed, 1), 1.0)
    total = (influence * weight).sum(axis=-1)
    return np.divide(on_support, total, out=np.full_like(total, np.nan), where=total > 0)
