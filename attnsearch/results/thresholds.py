"""How much the plateau depends on the rule by which it is measured: other thresholds, the same curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.table import Table

from attnsearch.base import Plateaus
from attnsearch.results.cells import Cell, named, plateau_of, varying
from attnsearch.runs.store import StoredRun
from attnsearch.stats.survival import Waiting, pool, summarise

THRESHOLDS = (0.9, 0.938, 0.95, 0.98)
"""Of escape, as fractions of chance."""


@dataclass(frozen=True)
class Sensitivity:
    """The plateau of one cell at each of some thresholds of escape, up to one horizon, the budget."""

    cell: Cell
    plateaus: tuple[tuple[float, Waiting], ...]


def sensitivity(cells: Sequence[Cell], thresholds: Sequence[float] = THRESHOLDS) -> list[Sensitivity]:
    """The plateaus of `cells` measured anew from their curves."""
    return [
        Sensitivity(
            cell,
            tuple(
                (
                    threshold,
                    summarise(pool(plateau_at(run, threshold) for run in cell.runs), cell.spec.budget.steps),
                )
                for threshold in thresholds
            ),
        )
        for cell in cells
    ]


def plateau_at(run: StoredRun, threshold: float) -> Plateaus:
    """A run's plateau length, `[1]`, had escape been below `threshold` of chance."""
    return plateau_of(run.under(replace(run.spec.cell.task.plateau, escape=threshold)))


def table(rows: Sequence[Sensitivity]) -> Table:
    """One row a cell, for a terminal: median and restricted mean at each threshold."""
    cells = [row.cell for row in rows]
    extra = varying(cells)
    shown = Table(title="Plateau length at other thresholds of escape", title_justify="left")
    for name in ["task", "mixer", *extra]:
        shown.add_column(name.replace("_", " "), overflow="fold")
    for threshold in [threshold for threshold, _ in rows[0].plateaus] if rows else []:
        shown.add_column(f"{threshold:g} of chance\nmedian, restricted mean", justify="right")
    for row in rows:
        shown.add_row(*named(row.cell, extra), *(_text(waiting) for _, waiting in row.plateaus))
    return shown


def _text(waiting: Waiting) -> str:
    median = "not reached" if waiting.median is None else f"{waiting.median:,.0f}"
    return f"{median}, {waiting.restricted_mean:,.0f} ± {waiting.restricted_mean_error:,.0f}"
