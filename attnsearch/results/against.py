"""How plateaus grow with a knob of the task, or with the context."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from attnsearch.base import AttnsearchError, nearest
from attnsearch.results.cells import Cell
from attnsearch.results.scaling import Growth, growth
from attnsearch.results.series import series
from attnsearch.runs.coverage import context_length
from attnsearch.spec.names import heading
from attnsearch.stats.axis import Quantity

CONTEXT = "context_length"
"""Tokens of a sequence, which follow from the knobs."""


def growths_against(cells: Sequence[Cell], name: str) -> tuple[Growth, ...]:
    """One law for each series of the cells that have this number, by their tasks' knobs or as the context.

    Cells of a series differ in knobs that make the number. A knob that leaves it as it is keeps series apart.
    A cell with a leaking run is left out. AttnsearchError where no cell has it, or where it is not above 0.
    """
    sizes = {cell: number for cell in cells if (number := _number(cell, name)) is not None}
    if not sizes:
        knobs = {knob for cell in cells for knob, _ in cell.spec.task.knobs if _number(cell, knob)}
        raise AttnsearchError(f"no cell has a number {name!r}.{nearest(name, knobs | {CONTEXT})}")
    for cell, number in sizes.items():
        if number <= 0:
            raise AttnsearchError(
                f"{name} is {number:g} in cells of {cell.spec.task.name}, and its log2 makes no law."
                f" Give runs in which it is above 0, or --against {CONTEXT}"
            )
    axis = Quantity(name, heading(name))
    found = []
    for whole in series(list(sizes), lambda cell: math.log2(sizes[cell])):
        one = replace(whole, cells=tuple(cell for cell in whole.cells if cell.counts))
        if one.cells:
            found.append(growth(one, "nominal", tuple(math.log2(sizes[cell]) for cell in one.cells), axis))
    return tuple(found)


def _number(cell: Cell, name: str) -> float | None:
    """A knob that is a number, or the context; None where the cell has none."""
    value = dict(cell.spec.task.knobs).get(name)
    if value is None and name == CONTEXT:
        value = context_length(cell.spec.task)
    return None if value is None or isinstance(value, str | bool) else float(value)
