"""A set of runs as one HTML page: charts to look into, tables with intervals, and what to distrust.

Numpy side; never imports jax.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from attnsearch.report.data import Labels, document
from attnsearch.report.laws import lines
from attnsearch.report.page import render
from attnsearch.report.tables import (
    cell_table,
    comparison_table,
    environments,
    found_table,
    run_table,
    settings,
)
from attnsearch.results.cells import Cell, cells, constant
from attnsearch.results.scaling import growths, sentences, warnings
from attnsearch.results.scaling import title as title_of
from attnsearch.runs.store import StoredRun
from attnsearch.spec.command import commands

SCRIPTS = ("headline.js", "survival.js", "losses.js", "maps.js", "browser.js", "report.js")


def report(
    runs: Sequence[StoredRun],
    *,
    title: str | None = None,
    unverified: Sequence[str] = (),
) -> str:
    """The page of `runs`, at least one, measured. The same arguments give the same text.

    title:       its heading; names the tasks unless given
    unverified:  mixers whose causality has not been checked, to be warned about
    """
    summaries = cells(runs)
    labels = Labels(summaries)
    grown = growths(summaries)
    data = document(summaries, labels) | {"laws": lines(grown)}
    return render(
        "report.html.jinja",
        styles=("report.css",),
        scripts=SCRIPTS,
        data=data,
        context={
            "version": version("attnsearch"),
            "title": title or "Plateaus of " + _listed(cell.spec.task.name for cell in summaries),
            "overview": overview(summaries),
            "warnings": protocol_warnings(summaries, unverified),
            "laws": [
                (title_of(growth), first, others)
                for growth in grown
                for first, *others in [sentences(growth)]
            ],
            "found": found_table(summaries),
            "left_out": _left_out(data),
            "cell_table": cell_table(summaries, unverified),
            "comparison_table": comparison_table(summaries, labels),
            "run_table": run_table(summaries, labels),
            "commands": [
                (labels.cell(cell.spec), commands([run.spec for run in cell.runs])) for cell in summaries
            ],
            "settings": settings(summaries),
            "environments": environments(runs),
        },
    )


def overview(summaries: Sequence[Cell]) -> str:
    """How much there is, in one sentence."""
    runs = sum(len(cell.runs) for cell in summaries)
    seeds = sorted({len(cell.runs) for cell in summaries})
    each = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    common = constant(summaries)
    return (
        f"{_counted(runs, 'run')} in {_counted(len(summaries), 'cell')}, {each} in each:"
        f" {_listed(cell.spec.mixer.name for cell in summaries)}"
        f" on {_listed(cell.spec.task.name for cell in summaries)}."
        + (f" All with {common}." if common else "")
    )


def protocol_warnings(summaries: Sequence[Cell], unverified: Sequence[str]) -> list[str]:
    """Every rule of the protocol that these cells do not meet, one line each."""
    found = warnings(summaries)
    mixers = list(dict.fromkeys(cell.spec.mixer.name for cell in summaries))
    rates = {
        name: {cell.spec.optimizer.learning_rate for cell in summaries if cell.spec.mixer.name == name}
        for name in mixers
    }
    single = [name for name in mixers if len(rates[name]) == 1]
    if len(mixers) > 1 and single:
        found.append(f"one learning rate for {_listed(single)}: no ranking of mixers follows")
    found += [
        f"{name} is not verified: whether it sees the future has not been checked"
        for name in mixers
        if name in unverified
    ]
    return found


def _left_out(data: Mapping[str, Any]) -> str:
    heads = [run["detail"]["heads"] for run in data["runs"] if run["detail"]["heads"] is not None]
    missing = sum(head["weights"] is None for head in heads)
    if not missing:
        return ""
    return (
        f"The attention weights of {missing} of {_counted(len(heads), 'run')} are left out to keep this file"
        " small; those of each cell’s run of median plateau length went in first. The store holds them all."
    )


def _listed(names: Iterable[str]) -> str:
    *first, last = dict.fromkeys(names)
    return f"{', '.join(first)} and {last}" if first else last


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"
