"""Runs that were never trained, for tests of what is made of runs: curves that fall when they are told to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from attnsearch.base import RECORDING_INTERVAL, Bools, Curves, Floats, Heads, Plateaus, Truth
from attnsearch.runs.recorder import is_map_step
from attnsearch.runs.store import Status, StoredRun
from attnsearch.spec.grid import grid
from attnsearch.spec.run import RunSpec, Value
from helpers.maps import maps_of
from helpers.truths import whole

KNOWN_MIXERS = {
    "attention": {
        **{"head_width": None, "num_heads": 16},
        **{"relative_positions": "none", "qk_norm": False, "learned_temperature": False},
    },
    "mlp_mixer": {"expansion": 4},
}
CHANCE = float(np.log(2))


def spec_of(mixer: str = "attention", seed: int = 0, **values: Value) -> RunSpec:
    """One run of the linear map, S = 4 and s = 2 unless given."""
    lists = {"state_size": [4], "support_size": [2], "steps": [1_000]} | {
        name: [value] for name, value in values.items()
    }
    return grid(["linear_map"], [mixer], lists, known_mixers=KNOWN_MIXERS, seeds=[seed])[0]


def truth_of(spec: RunSpec) -> Truth:
    """Of an isolated linear map: inputs, then a blank for each target."""
    knobs = dict(spec.cell.task.knobs)
    size, support = int(str(knobs["state_size"])), int(str(knobs["support_size"]))
    drawn = np.random.default_rng(spec.rule_seed)
    rows = np.zeros((size, 2 * size), bool)
    for row in rows:
        row[drawn.choice(size, support, replace=False)] = True
    bits = math.log2(math.comb(size, support))
    return whole(
        attention_map=rows,
        query_positions=np.arange(size, 2 * size),
        is_target=np.ones(size, bool),
        replaceable=np.arange(2 * size) < size,
        log2_search_space=np.full(size, bits),
        nominal_log2_search_space=bits,
        chance_loss=CHANCE,
    )


def run_of(
    spec: RunSpec,
    found: Sequence[int | None],
    *,
    heads: int = 0,
    diverges: int | None = None,
    environment: dict[str, Any] | None = None,
) -> StoredRun:
    """A run whose target r is found at step `found[r]`, a multiple of ten; None for never.

    heads:     attention heads, A; the first looks at the supports of what is found
    diverges:  the step at which its loss is no longer finite
    """
    truth, size = truth_of(spec), len(found)
    mastered = all(step is not None for step in found) and diverges is None
    last = max(step or 0 for step in found) + 30 if mastered else diverges or spec.cell.budget.steps
    steps = np.arange(RECORDING_INTERVAL, last + 1, RECORDING_INTERVAL)
    noise = np.random.default_rng([7, spec.seed])
    falls = np.array([np.inf if step is None else step for step in found])
    # With the first, the others fall a little: a bag of few inputs tells as much as one target of four.
    plain = np.where(steps >= falls.min(), 0.97, 1.0)[:, None]
    shares = np.where(steps[:, None] >= falls, 0.02, plain) * noise.uniform(0.99, 1.01, (len(steps), size))
    loss = shares * CHANCE
    if diverges is not None:
        loss[-1] = np.nan
    at = np.array([0, *(step for step in steps if is_map_step(int(step))), last])
    at = np.unique(at)
    known = (at[:, None] >= falls)[..., None]
    blurred = noise.uniform(0, 0.1, (len(at), size, 2 * size)) * truth.replaceable
    influence = np.where(known, truth.attention_map * 0.9 + 0.01 * blurred, blurred).astype(np.float32)
    status: Status = "diverged" if diverges is not None else "mastered" if mastered else "exhausted"
    return StoredRun(
        spec=spec,
        status=status,
        environment=environment or {"device": "cpu", "devices": 2, "versions": {"attnsearch": "0.1.0"}},
        truth=truth,
        curves=Curves(steps.astype(np.int32), loss.astype(np.float32), (loss < 0.1).astype(np.float32)),
        maps=maps_of(truth, at.astype(np.int32), influence),
        heads=_heads(truth, known, heads, noise),
    )


def claiming(run: StoredRun, **measures: Plateaus | Floats) -> StoredRun:
    """`run` with some measures that its curves do not show. They are gone where it is replaced."""
    made = replace(run)
    vars(made)["measures"] = replace(run.measures, **measures)
    return made


def changed(run: StoredRun, **parts: Any) -> StoredRun:
    """`run` of a cell with other parts."""
    return replace(run, spec=replace(run.spec, cell=replace(run.spec.cell, **parts)))


def renamed(run: StoredRun, task: str, mixer: str) -> StoredRun:
    """`run` of a task and a mixer that are called otherwise."""
    cell = run.spec.cell
    cell = replace(cell, task=replace(cell.task, name=task), mixer=replace(cell.mixer, name=mixer))
    return replace(run, spec=replace(run.spec, cell=cell))


def _heads(truth: Truth, known: Bools, heads: int, noise: np.random.Generator) -> Heads:
    """Weights of rows that sum to one; the first head's lie on the supports of targets that are found."""
    (size, length), recorded = truth.attention_map.shape, len(known)
    visible = np.arange(length) <= truth.query_positions[:, None]
    weights = noise.uniform(0.5, 1, (recorded, heads, size, length)) * visible
    if heads:
        weights[:, 0] = np.where(known, truth.attention_map + 1e-3 * visible, weights[:, 0])
    weights /= weights.sum(axis=-1, keepdims=True)
    logs = np.log(np.where(weights > 0, weights, 1))
    return Heads(
        np.rint(255 * weights).astype(np.uint8),
        (weights * truth.attention_map).sum(axis=-1).astype(np.float32),
        -(weights * logs).sum(axis=-1).astype(np.float32),
    )
