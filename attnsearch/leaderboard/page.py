"""A leaderboard as one HTML page: the tables, and the loss curves that every number in them comes from.

Numpy side; never imports jax.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from attnsearch.base import RECORDING_INTERVAL, Floats, plain
from attnsearch.leaderboard.board import Board, Family, Row
from attnsearch.leaderboard.entry import EntryCell, EntryRun
from attnsearch.leaderboard.tables import (
    apart,
    cell_table,
    choice_table,
    inversion_table,
    pair_table,
    rank,
    ranking,
    side_by_side,
    waiting,
)
from attnsearch.report.page import render
from attnsearch.results.table import Table, counted, steps
from attnsearch.runs.escape import escape_threshold
from attnsearch.spec.suite import Suite

WIDTH, HEIGHT = 480, 250
"""Of a chart, in units of its own; it is drawn about half as large."""

HIGHEST = 1.2
"""Shares of chance up to which a chart reaches; what lies above is drawn at its edge."""


@dataclass(frozen=True)
class Curve:
    """One run: a path through its mean target loss, and a sentence on how it ended."""

    path: str
    told: str


@dataclass(frozen=True)
class Chart:
    """The runs of one cell. `escape`: height of the escape threshold; `ticks`: places and texts of steps."""

    name: str
    told: str
    escape: int
    ticks: tuple[tuple[int, str], ...]
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class Curves:
    """The charts of one row, and the anchor that the row links to."""

    anchor: str
    name: str
    told: str
    charts: tuple[Chart, ...]


@dataclass(frozen=True)
class Section:
    """One family."""

    name: str
    anchor: str
    summary: str
    ranking: Table
    apart: Table
    others: tuple[Table, ...]
    pairs: Table
    ranked_curves: tuple[Curves, ...]
    apart_curves: tuple[Curves, ...]


def page(board: Board) -> str:
    """The page of `board`. The same arguments give the same text."""
    named = zip(board.families, board.family_names, strict=True)
    sections = tuple(_section(number, family, name) for number, (family, name) in enumerate(named))
    return render(
        "leaderboard.html.jinja",
        styles=("leaderboard.css",),
        scripts=(),
        data={},
        context={
            "version": version("attnsearch"),
            "title": f"Leaderboard: {plain(board.title)}",
            "suites": [suite.name for suite in board.suites],
            "overview": [_overview(suite, board) for suite in board.suites],
            "side_by_side": side_by_side(board),
            "inversions": inversion_table(board),
            "sections": sections,
            "left_out": board.left_out,
            "chart": {"width": WIDTH, "height": HEIGHT, "chance": _height(1.0), "floor": _height(0.0)},
        },
    )


def _overview(suite: Suite, board: Board) -> str:
    """What was asked of every mixer, in a few sentences."""
    families = [family for family in board.families if family.suite is suite]
    grid = ", ".join(f"{rate:g}" for rate in suite.learning_rates)
    chosen = (
        f"Each mixer is entered at its best learning rate of {grid}, chosen on"
        f" {len(set(suite.selection_seeds))} other seeds."
        if suite.chooses
        else f"Every mixer is trained at the learning rate {suite.learning_rates[0]:g}."
    )
    cells = sum(len(family.places) for family in families)
    ranked = max((len(family.ranked) for family in families), default=0)
    named = f"Suite {suite.name}: " if len(board.suites) > 1 else ""
    seeds = len(set(suite.seeds))
    return f"{named}{counted(ranked, 'mixer')} ranked, on {cells} cells with {seeds} seeds each. {chosen}"


def _section(number: int, family: Family, name: str) -> Section:
    curves = [_curves(f"curves-{number}-{index}", row) for index, row in enumerate(family.rows)]
    at = len(family.ranked)
    return Section(
        name=name,
        anchor=f"family-{number}",
        summary=_summary(family),
        ranking=ranking(family),
        apart=apart(family),
        others=tuple(table for table in (cell_table(family), choice_table(family)) if table.rows),
        pairs=pair_table(family),
        ranked_curves=tuple(curves[:at]),
        apart_curves=tuple(curves[at:]),
    )


def _summary(family: Family) -> str:
    if not family.ranked:
        return "No mixer is ranked yet."
    first = [row.name for row in family.ranked if row.rank == 1]
    if len(family.ranked) == 1:
        return f"{first[0]} is the only one ranked."
    if len(first) == len(family.ranked):
        return f"Nothing separates the {len(first)} mixers."
    return f"Ahead: {', '.join(first)}."


def _curves(anchor: str, row: Row) -> Curves:
    place = "listed apart" if row.rank is None else f"rank {rank(row)}"
    environment = ", ".join(f"{name} {value}" for name, value in row.entry.environment.items())
    cells = sorted(row.cells, key=lambda cell: cell.bits)
    return Curves(
        anchor,
        row.name,
        f"{place}, {row.candidate.source}; {environment}",
        tuple(_chart(cell) for cell in cells),
    )


def _chart(cell: EntryCell) -> Chart:
    knobs = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in cell.spec.task.knobs)
    budget = cell.spec.budget.steps
    return Chart(
        name=f"{knobs or cell.spec.task.name}: {cell.bits:.1f} bits",
        told=_summed(cell),
        escape=_height(escape_threshold(cell.spec.task).share),
        ticks=tuple((_across(step, budget), f"{step:,}") for step in _ticks(budget)),
        curves=tuple(Curve(_path(run.loss / cell.chance_loss, budget), _told(run)) for run in cell.runs),
    )


def _summed(cell: EntryCell) -> str:
    escaped, mastered = int(cell.plateau.observed.sum()), int(cell.mastery.observed.sum())
    if not escaped:
        return f"none of {len(cell.runs)} escaped"
    median = waiting(cell).median
    return (
        f"{escaped} of {len(cell.runs)} escaped, {mastered} mastered;"
        f" median {steps(median)}{'' if median is None else ' steps'}"
    )


def _told(run: EntryRun) -> str:
    plateau, mastery = run.plateau, run.mastery
    escaped = f"escaped at step {plateau.length[0]:,}" if plateau.observed[0] else "did not escape"
    mastered = f", mastered at {mastery.length[0]:,}" if mastery.observed[0] else ""
    return f"seed {run.spec.seed}: {escaped}{mastered}{', diverged' if run.status == 'diverged' else ''}"


def _ticks(budget: int) -> list[int]:
    """Powers of ten, as far as their texts leave room for the budget's, and the budget."""
    powers = [10**power for power in range(1, 10) if _across(10**power, budget) <= WIDTH - 100]
    return [*powers, budget]


def _across(step: float, budget: int) -> int:
    """Steps on a logarithmic axis."""
    first, last = np.log(RECORDING_INTERVAL), np.log(max(budget, 2 * RECORDING_INTERVAL))
    return round(float((np.log(step) - first) / (last - first)) * WIDTH)


def _height(share: float) -> int:
    return round((1 - share / HIGHEST) * HEIGHT)


def _path(shares: Floats, budget: int) -> str:
    """Through one point for each unit across, those left out that lie on a level line."""
    points: dict[int, int] = {}
    for index, share in enumerate(np.clip(shares, 0.0, HIGHEST)):
        points[_across(RECORDING_INTERVAL * (index + 1), budget)] = _height(float(share))
    across, up = list(points), list(points.values())
    kept = [
        index
        for index in range(len(across))
        if index in (0, len(across) - 1) or not up[index - 1] == up[index] == up[index + 1]
    ]
    return "".join(f"{'L' if index else 'M'}{across[index]} {up[index]}" for index in kept)
