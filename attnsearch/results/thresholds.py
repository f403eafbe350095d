"""How much the plateau depends on the rule by which it is measured: other thresholds, the same curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attnsearch.base import Plateaus
from attnsearch.results.cells import Cell
from attnsearch.results.table import NONE, Table, steps
from attnsearch.runs.store import StoredRun
from attnsearch.runs.summary import escapes_below
from attnsearch.spec.names import Names, heading, written
from attnsearch.stats.survival import Waiting, summarise

THRESHOLDS = (0.9, 0.938, 0.95, 0.98)
"""Of escape, as fractions of chance."""


@dataclass(frozen=True)
class Sensitivity:
    """The plateau of one cell at each of some thresholds of escape, up to one horizon, the budget."""

    cell: Cell
    plateaus: tuple[tuple[float, Waiting], ...]


def sensitivity(cells: Sequence[Cell], thresholds: Sequence[float] = THRESHOLDS) -> list[Sensitivity]:
    """The plateaus of `cells` measured anew from their curves."""
    return [_sensitivity(cell, thresholds) for cell in cells]


def _sensitivity(cell: Cell, thresholds: Sequence[float]) -> Sensitivity:
    horizon = cell.spec.budget.steps
    return Sensitivity(
        cell, tuple((one, summarise(plateaus_at(cell.runs, one), horizon)) for one in thresholds)
    )


def plateaus_at(runs: Sequence[StoredRun], threshold: float) -> Plateaus:
    """`[N]`: the plateau length of each run, had escape been below `threshold` of chance, whatever
    shortcuts reach."""
    summaries = [run.summary for run in runs]
    chance = np.array([one.chance_loss for one in summaries])
    plateaus = escapes_below(summaries, threshold * chance)
    diverged = np.array([run.status == "diverged" for run in runs]) & ~plateaus.observed
    budgets = np.array([run.spec.cell.budget.steps for run in runs])
    return plateaus._replace(length=np.where(diverged, budgets, plateaus.length))


def table(rows: Sequence[Sensitivity]) -> Table:
    """One row a cell: median and restricted mean at each threshold."""
    names = Names(row.cell.spec for row in rows)
    thresholds = [threshold for threshold, _ in rows[0].plateaus] if rows else []
    numbers = [f"{written(threshold)} of chance" for threshold in thresholds]
    said = f": {names.shared}" if names.shared else ""
    return Table(
        f"Plateau length at other thresholds of escape, median and restricted mean{said}",
        (*map(heading, names.telling), *numbers),
        frozenset([*map(heading, filter(names.is_number, names.telling)), *numbers]),
        tuple(
            (
                *(names.value(row.cell.spec, name) for name in names.telling),
                *(_text(row.cell, waiting) for _, waiting in row.plateaus),
            )
            for row in rows
        ),
        labels=len(names.telling),
    )


def _text(cell: Cell, waiting: Waiting) -> str:
    mean, error = waiting.restricted_mean, waiting.restricted_mean_error
    if waiting.observed:
        return f"{steps(waiting.median)}\n{mean:,.0f} ± {error:,.0f}"
    return NONE if cell.lost else f"{steps(waiting.median)}\nnone escaped"
