"""Runs of two targets whose waiting times are said, not made by their curves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from helpers.hand_made import claiming
from helpers.maps import no_maps

from attnsearch.base import Curves, Heads, Plateaus, Truth
from attnsearch.runs.store import Status, StoredRun
from attnsearch.spec.run import RunSpec, Value, settings

BUDGET = 500


@pytest.fixture
def make_run(spec: RunSpec, truth: Truth) -> Callable[..., StoredRun]:
    """A run by its waiting times, each None for never; what else is given are knobs of its task."""

    def run(
        seed: int = 0,
        *,
        escape: int | None = 100,
        mastery: int | None = 300,
        found: Sequence[int | None] = (200, 250),
        diverged: bool = False,
        first_query: Sequence[float] = (1, 1, 1, 1),
        last_target: float = 0.2,
        **knobs: Value,
    ) -> StoredRun:
        task = replace(spec.cell.task, knobs=settings({**dict(spec.cell.task.knobs), **knobs}))
        budget = replace(spec.cell.budget, steps=BUDGET)
        loss = np.ones((len(first_query), 3), np.float32)
        loss[:, 0] = first_query
        loss[-1, 1:] = math.nan if diverged else last_target
        status: Status = "diverged" if diverged else "exhausted" if mastery is None else "mastered"
        maps = no_maps(np.zeros(1, np.int32), 2, 4)
        made = StoredRun(
            spec=replace(spec, cell=replace(spec.cell, task=task, budget=budget), seed=seed),
            status=status,
            environment={"devices": ["cpu"]},
            truth=truth,
            curves=Curves(np.arange(1, len(loss) + 1) * 10, loss, loss),
            maps=maps,
            heads=Heads.none(maps),
        )
        return claiming(made, plateau=_waits(escape), mastery=_waits(mastery), found=_waits(*found))

    return run


def _waits(*steps: int | None) -> Plateaus:
    """Lengths, each None where the budget was used up in vain."""
    length = [BUDGET if step is None else step for step in steps]
    return Plateaus(np.array(length), np.array([step is not None for step in steps]))
