"""Runs whose waiting times are said or made by their curves, and a study of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from helpers.hand_made import claiming, run_of, spec_of
from helpers.maps import no_maps

from attnsearch.base import Curves, Heads, Plateaus, Truth
from attnsearch.results.study import Study
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


@pytest.fixture(scope="session")
def runs() -> list[StoredRun]:
    """Four runs of one size, of which three escape, and two of another, of which none does."""
    escapes = enumerate((20, 30, 40, None))
    found = [run_of(spec_of(seed=seed, steps=80), [escape] * 4, heads=3) for seed, escape in escapes]
    larger = [spec_of(seed=seed, state_size=5, steps=80) for seed in range(2)]
    return [*found, *(run_of(spec, [None] * 5) for spec in larger)]


@pytest.fixture(scope="session")
def study(runs: list[StoredRun]) -> Study:
    return Study(runs)


def _waits(*steps: int | None) -> Plateaus:
    """Lengths, each None where the budget was used up in vain."""
    length = [BUDGET if step is None else step for step in steps]
    return Plateaus(np.array(length), np.array([step is not None for step in steps]))
