"""One run as a page holds it: small enough for many, and exact in every number of steps.

Curves and maps are for the eye: losses are kept to 1/16,000 of chance, shares and weights to 1/255, masses to
1/10,000, entropies to 1/5,000 nats.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from attnsearch.base import Floats, Heads, Integers
from attnsearch.results.alignment import best_heads
from attnsearch.results.layout import (
    columns_of,
    lines_of,
    marks_of,
    names_of,
    shares_of,
    state_of_columns,
)
from attnsearch.runs.leaks import later_influence
from attnsearch.runs.store import StoredRun
from attnsearch.runs.summary import best_of
from attnsearch.stats.hopping import MODES

POINTS = 200
"""Recorded points of a loss curve that a page shows, at most."""

LARGEST = 2_600_000
"""Characters that all runs of a page may take before attention weights are left out."""

LEAST_ROOM = 1_000_000
"""Characters that attention weights may take in any case."""

MOST_WEIGHTS = 1_000_000
"""Numbers in one run's attention weights, of which only each target's best head is kept beyond that."""

_LOSS, _MASS, _NATS, _SHARE = 16_000, 10_000, 5_000, 255


def details(runs: Sequence[StoredRun]) -> list[dict[str, Any]]:
    """What the run browser draws of each run, as JSON values.

    `heads.weights` are None where room was lacking; the first runs are served first. They hold
    every head, or, where `heads.all` is False, the best head of each target.
    """
    found = [_detail(run) for run in runs]
    room = max(LARGEST - len(json.dumps(found)), LEAST_ROOM)
    for run, one in zip(runs, found, strict=True):
        if one["heads"] is not None:
            kept = run.heads if one["heads"]["all"] else best_heads(run.heads)
            weights = _packed(_weights(run, kept), _SHARE, "<u1")
            size = len(weights["data"])
            if size <= room:
                one["heads"]["weights"] = weights
                room -= size
    return found


def thinned(points: int, most: int = POINTS) -> Integers:
    """`i64[K]`, K <= most: indices among `points`, half evenly spaced and half by a constant factor."""
    if points <= most:
        return np.arange(points)
    even = np.linspace(0, points - 1, most // 2)
    rising = np.geomspace(1, points, most - most // 2) - 1
    return np.unique(np.rint(np.concatenate([even, rising])).astype(np.int64))


def _detail(run: StoredRun) -> dict[str, Any]:
    truth, curves, maps = run.truth, run.curves, run.maps
    at = thinned(len(curves.step))
    losses, lines, columns = curves.loss[at][:, truth.is_target], lines_of(truth), columns_of(truth)
    names, marks = names_of(truth), marks_of(truth)
    drawn = np.stack([losses[:, group].mean(axis=1) for group in lines.groups], axis=1)
    steps, found = run.measures.found
    return {
        "positions": columns.positions.tolist(),
        "gaps": columns.gaps,
        "unprobed": columns.unprobed,
        "states": state_of_columns(truth),
        "queries": truth.queries.tolist(),
        "length": len(truth.replaceable),
        "names": [names[target] for target in truth.mapped],
        "marks": [marks[target] for target in truth.mapped],
        "support": _rows(truth.attention_map),
        "route": None
        if np.array_equal(truth.attention_map, truth.cheapest_route)
        else _rows(truth.cheapest_route),
        "bits": [round(float(bits), 2) for bits in truth.log2_search_space[truth.mapped]],
        "chance": float(truth.chance_loss),
        "loss_step": curves.step[at].tolist(),
        "loss": _packed(drawn / truth.chance_loss, _LOSS, "<u2"),
        "loss_mean": _packed(losses.mean(axis=1) / truth.chance_loss, _LOSS, "<u2"),
        "lines": {
            "of": lines.of,
            "names": lines.names,
            "found": [int(steps[group].max()) if found[group].all() else None for group in lines.groups],
            "bayes": [round(float(truth.bayes_loss[group].mean()), 4) for group in lines.groups],
            "of_mapped": lines.of_mapped,
        },
        "modes": _modes(run),
        "map_step": maps.step.tolist(),
        "map": _packed(shares_of(maps.influence)[:, :, columns.positions], _SHARE, "<u1"),
        "map_mass": _packed(maps.mass, _MASS, "<u2"),
        # In any of the maps, at whichever the reader looks.
        "leak": float(f"{later_influence(run.map_mass):.2g}") if run.leaking else None,
        "chance_map_mass": [round(mass, 4) for mass in run.measures.chance_map_mass.tolist()],
        "heads": _heads(run) if run.head_mass.mass.shape[1] else None,
    }


def _modes(run: StoredRun) -> dict[str, Any] | None:
    """Which of two routes the run took: each mode with its first and its last step, and the steps of hops."""
    if (hopping := run.hopping) is None:
        return None
    step = run.contests.step
    stretches = [[MODES[one.mode], int(step[one.first]), int(step[one.last])] for one in hopping.stretches]
    return {"stretches": stretches, "hops": step[hopping.settled[1:]].tolist()}


def _heads(run: StoredRun) -> dict[str, Any]:
    """Of each target the head that ends with most of its weight on the support."""
    mass, entropy = run.head_mass
    best, rows = best_of(mass)
    seen = np.arange(len(run.truth.replaceable)) <= run.truth.queries[:, None]
    visible, support = seen.sum(axis=1), (run.truth.attention_map & seen).sum(axis=1)
    layers = run.spec.cell.network.num_layers
    each = mass.shape[1] // layers
    return {
        "names": [
            (f"layer {head // each}, " if layers > 1 else "") + f"head {head % each}"
            for head in range(mass.shape[1])
        ],
        "best": best.tolist(),
        "mass": _packed(mass[:, best, rows], _MASS, "<u2"),
        "entropy": _packed(entropy[:, best, rows], _NATS, "<u2"),
        "uniform_mass": [round(float(share), 4) for share in support / visible],
        "uniform_entropy": [round(float(nats), 4) for nats in np.log(visible)],
        "all": mass.size * (len(columns_of(run.truth).positions) + 1) <= MOST_WEIGHTS,
        "weights": None,
    }


def _weights(run: StoredRun, heads: Heads) -> Floats:
    """`f64[M, A, K, P + 1]`: weights on the columns of the maps, then on all other positions together."""
    weights, shown = heads.weights / 255, columns_of(run.truth).positions
    elsewhere = np.delete(weights, shown, axis=-1).sum(axis=-1, keepdims=True)
    return np.concatenate([weights[..., shown], elsewhere], axis=-1)


def _rows(attention_map: np.ndarray) -> list[list[int]]:
    return [np.flatnonzero(row).tolist() for row in attention_map]


def _packed(values: Floats, scale: int, kind: str) -> dict[str, Any]:
    """`values` in whole parts of 1 / `scale`, deflated and in base64. The largest 16-bit number is none."""
    largest = np.iinfo(kind).max
    none = largest - 1 if largest > _SHARE else largest
    codes = np.where(np.isfinite(values), np.clip(np.rint(np.nan_to_num(values) * scale), 0, none), largest)
    data = zlib.compress(codes.astype(kind).tobytes(), 9)
    return {
        "bytes": np.dtype(kind).itemsize,
        "scale": scale,
        "shape": list(values.shape),
        "data": base64.b64encode(data).decode(),
    }
