"""The tables of a study: which columns each shows, by their keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from attnsearch.results.cells import Cell
from attnsearch.results.column import Column
from attnsearch.results.columns import COLUMNS
from attnsearch.results.early_signals import COLUMNS as OF_SIGNAL
from attnsearch.results.emergence_table import emergence_tables
from attnsearch.results.long_form import run_rows
from attnsearch.results.route_columns import ROUTES, competes
from attnsearch.results.run_columns import OF_RUN, OF_TARGET, RUN, TARGET, RunRow, targets
from attnsearch.results.study import Study
from attnsearch.results.table import Table
from attnsearch.spec.names import heading
from attnsearch.spec.run import CellSpec

Row = TypeVar("Row")

TRAINED = (
    *("plateau_length_median", "mastery_step_median", "escape_rate", "mastery_rate", "log2_search_space"),
    *("log2_search_space_of_cheapest_routes", "diverged", "leaking", "prediction_loss", "in_context_gain"),
)
"""What a command shows of the runs it has trained, by key. Escape and mastery stand first: on a narrow screen
the columns that follow are a part of their own."""

WAITED = (
    *("log2_search_space", "log2_search_space_of_cheapest_routes", "runs", "leaking"),
    *("escape_below", "escape_rate", "mastery_rate"),
    *("plateau_length_median", "plateau_length_restricted_mean", "plateau_length_spread"),
    *("found_step_median", "mastery_step_median"),
)
"""How long runs waited."""

TARGETS = (
    *("targets_found", "found_early", "found_middle", "found_late"),
    *("found_spread_within_runs", "found_spread_between_runs"),
)
"""When targets are found."""

READ = ("map_mass", "rises", "lead", "attention_mass", "entropy", "in_context_gain")
"""What the runs that escaped read."""


MOST_WATCHED = 1_000
"""Runs whose early signals are shown unasked. They need every curve and every map, where the rest is known
from an index."""


def cell_table(
    study: Study, caption: str, keys: Sequence[str], *more: Column[Cell], ending: str = ""
) -> Table:
    """One row a cell: the settings in which cells differ, then the columns of these `keys`, then `more`.

    What all cells have in common is said once, in the caption before its `ending`.
    """
    names, cells = study.names, study.cells
    known = {column.key: column for column in COLUMNS}
    chosen = [*(known[key] for key in keys), *more]
    chosen = [column for column in chosen if any(map(column.shown, cells))]
    said = f": {names.shared}" if names.shared else ""
    aligned = [name for name in names.telling if names.is_number(name)]
    return Table(
        f"{caption}{said}{ending}",
        (*map(heading, names.telling), *(column.heading for column in chosen)),
        frozenset([*map(heading, aligned), *(column.heading for column in chosen if column not in more)]),
        tuple(
            (
                *(names.value(cell.spec, name) for name in names.telling),
                *(column.text(cell) for column in chosen),
            )
            for cell in cells
        ),
        labels=len(names.telling),
    )


def trained_table(study: Study) -> Table:
    """What a command shows of the runs it has trained."""
    return cell_table(study, "Plateau length and mastery in steps, with 95 % intervals", TRAINED)


def tables(study: Study) -> tuple[Table, ...]:
    """How long the runs of each cell waited, when targets were found, and what the runs read; where routes
    compete, which one they took; where networks differ in a size, when targets emerge against it; where there
    are seeds enough, and not too many, what early signals tell."""
    found = [
        cell_table(study, "Plateau length in steps, with 95 % intervals", WAITED),
        cell_table(study, "Steps at which targets are found, with 95 % intervals over runs", TARGETS),
        cell_table(study, "What the runs that escaped read at their ends, and by chance", READ),
    ]
    if any(map(competes, study.cells)):
        found.append(cell_table(study, "Which of two routes runs took", ROUTES))
    found.extend(emergence_tables(study.emergences))
    if len(study.runs) <= MOST_WATCHED and (signals := signal_table(study)) is not None:
        found.append(signals)
    return tuple(found)


def signal_table(study: Study) -> Table | None:
    """One row an early signal at a step; None where no cell has seeds enough."""
    columns = [column for column in OF_SIGNAL if column.heading]
    headings = tuple(column.heading for column in columns)
    if not study.early_signals:
        return None
    return Table(
        "Early signals: rank correlation with the steps until a target is found, within cells, in runs that"
        " have not escaped",
        headings,
        frozenset(headings) - {"signal", "does it tell?"},
        tuple(tuple(column.text(one) for column in columns) for one in study.early_signals),
        labels=2,
    )


def run_table(study: Study, *more: Column[RunRow]) -> Table:
    """One row a run, with `more` columns of words at its end."""
    rows = [(row, row.run.spec.cell) for row in run_rows(study.cells, study.names)]
    return _long(study, "Every run; > marks a censored one", RUN, (*OF_RUN, *more), rows, more)


def target_table(study: Study) -> Table:
    """One row a target of a run."""
    rows = [
        (target, row.run.spec.cell) for row in run_rows(study.cells, study.names) for target in targets(row)
    ]
    return _long(study, "Every target of every run; > marks a censored one", TARGET, OF_TARGET, rows)


def _long(
    study: Study,
    caption: str,
    first: Sequence[Column[Row]],
    then: Sequence[Column[Row]],
    rows: Sequence[tuple[Row, CellSpec]],
    said: Sequence[Column[Row]] = (),
) -> Table:
    """The columns with a heading, the settings in which cells differ between them; `said` holds words."""
    names = study.names
    before, after = (
        [column for column in some if column.heading and any(column.shown(row) for row, _ in rows)]
        for some in (first, then)
    )
    words = frozenset(
        [
            *("run", "status"),
            *(heading(name) for name in names.telling if not names.is_number(name)),
            *(column.heading for column in said),
        ]
    )
    headings = (
        *(column.heading for column in before),
        *map(heading, names.telling),
        *(column.heading for column in after),
    )
    return Table(
        caption + (f": {names.shared}" if names.shared else ""),
        headings,
        frozenset(headings) - words,
        tuple(
            (
                *(column.text(row) for column in before),
                *(names.value(cell, name) for name in names.telling),
                *(column.text(row) for column in after),
            )
            for row, cell in rows
        ),
        labels=len(before) + len(names.telling),
    )
