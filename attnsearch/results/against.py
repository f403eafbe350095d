"""How plateaus grow with a knob of the task, with the context, or with a size of the network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from attnsearch.base import AttnsearchError, nearest
from attnsearch.results.cells import Cell
from attnsearch.results.network_sizes import network_series, network_sizes
from attnsearch.results.scaling import Growth, growth
from attnsearch.results.series import Series, series
from attnsearch.runs.coverage import context_length
from attnsearch.spec.names import heading
from attnsearch.stats.axis import Quantity

CONTEXT = "context_length"
"""Tokens of a sequence, which follow from the knobs."""


def growths_against(cells: Sequence[Cell], name: str) -> tuple[Growth, ...]:
    """One law for each series of the cells that have this number: by their tasks' knobs, as the context, or
    among the sizes of their networks and mixers.

    Cells of a series differ in knobs that make the number. A knob that leaves it as it is keeps series apart.
    Where it is a size of the network, they differ in nothing else. A cell with a leaking run is left out.
    AttnsearchError where no cell has it, or where it is not above 0.
    """
    sizes = {cell: number for cell in cells if (number := _number(cell, name)) is not None}
    if not sizes:
        of_networks = {cell: network_sizes(cell.spec) for cell in cells}
        sizes = {cell: named[name] for cell, named in of_networks.items() if name in named}
        if not sizes:
            known = {knob for cell in cells for knob, _ in cell.spec.task.knobs if _number(cell, knob)}
            known |= {size for named in of_networks.values() for size in named}
            raise AttnsearchError(f"no cell has a number {name!r}.{nearest(name, known | {CONTEXT})}")
        return _growths(network_series(list(sizes), name), name, sizes)
    for cell, number in sizes.items():
        if number <= 0:
            raise AttnsearchError(
                f"{name} is {number:g} in cells of {cell.spec.task.name}, and its log2 makes no law."
                f" Give runs in which it is above 0, or --against {CONTEXT}"
            )
    return _growths(series(list(sizes), lambda cell: math.log2(sizes[cell])), name, sizes)


def _growths(wholes: Sequence[Series], name: str, sizes: Mapping[Cell, float]) -> tuple[Growth, ...]:
    axis = Quantity(name, heading(name))
    found = []
    for whole in wholes:
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
