"""What the charts of a report draw, as JSON values: series, cells, runs, laws."""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from dataclasses import replace
from typing import Any

import numpy as np

from attnsearch.base import plain
from attnsearch.report.folders import Folders
from attnsearch.report.run_detail import details
from attnsearch.report.training import Training
from attnsearch.results.cells import Cell, plateau_of
from attnsearch.results.early_signals import HALVES
from attnsearch.results.scaling import Growth
from attnsearch.results.study import Study
from attnsearch.runs.store import StoredRun
from attnsearch.spec.names import heading
from attnsearch.stats.scaling_law import Law

DEVIATIONS = 1.6449
"""Nine values in ten of a normal distribution lie within so many standard deviations of its middle."""


def document(
    study: Study, folders: Folders, training: Training | None = None, most: int | None = None
) -> dict[str, Any]:
    """Everything that the scripts of a report draw.

    training:  runs that have not ended, of which there is at least one where `study` has none
    most:      about as many runs are held one by one, see `held_runs`; all of them unless given
    """
    ended, unfinished = study, frozenset[StoredRun]()
    if training is not None:
        study, unfinished = training.with_ended(study), frozenset(one.run for one in training.runs)
    names = study.names
    held = held_runs(study, unfinished, most)
    runs = [run for cell in study.cells for run in held[cell]]
    number = {run: index for index, run in enumerate(runs)}
    series = {cell: index for index, one in enumerate(study.series) for cell in one.cells}
    series_of = {(cell.spec, cell.folder): index for cell, index in series.items()}
    keys = folders.keys(runs)
    middle = {cell: _middle_run(cell, unfinished) for cell in study.cells}
    # The widest search tells most: the page opens at its middle run.
    start = middle[max(study.cells, key=lambda cell: cell.bits)]
    # Attention weights go to the middle run of each cell first.
    ordered = list(dict.fromkeys([start, *middle.values(), *runs]))
    detail = dict(zip(ordered, details(ordered), strict=True))
    return {
        "series": [one.name for one in study.series],
        "cells": [
            {
                "name": study.name(cell),
                "series": series[cell],
                "bits": round(cell.bits, 6),
                "facts": {heading(name): names.value(cell.spec, name) for name in names.telling},
                "budget": cell.spec.budget.steps,
                "rule": {"found": cell.spec.task.plateau.found, "mastery": cell.spec.task.plateau.mastery},
                "runs": [number[run] for run in held[cell]],
                "others": [_waiting(run) for run in cell.runs if run not in number],
                "middle": number[middle[cell]],
            }
            for cell in study.cells
        ],
        "folders": list(map(plain, folders.names)),
        "runs": [
            {
                **_run(run, index, detail[run], unfinished),
                "key": keys[run],
                "folders": list(folders.of.get(run, ())),
            }
            for index, cell in enumerate(study.cells)
            for run in held[cell]
        ],
        "start": number[start],
        "laws": [
            {"series": series_of[growth.cells[0].spec, growth.cells[0].folder], **_law(growth)}
            for growth in ended.laws
            if growth.size == "nominal"
        ],
        # They need every curve and every map of all runs.
        "signals": _signals(ended) if len(runs) == len(study.runs) else [],
        **({} if training is None else _live(training, number)),
    }


def held_runs(
    study: Study, unfinished: Set[StoredRun], most: int | None
) -> dict[Cell, tuple[StoredRun, ...]]:
    """Of each cell the runs that a page holds one by one, about `most` of all, in their order.

    Held are the `unfinished` ones and the middle run of each cell. A cell's share is filled by its first
    seeds, which say nothing of how a run went.
    """
    if most is None or len(study.runs) <= most:
        return {cell: cell.runs for cell in study.cells}
    share = max(1, most // len(study.cells))
    held = dict[Cell, tuple[StoredRun, ...]]()
    for cell in study.cells:
        first = {run for run in cell.runs if run in unfinished} | {_middle_run(cell, unfinished)}
        others = sorted((run for run in cell.runs if run not in first), key=lambda run: run.spec.seed)
        first.update(others[: max(0, share - len(first))])
        held[cell] = tuple(run for run in cell.runs if run in first)
    return held


def _waiting(run: StoredRun) -> list[int]:
    """Of a run that is not held: the steps until escape, or steps trained, and whether it escaped."""
    plateau = plateau_of(run)
    return [int(plateau.length[0]), int(plateau.observed[0])]


def _signals(study: Study) -> list[dict[str, Any]]:
    """A chart for each early signal: its name, and its points as step, whether it tells, and for either half
    of the seeds value, low end, high end, runs and pairs."""
    rows = study.early_signals
    return [
        {
            "name": signal.name,
            "halves": HALVES,
            "points": [
                {
                    "step": row.step,
                    "tells": row.tells,
                    "verdict": row.verdict,
                    "halves": [
                        [round(half.value, 4), round(half.low, 4), round(half.high, 4), half.runs, half.pairs]
                        for half in row.halves
                    ],
                }
                for row in rows
                if row.signal == signal
            ],
        }
        for signal in dict.fromkeys(row.signal for row in rows)
    ]


def _middle_run(cell: Cell, unfinished: Set[StoredRun]) -> StoredRun:
    """Of the runs that have ended, where there are any."""
    ended = tuple(run for run in cell.runs if run not in unfinished)
    return replace(cell, runs=ended or cell.runs).middle_run


def _live(training: Training, number: Mapping[StoredRun, int]) -> dict[str, Any]:
    """What the script of a page needs that is shown anew as a sweep goes on."""
    return {**training.live._asdict(), "training": [number[one.run] for one in training.runs]}


def _run(run: StoredRun, cell: int, detail: Mapping[str, Any], unfinished: Set[StoredRun]) -> dict[str, Any]:
    measures, plateau = run.measures, plateau_of(run)
    found_step, was_found = measures.found
    found = [step if was else None for step, was in zip(found_step.tolist(), was_found, strict=True)]
    known = found_step[was_found]
    return {
        "cell": cell,
        "seed": run.spec.seed,
        "rule": run.spec.rule_seed,
        "status": "training" if run in unfinished else run.status,
        "plateau": int(plateau.length[0]),
        "escaped": bool(plateau.observed[0]),
        "mastery": measures.mastery_step,
        "mastered": measures.mastered,
        # Step by step of the targets that have a row of the map, and in sum of all.
        "found": [found[target] for target in run.truth.mapped],
        "targets": len(found),
        "counts": [[int(step), int((known <= step).sum())] for step in np.unique(known)],
        "digest": run.digest,
        "detail": detail,
    }


def _law(growth: Growth) -> dict[str, Any]:
    """The law of a series as a chart draws it.

    line:  rows of bits and of the steps by which 5, 50 and 95 % of runs escape, by the law; no rows where
           there is none
    fits:  False where the data speak against the law
    """
    law = growth.law
    if not isinstance(law, Law):
        return {"line": [], "fits": True}
    noise = math.exp(DEVIATIONS * law.sigma)
    ends = {at: law.median(at) for at in (min(growth.bits), max(growth.bits))}
    rows = [[at, median / noise, median, median * noise] for at, median in ends.items()]
    return {"line": rows, "fits": law.fits is not False}
