"""The tables of a study in long form: one row a cell, a run, a target of a run, a recorded point, or
an early signal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np

from attnsearch.base import Bools, Curves, Updates
from attnsearch.results.cells import Cell
from attnsearch.results.column import Column
from attnsearch.results.columns import columns
from attnsearch.results.early_signals import COLUMNS as OF_SIGNAL
from attnsearch.results.early_signals import EarlySignal
from attnsearch.results.records import Batch, Described, Records, rows_of
from attnsearch.results.run_columns import (
    DIGITS,
    OF_RUN,
    OF_TARGET,
    RUN,
    RUN_NAME,
    TARGET,
    RunRow,
    targets,
)
from attnsearch.runs.store import StoredRun
from attnsearch.spec.names import Names
from attnsearch.spec.run import PlateauRule, Value
from attnsearch.spec.settings import SETTINGS
from attnsearch.spec.task_file import shipped_tasks

POINT: tuple[Described, ...] = (
    Described("run", "", RUN_NAME),
    Described("step", "steps", "Steps done at the end of the recorded interval."),
    Described("query", "", "Number of the query from 0: a position at which the network answers."),
    Described("is_target", "", "Whether the query is a target; the others cannot be predicted."),
    Described("loss", "nats", "Loss of the query, mean over the interval."),
    Described("accuracy", "share", "Share of sequences answered right, mean over the interval."),
    Described(
        "update_norm",
        "",
        "Norm of the change that a step makes to all parameters, mean over the interval; the same for each"
        " query. Empty where it was not recorded.",
    ),
)
"""What a recorded point of a query has."""

Row = TypeVar("Row")
Declared = tuple[Described, Callable[[Row], Value]]
"""A column and the function that gives its value."""


def by_cell(cells: Sequence[Cell], names: Names, *more: Column[Cell]) -> Records:
    """One row a cell: its settings, every column, and `more` of your own."""
    declared = columns(cells, *more)
    settings = _settings(names, declared, lambda cell: names.facts(cell.spec))
    return rows_of(lambda: iter(cells), [*settings, *map(_declared, declared)])


def by_run(cells: Sequence[Cell], names: Names) -> Records:
    """One row a run: which it is, its settings, and what it has come to."""
    settings = _settings(names, [*RUN, *OF_RUN], lambda row: row.settings)
    declared = [*map(_declared, RUN), *settings, *map(_declared, OF_RUN)]
    return rows_of(lambda: run_rows(cells, names), declared)


def by_target(cells: Sequence[Cell], names: Names) -> Records:
    """One row a target of a run: which it is, the settings, and what has become of it."""
    settings = _settings(names, [*TARGET, *OF_TARGET], lambda row: row.of.settings)
    declared = [*map(_declared, TARGET), *settings, *map(_declared, OF_TARGET)]
    return rows_of(lambda: (one for row in run_rows(cells, names) for one in targets(row)), declared)


def by_point(runs: Sequence[StoredRun]) -> Records:
    """One row a recorded point of each query of each run, a run at a time. `run` leads to its settings."""

    def batches() -> Iterator[Batch]:
        nothing = np.zeros((0, 0), np.float32)
        curves = Curves(np.zeros(0, np.int32), nothing, nothing)
        none = _points("", curves, Updates.none(), np.zeros(0, bool))
        # Text even where there are no rows.
        yield {**none, "run": np.zeros(0, str)}
        for run in runs:
            yield _points(run.digest[:DIGITS], run.curves, run.updates, run.truth.is_target)

    return Records(POINT, batches)


def by_signal(signals: Sequence[EarlySignal]) -> Records:
    """One row an early signal at a step, of all cells together."""
    return rows_of(lambda: iter(signals), list(map(_declared, OF_SIGNAL)))


def run_rows(cells: Sequence[Cell], names: Names) -> Iterator[RunRow]:
    """The runs of `cells`, cell by cell."""
    return (RunRow.of(run, names.facts(cell.spec), cell.standing) for cell in cells for run in cell.runs)


def _points(name: str, curves: Curves, updates: Updates, is_target: Bools) -> Batch:
    recorded, queries = curves.loss.shape
    norm = updates.norm if len(updates.norm) else np.full(recorded, np.nan, np.float32)
    return {
        "run": np.full(recorded * queries, name, object),
        "step": np.repeat(curves.step, queries),
        "query": np.tile(np.arange(queries), recorded),
        "is_target": np.tile(is_target, recorded),
        "loss": curves.loss.ravel(),
        "accuracy": curves.accuracy.ravel(),
        "update_norm": np.repeat(norm, queries),
    }


def described(column: Column[Any]) -> Described:
    """What the dictionary says of a column."""
    return Described(column.key, column.unit, column.definition)


def _declared(column: Column[Row]) -> Declared[Row]:
    return described(column), column.value


def _settings(
    names: Names, columns: Sequence[Column[Row]], settings: Callable[[Row], Mapping[str, Value]]
) -> list[Declared[Row]]:
    """A column for each setting of some cells. One that is called like a column is named `setting.NAME`."""
    taken = {column.key for column in columns}
    meanings = _meanings(names)
    units = {"steps": "steps", "warmup_steps": "steps"}
    units |= {f"{threshold.name}_threshold": "share" for threshold in fields(PlateauRule)}

    def one(name: str) -> Declared[Row]:
        key = f"setting.{name}" if name in taken else name
        described = Described(key, units.get(name, ""), meanings.get(name, "A setting of the mixer."))
        return described, lambda row: settings(row).get(name)

    return [one(name) for name in dict.fromkeys(name for cell in names.cells for name in names.facts(cell))]


def _meanings(names: Names) -> dict[str, str]:
    """What settings mean, as the places say that declare them."""
    shipped = shipped_tasks()
    knobs: dict[str, str] = {}
    for cell in names.cells:
        declared = (
            {knob.name: knob.meaning for knob in file.knobs} if (file := shipped.get(cell.task.name)) else {}
        )
        for name, _ in cell.task.knobs:
            knobs.setdefault(name, declared.get(name, f"a knob of the task {cell.task.name}"))
    said = {
        **knobs,
        **{name: setting.meaning for name, setting in SETTINGS.items()},
        "task": "name of the task",
        "mixer": "name of the mixer",
        "generator": "the code that draws the task's sequences",
        **{
            f"{one.name}_threshold": f"{one.name} threshold, a share of chance" for one in fields(PlateauRule)
        },
    }
    return {name: f"{meaning[:1].upper()}{meaning[1:]}." for name, meaning in said.items()}
