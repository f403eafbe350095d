"""How the plateaus of a series grow with the search space, or with another number: law and frontier, in words
and as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from attnsearch.results.cells import Cell
from attnsearch.results.series import Series
from attnsearch.results.table import Table, steps
from attnsearch.spec.names import Names, heading
from attnsearch.stats.axis import SEARCH_SPACE, Axis, Quantity
from attnsearch.stats.frontier import Frontier, Size, frontier
from attnsearch.stats.law_fit import fit
from attnsearch.stats.scaling_law import Law, NoLaw, Residual

SAME_SIZE = 0.01
"""Bits by which the two sizes of a search space differ where they are told apart."""


Counting = Literal["nominal", "cheapest route"]
"""How a search space is counted: as the task states the support, or for the cheapest route to each target."""


@dataclass(frozen=True, eq=False)
class Growth:
    """The law and the frontier of a series.

    size:  in which of two ways its search space is counted
    bits:  log2 of what the axis counts, for each cell of the series: of its search space unless told
    """

    series: Series
    size: Counting
    bits: tuple[float, ...]
    law: Law | NoLaw
    frontier: Frontier
    axis: Axis = SEARCH_SPACE

    @property
    def cells(self) -> tuple[Cell, ...]:
        """By ascending nominal search space."""
        return self.series.cells

    @property
    def title(self) -> str:
        """What it is about, and how its search space is counted if that needs saying."""
        title = self.series.title
        return title if self.size == "nominal" else f"{title}, search space of the cheapest routes"

    @property
    def residuals(self) -> tuple[Residual | None, ...]:
        """Of each cell; None without a law."""
        return (None,) * len(self.cells) if isinstance(self.law, NoLaw) else self.law.residuals


def growths(series: Sequence[Series]) -> tuple[Growth, ...]:
    """One for each of `series`, and one more where the cheapest routes are another size.

    A cell with a leaking run is left out.
    """
    found = []
    for whole in series:
        one = replace(whole, cells=tuple(cell for cell in whole.cells if cell.counts))
        if not one.cells:
            continue
        nominal = tuple(cell.bits for cell in one.cells)
        route = tuple(cell.route_bits for cell in one.cells)
        found.append(growth(one, "nominal", nominal))
        if any(abs(this - other) > SAME_SIZE for this, other in zip(nominal, route, strict=True)):
            found.append(growth(one, "cheapest route", route))
    return tuple(found)


def growth(series: Series, size: Counting, bits: tuple[float, ...], axis: Axis = SEARCH_SPACE) -> Growth:
    """The law and the frontier of `series` against `bits`, log2 of what `axis` counts."""
    law = fit(bits, [cell.lengths for cell in series.cells], axis)
    mastered = [cell.mastery.observed for cell in series.cells]
    edge = frontier(bits, mastered, [len(cell.runs) for cell in series.cells])
    return Growth(series, size, bits, law, edge, axis)


def sentences(growth: Growth) -> list[str]:
    """The law, whether it fits, and the frontier."""
    budget = growth.cells[0].spec.budget.steps
    return [*_law(growth.law), *_others(growth), _frontier(growth.frontier, growth.axis, budget)]


def _others(growth: Growth) -> list[str]:
    """What else its cells differ in, where the axis is one number and another goes with it."""
    axis = growth.axis
    if not isinstance(axis, Quantity):
        return []
    names = Names(cell.spec for cell in growth.cells)
    others = [heading(name) for name in names.differing if name != axis.key]
    # Of the context, it says what makes it.
    if not others or (len(others) == 1 and axis.key not in names.facts(growth.cells[0].spec)):
        return []
    return [f"The cells differ in {', '.join(others)} too; the factor is of all together."]


def _law(law: Law | NoLaw) -> list[str]:
    if isinstance(law, NoLaw):
        return [f"No law: {law.reason}."]
    factor, low, high = law.factors
    if law.fits is False:
        verdict = f"The law does not fit: {law.reason}. The interval above takes it for granted"
        if over_cells := law.factors_over_cells:
            ends = " to ".join(map(_factor, over_cells))
            verdict += f"; a line through the cells, each a single point, has {ends}"
        verdict += "."
    else:
        verdict = f"{law.reason[0].upper()}{law.reason[1:]}."
    power = law.axis.power(law.slope, law.slope_low, law.slope_high)
    return [
        f"Each {law.axis.each} multiplies the plateau by"
        f" {_factor(factor)}, 95 % {_factor(low)} to {_factor(high)}:"
        f" log plateau = {law.intercept:.2f} + {law.slope:.3f} x {law.axis.symbol} + {law.sigma:.2f} x noise"
        f" ({law.observed} of {law.runs} runs escaped).",
        *([] if power is None else [power]),
        verdict,
    ]


def _factor(factor: float) -> str:
    if math.isinf(factor):
        return "any number"
    return f"{factor:.2f}" if factor < 100 else f"{factor:.1e}"


def _frontier(edge: Frontier, axis: Axis, budget: int) -> str:
    within = f"within {budget:,} steps"
    reached, beyond = edge.reached, edge.beyond
    if reached is None:
        assert beyond is not None
        said = f"Frontier: below {axis.place(beyond.bits)}, the smallest tried: {_size(beyond)} {within}."
    elif beyond is None:
        said = f"Frontier: beyond {axis.place(reached.bits)}, the largest tried: {_size(reached)} {within}."
    else:
        said = (
            f"Frontier: {axis.place(reached.bits)}, and below {axis.value(beyond.bits)}:"
            f" {_size(reached)} {within}, {_size(beyond)} of the next size."
        )
    if edge.missed:
        said += f" The edge is not clear: fewer than half master {axis.place(*edge.missed)}."
    if not edge.settled:
        said += " The runs are too few to settle that."
    return said


def _size(size: Size) -> str:
    rate = size.mastered
    return f"{rate.count} of {rate.of} runs ({100 * rate.low:.0f} to {100 * rate.high:.0f} %) master it"


def table(growth: Growth) -> Table:
    """One row a cell: what was observed, and what the law says."""
    names = Names(cell.spec for cell in growth.cells)
    axis, task = growth.axis, growth.cells[0].spec.task
    knobs = [name for name, _ in task.knobs if name in names.differing and name != axis.key]
    numbers = (
        *(axis.heading, "runs", "escaped /\nmastered", "plateau length,\nmedian"),
        *("modelled,\ncell alone", "by the\nlaw", "over the\nlaw"),
    )
    rows = tuple(
        (
            *(names.value(cell.spec, name) for name in knobs),
            axis.value(bits),
            str(len(cell.runs)) + (f"\n{cell.diverged} diverged" if cell.diverged else ""),
            f"{cell.plateau.observed} / {cell.mastery.observed}",
            steps(cell.plateau.median),
            *_beside(residual),
        )
        for cell, bits, residual in zip(growth.cells, growth.bits, growth.residuals, strict=True)
    )
    headings = tuple(map(heading, knobs))
    return Table("", (*headings, *numbers), frozenset({*headings, *numbers}), rows, labels=len(knobs))


def _beside(residual: Residual | None) -> tuple[str, str, str]:
    if residual is None:
        return "", "", ""
    by_law = f"{residual.by_law:,.0f}"
    if residual.length is not None:
        return f"{residual.length:,.0f}", by_law, f"{residual.length / residual.by_law:.2f}"
    sign = "≤" if residual.observed else ">"
    bound = "" if residual.bound is None else f"{sign} {residual.bound:.2f}"
    return f"{sign} {residual.waited:,}", by_law, bound
