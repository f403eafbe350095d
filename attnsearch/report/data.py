"""What the charts of a report draw, as JSON values: series, cells, runs, laws, Kaplan-Meier curves.

Numpy side; never imports jax.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from attnsearch.base import Plateaus
from attnsearch.report.run_detail import details
from attnsearch.results.cells import Cell, in_words, middle_run, plateau_of, varying
from attnsearch.results.series import series
from attnsearch.results.table import steps
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import CellSpec
from attnsearch.stats.survival import pool, summarise, survival_curve


class Labels:
    """What the cells of a report are called, in words that tell them apart.

    series:  the name of each cell's series, by its specification
    """

    def __init__(self, cells: Sequence[Cell]):
        self._several_tasks = len({cell.spec.task.name for cell in cells}) > 1
        self._telling = varying(cells)
        self.series = {cell.spec: name for name, members in series(cells).items() for cell in members}

    def place(self, spec: CellSpec) -> str:
        """The task by the knobs in which cells differ: `state size 8, support size 3`; by its name, where
        they do not."""
        knobs = [in_words(name, value) for name, value in spec.task.knobs if name in self._telling]
        task = [spec.task.name] if self._several_tasks or not knobs else []
        return ", ".join([*task, *knobs])

    def cell(self, spec: CellSpec) -> str:
        """Place and series."""
        return f"{self.place(spec)}; {self.series[spec]}"


def plateaus(runs: Sequence[StoredRun]) -> Plateaus:
    """The plateau lengths of `runs`, with their censoring."""
    return pool(plateau_of(run) for run in runs)


def document(cells: Sequence[Cell], labels: Labels) -> dict[str, Any]:
    """What the scripts of a report draw but for the laws."""
    runs = [run for cell in cells for run in cell.runs]
    number = {run: index for index, run in enumerate(runs)}
    names = list(dict.fromkeys(labels.series.values()))
    middles = [middle_run(cell) for cell in cells]
    # Attention weights go to the middle run of each cell first.
    ordered = list(dict.fromkeys([*middles, *runs]))
    detail = dict(zip(ordered, details(ordered), strict=True))
    return {
        "series": names,
        "cells": [
            {
                "name": labels.cell(cell.spec),
                "series": names.index(labels.series[cell.spec]),
                "bits": round(cell.bits, 6),
                "median": cell.plateau.median,
                "budget": cell.spec.budget.steps,
                "rule": {"found": cell.spec.task.plateau.found, "mastery": cell.spec.task.plateau.mastery},
                "runs": [number[run] for run in cell.runs],
            }
            for cell in cells
        ],
        "runs": [_run(run, index, detail[run]) for index, cell in enumerate(cells) for run in cell.runs],
        # The widest search tells most.
        "start": number[middles[max(range(len(cells)), key=lambda index: cells[index].bits)]],
        "summary": _summary(cells, labels),
        "survival": _survival(cells, labels, names),
    }


def _run(run: StoredRun, cell: int, detail: Mapping[str, Any]) -> dict[str, Any]:
    measures, plateau = run.measures, plateau_of(run)
    steps, observed = measures.found
    found = [step if was else None for step, was in zip(steps.tolist(), observed, strict=True)]
    known = steps[observed]
    at = np.unique(known)
    return {
        "cell": cell,
        "seed": run.spec.seed,
        "status": run.status,
        "plateau": int(plateau.length[0]),
        "escaped": bool(plateau.observed[0]),
        "mastery": measures.mastery_step,
        "mastered": measures.mastered,
        # Step by step of the targets that have a row of the map, and in sum of all.
        "found": [found[target] for target in run.truth.mapped],
        "targets": len(found),
        "counts": [[int(step), int((known <= step).sum())] for step in at],
        "digest": run.spec.digest,
        "detail": detail,
    }


def _summary(cells: Sequence[Cell], labels: Labels) -> str:
    medians = "; ".join(f"{labels.cell(cell.spec)}: {steps(cell.plateau.median)}" for cell in cells)
    runs = sum(len(cell.runs) for cell in cells)
    return f"Plateau length of {runs} runs against search space. Medians in steps: {medians}."


def _survival(cells: Sequence[Cell], labels: Labels, names: Sequence[str]) -> dict[str, Any]:
    """Curves, and the views that choose among them: by series, by cell, and parts of a larger grid."""
    curves: list[dict[str, Any]] = []
    views: list[dict[str, Any]] = []

    def view(name: str, parts: Mapping[str, Sequence[Cell]]) -> None:
        numbers = range(len(curves), len(curves) + len(parts))
        curves.extend(
            _curve(label, names.index(labels.series[part[0].spec]), part) for label, part in parts.items()
        )
        described = "; ".join(f"{curves[number]['name']}: {curves[number]['text']}" for number in numbers)
        views.append({"name": name, "curves": list(numbers), "summary": f"Runs still searching. {described}"})

    by_series = series(cells)
    places: dict[str, list[Cell]] = {}
    for cell in cells:
        places.setdefault(labels.place(cell.spec), []).append(cell)
    if len(by_series) < len(cells):
        view("by mixer, all cells together", by_series)
    view("by cell", {labels.cell(cell.spec): [cell] for cell in cells})
    if len(by_series) > 1 and len(places) > 1:
        for place, part in places.items():
            view(f"mixers at {place}", {labels.series[cell.spec]: [cell] for cell in part})
        for name, part in by_series.items():
            view(f"cells of {name}", {labels.place(cell.spec): [cell] for cell in part})
    return {"curves": curves, "views": views}


def _curve(name: str, index: int, cells: Sequence[Cell]) -> dict[str, Any]:
    lengths = plateaus([run for cell in cells for run in cell.runs])
    curve, waiting = survival_curve(lengths), summarise(lengths)
    levels = np.concatenate([[1.0], curve.survival])
    censored = np.unique(lengths.length[~lengths.observed])
    at = np.searchsorted(curve.step, censored, side="right")
    median = steps(waiting.median) + ("" if waiting.median is None else " steps")
    return {
        "name": name,
        "series": index,
        "step": curve.step.tolist(),
        **{end: np.round(getattr(curve, end), 5).tolist() for end in ("survival", "low", "high")},
        "censored": [[int(step), round(float(levels[k]), 5)] for step, k in zip(censored, at, strict=True)],
        "first": int(lengths.length.min()),
        "last": int(lengths.length.max()),
        "median": waiting.median,
        "text": f"{waiting.observed} of {waiting.runs} escaped, median {median}",
    }
