"""A study as JSON values: the same numbers as its tables, under the keys of the columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from attnsearch.results.columns import COLUMNS
from attnsearch.results.emergence import Emergence
from attnsearch.results.route_columns import dwells, route_masses
from attnsearch.results.scaling import Growth, sentences
from attnsearch.results.study import Study
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import FORMAT_VERSION
from attnsearch.stats.axis import Axis, SearchSpace
from attnsearch.stats.hopping import MODES
from attnsearch.stats.scaling_law import Law, NoLaw


def document(study: Study, store: str, pictures: Sequence[str]) -> dict[str, Any]:
    """Cells and runs; every cell has its settings and each column once."""
    return {
        "format_version": FORMAT_VERSION,
        "store": store,
        "pictures": list(pictures),
        "warnings": list(study.warnings),
        "measurement": list(map(str, study.measurements)),
        "cells": list(study.by_cell),
        "early_signals": list(study.by_signal),
        "emergence": list(map(_emergence, study.emergences)),
        "runs": [
            {
                "digest": run.digest,
                "spec": run.spec.to_json(),
                "status": run.status,
                "environment": dict(run.environment),
                "measures": run.measures.to_json(run.map_mass),
                "log2_search_space_of_targets": run.truth.log2_search_space.tolist(),
                **_routes(run),
            }
            for cell in study.cells
            for run in cell.runs
        ],
    }


def _routes(run: StoredRun) -> dict[str, Any]:
    """Which route a run took, and where its map lies; nothing for a task without such routes."""
    found: dict[str, Any] = {}
    if (hopping := run.hopping) is not None:
        step = run.contests.step.tolist()
        found["hopping"] = {
            "stretches": [
                {"mode": MODES[one.mode], "first_step": step[one.first], "last_step": step[one.last]}
                for one in hopping.stretches
            ],
            "hops": [step[point] for point in hopping.settled[1:]],
            "settled": [step[point] for point in hopping.settled],
            "dwell": dwells(hopping).length.tolist(),
            "ended": hopping.ended.tolist(),
        }
    if masses := route_masses(run):
        found["route_mass"] = masses
    return found


def _emergence(one: Emergence) -> dict[str, Any]:
    """When targets of one search space emerged, run by run; a censored run was watched for these steps."""
    pairs = zip(one.numbers, one.emerged, strict=True)
    return {
        "against": one.name,
        "series": one.series,
        "log2_search_space": one.bits,
        "law": _law(one.law),
        "cells": [
            {one.name: number, "steps": steps.length.tolist(), "observed": steps.observed.tolist()}
            for number, steps in pairs
        ],
    }


def law_document(study: Study, laws: Sequence[Growth]) -> dict[str, Any]:
    """`laws` of the study, in numbers and in words."""
    return {
        "format_version": FORMAT_VERSION,
        "warnings": list(study.warnings),
        "series": [
            {
                "name": growth.series.name,
                "size": growth.size,
                "against": growth.axis.key,
                "budget_steps": growth.cells[0].spec.budget.steps,
                "law": _law(growth.law),
                "frontier": asdict(growth.frontier) | {"settled": growth.frontier.settled},
                "in_words": sentences(growth),
                "cells": _cells(study, growth),
            }
            for growth in laws
        ],
    }


_OBSERVED = {
    *("verification", "verification_failed", "verification_reason", "log2_search_space", "runs", "diverged"),
    *("escaped", "mastered", "plateau_length_median"),
}


def _cells(study: Study, growth: Growth) -> list[dict[str, Any]]:
    """Each cell's settings, what was observed, and what the law says."""
    return [
        {
            **study.names.facts(cell.spec),
            **{column.key: column.value(cell) for column in COLUMNS if column.key in _OBSERVED},
            # Of the size that the law is fitted to.
            **_size(growth.axis, bits),
            "median_in_model": None if residual is None else residual.length,
            "median_by_law": None if residual is None else residual.by_law,
            "factor": None if residual is None else residual.factor,
        }
        for cell, bits, residual in zip(growth.cells, growth.bits, growth.residuals, strict=True)
    ]


def _size(axis: Axis, bits: float) -> dict[str, float]:
    return {axis.key if isinstance(axis, SearchSpace) else f"log2_{axis.key}": bits}


def _law(law: Law | NoLaw) -> dict[str, Any]:
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
