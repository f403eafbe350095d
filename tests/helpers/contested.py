"""Runs of tasks with named routes, made and trained: tiny ones of competing_routes, and made margins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from attnsearch.base import Contests, RouteMass
from attnsearch.runs.store import StoredRun
from helpers.hand_made import run_of, spec_of

TINY: dict[str, list[Any]] = {
    **{"state_size": [4], "num_rows": [2], "support_size": [2], "width": [16], "mlp_width": [16]},
    **{"tokens_per_step": [64], "steps": [40]},
}
"""Trained in a moment: four recorded points."""


def hopping_run(seed: int = 0, hop: int = 300) -> StoredRun:
    """A run that takes the shallow route up to step `hop`, and the general one from there on."""
    run = run_of(spec_of(seed=seed), [100, 110, 120, None])
    steps, noise = run.curves.step, np.random.default_rng(seed)
    mean = np.where(steps <= hop, -2.0, 2.0)[:, None]
    margin = (mean + noise.normal(0, 1, (len(steps), 64))).astype(np.float32)
    general = np.clip(run.maps.step / 600, 0, 0.9)
    mass = np.stack([0.9 - general, general], axis=1)[:, :, None].repeat(len(run.truth.mapped), axis=2)
    return replace(
        run,
        contests=Contests(steps, margin, np.ones(len(steps), np.float32)),
        routes=RouteMass(np.array(["shallow", "general"]), run.maps.step, mass.astype(np.float32)),
    )
