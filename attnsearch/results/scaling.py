"""How the plateaus of a set of runs grow with the search space: in words, as a table, as a JSON document."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rich.table import Table

from attnsearch.results.cells import Cell, plateau_of, varying
from attnsearch.results.cells import warnings as warnings_of_cells
from attnsearch.results.series import series
from attnsearch.spec.run import FORMAT_VERSION
from attnsearch.stats.scaling_law import Frontier, Law, NoLaw, Residual, Size, fit, frontier
from attnsearch.stats.survival import pool

SAME_SIZE = 0.01
"""Bits by which the two sizes of a search space differ where they are told apart."""


@dataclass(frozen=True)
class Growth:
    """The law and the frontier of a series, with its search space counted in one of two ways.

    name:   of the series
    cells:  by ascending nominal search space
    size:   counted as the task states the support, or for the cheapest route to each target
    bits:   the search space of each of `cells`, so counted
    """

    name: str
    cells: tuple[Cell, ...]
    size: Literal["nominal", "cheapest route"]
    bits: tuple[float, ...]
    law: Law | NoLaw
    frontier: Frontier

    @property
    def residuals(self) -> tuple[Residual | None, ...]:
        """Of each of `cells`; None where there is no law."""
        return (None,) * len(self.cells) if isinstance(self.law, NoLaw) else self.law.residuals


def growths(cells: Sequence[Cell]) -> list[Growth]:
    """One for each series of `cells`, and one more where the cheapest routes are another size."""
    found = []
    for name, members in series(cells).items():
        nominal = tuple(cell.bits for cell in members)
        route = tuple(cell.route_bits for cell in members)
        found.append(_growth(name, members, "nominal", nominal))
        if any(abs(one - other) > SAME_SIZE for one, other in zip(nominal, route, strict=True)):
            found.append(_growth(name, members, "cheapest route", route))
    return found


def _growth(
    name: str, cells: Sequence[Cell], size: Literal["nominal", "cheapest route"], bits: tuple[float, ...]
) -> Growth:
    law = fit(bits, [pool(plateau_of(run) for run in cell.runs) for cell in cells])
    edge = frontier(bits, [cell.mastery.observed for cell in cells], [len(cell.runs) for cell in cells])
    return Growth(name, tuple(cells), size, bits, law, edge)


def warnings(cells: Sequence[Cell]) -> list[str]:
    """What stands between these laws and a claim, one line each."""
    found = warnings_of_cells(cells)
    if diverged := sum(cell.diverged for cell in cells):
        found.append(
            f"{diverged} run{'s' * (diverged > 1)} diverged:"
            " such a run counts as censored at its budget unless it had escaped before"
        )
    return found


def title(growth: Growth) -> str:
    """What it is about, and how its search space is counted if that needs saying."""
    task = growth.cells[0].spec.task.name
    name = growth.name if growth.name.startswith(f"{task}, ") else f"{task}, {growth.name}"
    return name if growth.size == "nominal" else f"{name}, search space of the cheapest routes"


def sentences(growth: Growth) -> list[str]:
    """The law, whether it fits, and the frontier."""
    budget = growth.cells[0].spec.budget.steps
    return [*_law(growth.law), _frontier(growth.frontier, budget)]


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
    return [
        f"Each added bit multiplies the plateau by {_factor(factor)}, 95 % {_factor(low)} to {_factor(high)}:"
        f" log plateau = {law.intercept:.2f} + {law.slope:.3f} x bits + {law.sigma:.2f} x noise"
        f" ({law.observed} of {law.runs} runs escaped).",
        verdict,
    ]


def _factor(factor: float) -> str:
    if math.isinf(factor):
        return "any number"
    return f"{factor:.2f}" if factor < 100 else f"{factor:.1e}"


def _frontier(edge: Frontier, budget: int) -> str:
    within = f"within {budget:,} steps"
    reached, beyond = edge.reached, edge.beyond
    if reached is None:
        assert beyond is not None
        said = f"Frontier: below {beyond.bits:.1f} bits, the smallest tried: {_size(beyond)} {within}."
    elif beyond is None:
        said = f"Frontier: beyond {reached.bits:.1f} bits, the largest tried: {_size(reached)} {within}."
    else:
        said = (
            f"Frontier: {reached.bits:.1f} bits, and below {beyond.bits:.1f}:"
            f" {_size(reached)} {within}, {_size(beyond)} of the next size."
        )
    if edge.missed:
        smaller = ", ".join(f"{bits:.1f}" for bits in edge.missed)
        said += f" It is no clear edge: fewer than half master {smaller} bits."
    if not edge.settled:
        said += " The runs are too few to settle that."
    return said


def _size(size: Size) -> str:
    rate = size.mastered
    return f"{rate.count} of {rate.of} runs ({100 * rate.low:.0f} to {100 * rate.high:.0f} %) master it"


def table(growth: Growth) -> Table:
    """One row a cell: what was observed, and what the law says."""
    differing = varying(growth.cells)
    knobs = [name for name, _ in growth.cells[0].spec.task.knobs if name in differing]
    shown = Table()
    for name in knobs:
        shown.add_column(name.replace("_", " "))
    for heading in (
        "search space\n(bits)",
        "runs",
        "escaped /\nmastered",
        "plateau length (steps)\nmedian as recorded",
        "modelled,\ncell alone",
        "by the\nlaw",
        "over the\nlaw",
    ):
        shown.add_column(heading, justify="right")
    for cell, bits, residual in zip(growth.cells, growth.bits, growth.residuals, strict=True):
        flat, waiting = cell.spec.flat(), cell.plateau
        shown.add_row(
            *(str(flat.get(name, "")) for name in knobs),
            f"{bits:.1f}",
            str(len(cell.runs)) + (f" ({cell.diverged} diverged)" if cell.diverged else ""),
            f"{waiting.observed} / {cell.mastery.observed}",
            "not reached" if waiting.median is None else f"{waiting.median:,.0f}",
            *_beside(residual),
        )
    return shown


def _beside(residual: Residual | None) -> tuple[str, str, str]:
    if residual is None:
        return "", "", ""
    by_law = f"{residual.by_law:,.0f}"
    if residual.length is not None:
        return f"{residual.length:,.0f}", by_law, f"{residual.length / residual.by_law:.2f}"
    sign = "≤" if residual.observed else ">"
    bound = "" if residual.bound is None else f"{sign} {residual.bound:.2f}"
    return f"{sign} {residual.waited:,}", by_law, bound


def document(cells: Sequence[Cell]) -> dict[str, Any]:
    """Everything that is said, as JSON values."""
    return {
        "format_version": FORMAT_VERSION,
        "warnings": warnings(cells),
        "series": [
            {
                "name": growth.name,
                "size": growth.size,
                "budget_steps": growth.cells[0].spec.budget.steps,
                "law": _law_document(growth.law),
                "frontier": asdict(growth.frontier) | {"settled": growth.frontier.settled},
                "in_words": sentences(growth),
                "cells": [
                    {
                        **cell.spec.flat(),
                        "log2_search_space": bits,
                        "runs": len(cell.runs),
                        "escaped": cell.plateau.observed,
                        "mastered": cell.mastery.observed,
                        "diverged": cell.diverged,
                        "median_plateau_length": cell.plateau.median,
                        "median_in_model": None if residual is None else residual.length,
                        "median_by_law": None if residual is None else residual.by_law,
                        "factor": None if residual is None else residual.factor,
                    }
                    for cell, bits, residual in zip(growth.cells, growth.bits, growth.residuals, strict=True)
                ],
            }
            for growth in growths(cells)
        ],
    }


def _law_document(law: Law | NoLaw) -> dict[str, Any]:
    if isinstance(law, NoLaw):
        return {"fits": None, "reason": law.reason}
    names = ("runs", "observed", "intercept", "slope", "slope_low", "slope_high", "sigma")
    names += ("lack_of_fit", "curvature", "p_value", "fits", "reason")
    values = {name: getattr(law, name) for name in names}
    values |= zip(("factor", "factor_low", "factor_high"), law.factors, strict=True)
    values |= zip(
        ("factor_over_cells_low", "factor_over_cells_high"),
        law.factors_over_cells or (None, None),
        strict=True,
    )
    return {name: None if value in (math.inf, -math.inf) else value for name, value in values.items()}
