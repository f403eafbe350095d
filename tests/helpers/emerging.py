"""Runs of networks of several widths, each with targets of two search spaces, that nobody trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import Value
from helpers.hand_made import run_of, spec_of

EASY, HARD = 4.0, 10.0
"""Bits."""

Steps = Sequence[int | None]


def emerging(
    found: Mapping[int, Sequence[Steps]], learning_rate: float = 1e-3, mlp_width: Value = 512
) -> list[StoredRun]:
    """For each width, runs in which targets are found at these steps; None for never. The last target is of
    the `HARD` search space, and all others of the `EASY` one."""
    runs = []
    for width, each in found.items():
        for seed, steps in enumerate(each):
            run = run_of(
                spec_of(seed=seed, width=width, mlp_width=mlp_width, learning_rate=learning_rate), steps
            )
            bits = np.where(np.arange(len(steps)) < len(steps) - 1, EASY, HARD)
            runs.append(replace(run, truth=run.truth._replace(log2_search_space=bits)))
    return runs
