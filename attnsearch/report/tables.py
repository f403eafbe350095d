"""The tables of a report, as texts. Numpy side; never imports jax."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from attnsearch.base import Plateaus
from attnsearch.report.data import Labels, plateaus
from attnsearch.results.cells import FEWEST_SEEDS, Cell, constant, named, titled, varying
from attnsearch.results.columns import found_columns, median, rate, restricted_mean
from attnsearch.results.table import Table, steps
from attnsearch.runs.store import StoredRun
from attnsearch.spec.names import written
from attnsearch.spec.run import CellSpec, InterventionSpec
from attnsearch.stats.comparison import Comparison, benjamini_hochberg, compare

REFERENCE = "attention"
"""The mixer that others are compared with, where it is among them."""


def cell_table(cells: Sequence[Cell], unverified: Sequence[str]) -> Table:
    """One row a cell."""
    extra = varying(cells)
    words = [name.replace("_", " ") for name in ("task", "mixer", *extra)]
    numbers = (
        *("bits", "runs", "escaped", "mastered", "plateau length, median", "restricted mean, to the budget"),
        *("spread, 90 / 10 %", "target found, median", "mastery, median"),
    )
    rows = tuple(
        (
            *named(cell, extra),
            _bits(cell),
            str(cell.plateau.runs) + (f"\n{cell.diverged} diverged" if cell.diverged else ""),
            rate(cell.plateau.ended),
            rate(cell.mastery.ended),
            median(cell.plateau),
            restricted_mean(cell.plateau),
            "–" if cell.plateau.spread is None else f"{cell.plateau.spread:.2f}",
            steps(cell.found.median),
            median(cell.mastery),
            "; ".join(flags(cell, unverified)) or "–",
        )
        for cell in cells
    )
    aligned = [name.replace("_", " ") for name in extra if _numeric(name, cells)]
    return Table(
        titled("Every cell", constant(cells)) + ". Lengths are steps; the small numbers are 95 % intervals",
        (*words, *numbers, "protocol"),
        frozenset({*numbers, *aligned}),
        rows,
    )


def found_table(cells: Sequence[Cell]) -> Table:
    """What the runs of each cell were found to read, one row a cell."""
    extra = varying(cells)
    columns = found_columns(cells)
    numbers = [heading.replace("\n", " ") for heading, _ in columns]
    aligned = [name.replace("_", " ") for name in extra if _numeric(name, cells)]
    return Table(
        titled("Runs that escaped, at their ends", constant(cells))
        + "; the small numbers are the level before anything is learned",
        (*(name.replace("_", " ") for name in ("task", "mixer", *extra)), *numbers),
        frozenset({*numbers, *aligned}),
        tuple((*named(cell, extra), *(text(cell) for _, text in columns)) for cell in cells),
    )


def flags(cell: Cell, unverified: Sequence[str]) -> list[str]:
    """The rules of the protocol that a cell does not meet, in a word or two each."""
    found = [f"{cell.plateau.runs} seeds"] if cell.plateau.runs < FEWEST_SEEDS else []
    found += ["not verified"] if cell.spec.mixer.name in unverified else []
    found += [f"{cell.diverged} diverged"] if cell.diverged else []
    return [f"⚠ {flag}" for flag in found]


def comparison_table(cells: Sequence[Cell], labels: Labels) -> Table | None:
    """Mixers against one of them, and interventions against none, wherever cells differ in nothing else; None
    where none do."""
    found = _comparisons(cells)
    if not found:
        return None
    adjusted = benjamini_hochberg([comparison.p_value for _, _, comparison in found])
    rows = tuple(
        (
            labels.place(candidate.spec),
            labels.series[candidate.spec],
            labels.series[reference.spec],
            f"{one.runs[0]} / {one.runs[1]}",
            f"{one.ratio:.2f}\n{one.low:.2f} to {one.high:.2f}",
            f"{steps(one.horizon)}",
            f"{p_value:.2g}\n{one.method}",
            one.verdict(float(p_value)),
        )
        for (candidate, reference, one), p_value in zip(found, adjusted, strict=True)
    )
    return Table(
        "Mixers, and interventions, compared: ratio of restricted mean plateau lengths with its bootstrap"
        f" interval; p of a log-rank test, adjusted over {len(rows)} of them (Benjamini and Hochberg)",
        ("cell", "mixer", "against", "runs", "ratio", "horizon", "p, adjusted", "verdict: its plateau is"),
        frozenset({"runs", "ratio", "horizon", "p, adjusted"}),
        rows,
    )


def _comparisons(cells: Sequence[Cell]) -> list[tuple[Cell, Cell, Comparison]]:
    """Candidate, reference, and the one over the other."""
    plain = InterventionSpec()
    mixers: dict[Any, list[Cell]] = {}
    interventions: dict[CellSpec, list[Cell]] = {}
    for cell in cells:
        spec = cell.spec
        rest = (spec.task, spec.network, spec.optimizer, spec.budget, spec.intervention)
        mixers.setdefault(rest, []).append(cell)
        interventions.setdefault(replace(spec, intervention=plain), []).append(cell)
    groups = [
        (members, next((cell for cell in members if cell.spec.mixer.name == REFERENCE), members[0]))
        for members in mixers.values()
    ]
    groups += [
        (members, next(cell for cell in members if cell.spec.intervention == plain))
        for members in interventions.values()
        if any(cell.spec.intervention == plain for cell in members)
    ]
    found = []
    for members, reference in groups:
        for cell in members:
            if cell is not reference:
                budget = cell.spec.budget.steps
                found.append(
                    (cell, reference, compare(plateaus(cell.runs), plateaus(reference.runs), budget))
                )
    return found


def run_table(cells: Sequence[Cell], labels: Labels) -> Table:
    """One row a run."""
    rows = tuple(
        (
            labels.cell(cell.spec),
            str(run.spec.seed),
            str(run.spec.rule_seed),
            run.status,
            _step(run.measures.plateau),
            _step(run.measures.mastery),
            f"{run.measures.found.observed.sum()} of {len(run.measures.found.observed)}",
            run.spec.digest[:16],
        )
        for cell in cells
        for run in cell.runs
    )
    numbers = ("seed", "rule seed", "plateau length", "mastery", "targets found")
    return Table(
        "Every run; > marks a censored one",
        ("cell", "seed", "rule seed", "status", *numbers[2:], "digest"),
        frozenset(numbers),
        rows,
    )


def settings(cells: Sequence[Cell]) -> list[tuple[str, str]]:
    """Every setting with the values that occur, and the plateau rules."""
    flats = [cell.spec.flat() for cell in cells]
    names = dict.fromkeys(name for flat in flats for name in flat)
    terms = [
        (
            name.replace("_", " "),
            ", ".join(dict.fromkeys(written(flat[name]) for flat in flats if name in flat)),
        )
        for name in names
    ]
    generators = dict.fromkeys(cell.spec.task.generator for cell in cells)
    rules = [asdict(cell.spec.task.plateau) for cell in cells]
    terms.append(("generator", ", ".join(generators)))
    terms += [
        (f"{name} threshold", ", ".join(dict.fromkeys(f"{rule[name]:g} of chance" for rule in rules)))
        for name in rules[0]
    ]
    return terms


def environments(runs: Sequence[StoredRun]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Each environment that runs were trained in, with how many, and what it was."""
    seen: dict[tuple[tuple[str, str], ...], int] = {}
    for run in runs:
        terms = tuple(_terms(run.environment))
        seen[terms] = seen.get(terms, 0) + 1
    return [
        (f"Environment of {'all ' if len(seen) == 1 else ''}{number} run{'s' * (number != 1)}", list(terms))
        for terms, number in seen.items()
    ]


def _terms(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and values, those of a mapping in one line."""
    return [
        (
            name,
            ", ".join(f"{key} {one}" for key, one in value.items())
            if isinstance(value, dict)
            else str(value),
        )
        for name, value in environment.items()
    ]


def _bits(cell: Cell) -> str:
    cheaper = "" if np.isclose(cell.bits, cell.route_bits) else f"\ncheapest route {cell.route_bits:.1f}"
    return f"{cell.bits:.1f}{cheaper}"


def _step(waited: Plateaus) -> str:
    return ("" if waited.observed[0] else "> ") + steps(waited.length[0])


def _numeric(name: str, cells: Sequence[Cell]) -> bool:
    values = [cell.spec.flat().get(name) for cell in cells]
    return not any(isinstance(value, str | bool) for value in values)
