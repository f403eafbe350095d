"""Runs of two cells that a baseline is made of."""

from __future__ import annotations

from attnsearch.gate.baseline import Baseline
from attnsearch.runs.store import StoredRun
from helpers.hand_made import run_of, spec_of

ELSEWHERE = {"device": "gpu", "devices": 1, "lanes": 8, "versions": {"jax": "0.9.0"}}


def made() -> list[StoredRun]:
    """Two cells of three runs: one diverges, one does not master, one was trained elsewhere."""
    return [
        run_of(spec_of(seed=0), [100, 110, 120, 130]),
        run_of(spec_of(seed=1), [100, 110, 120, None], environment=ELSEWHERE),
        run_of(spec_of(seed=2), [None] * 4, diverges=200),
        *(run_of(spec_of("mlp_mixer", seed), [80, 90, 100, 110]) for seed in range(3)),
    ]


def baseline() -> Baseline:
    """What is recorded of them."""
    return Baseline.of("mine", made())
