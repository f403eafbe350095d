"""The Kaplan-Meier curves of a report, and the views that choose among them, as JSON values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from attnsearch.results.cells import Cell
from attnsearch.results.study import Study
from attnsearch.results.table import steps
from attnsearch.stats.survival import pool, summarise, survival_curve


def survival(study: Study) -> dict[str, Any]:
    """Curves, and the views that choose among them: by series, by cell, and parts of a larger grid."""
    names, series = study.names, study.series
    numbers = {cell.spec: index for index, one in enumerate(series) for cell in one.cells}
    curves: list[dict[str, Any]] = []
    views: list[dict[str, Any]] = []

    def view(name: str, parts: Mapping[str, Sequence[Cell]]) -> None:
        indices = range(len(curves), len(curves) + len(parts))
        curves.extend(_curve(label, numbers[part[0].spec], part) for label, part in parts.items())
        described = "; ".join(f"{curves[index]['name']}: {curves[index]['text']}" for index in indices)
        views.append({"name": name, "curves": list(indices), "summary": f"Runs still searching. {described}"})

    places: dict[str, list[Cell]] = {}
    for cell in study.cells:
        places.setdefault(names.place(cell.spec), []).append(cell)
    if len(series) < len(study.cells):
        view("by mixer, all cells together", {one.name: one.cells for one in series})
    view("by cell", {study.name(cell): [cell] for cell in study.cells})
    if len(series) > 1 and len(places) > 1:
        for place, part in places.items():
            view(f"mixers at {place}", {series[numbers[cell.spec]].name: [cell] for cell in part})
        for one in series:
            view(f"cells of {one.name}", {names.place(cell.spec): [cell] for cell in one.cells})
    return {"curves": curves, "views": views}


def _curve(name: str, series: int, cells: Sequence[Cell]) -> dict[str, Any]:
    lengths = pool(cell.lengths for cell in cells)
    curve, waiting = survival_curve(lengths), summarise(lengths)
    levels = np.concatenate([[1.0], curve.survival])
    censored = np.unique(lengths.length[~lengths.observed])
    at = np.searchsorted(curve.step, censored, side="right")
    median = steps(waiting.median) + ("" if waiting.median is None else " steps")
    return {
        "name": name,
        "series": series,
        "step": curve.step.tolist(),
        **{end: np.round(getattr(curve, end), 5).tolist() for end in ("survival", "low", "high")},
        "censored": [[int(step), round(float(levels[k]), 5)] for step, k in zip(censored, at, strict=True)],
        "first": int(lengths.length.min()),
        "last": int(lengths.length.max()),
        "median": waiting.median,
        "text": f"{waiting.observed} of {waiting.runs} escaped, median {median}",
    }
