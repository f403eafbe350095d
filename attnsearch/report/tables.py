"""The tables and lists of a report, as texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from attnsearch.report.folders import Folders
from attnsearch.results.cells import Cell
from attnsearch.results.column import Column
from attnsearch.results.comparisons import figures
from attnsearch.results.run_columns import RunRow
from attnsearch.results.study import Study
from attnsearch.results.table import NONE, Table, counted, steps
from attnsearch.results.tables import READ, WAITED
from attnsearch.results.tables import cell_table as table_of
from attnsearch.results.tables import run_table as runs_of
from attnsearch.results.warnings import flags
from attnsearch.runs.store import StoredRun
from attnsearch.spec.names import heading
from attnsearch.spec.run import PlateauRule


def cell_table(study: Study, folders: Folders) -> Table:
    """One row a cell: how long its runs waited, and what stands between that and a claim."""

    def flagged(cell: Cell) -> str:
        standing = cell.standing
        verified = []
        if standing is not None and standing.state == "verified":
            verified = [standing.state, *([standing.inability] if standing.inability else [])]
        return "; ".join([*verified, *flags(cell)])

    protocol = Column("protocol", "protocol", flagged, lambda cell: flagged(cell) or NONE)
    notes = ". Lengths are steps; the small numbers are 95 % intervals"
    return table_of(study, "Every cell", WAITED, protocol, _folder(folders), ending=notes)


def _folder(folders: Folders) -> Column[Cell]:
    """How many runs of a cell lie in which folder."""

    def counted_in(cell: Cell) -> str:
        counts = Counter(folders.text(run) for run in cell.runs)
        return "; ".join(f"{count} in {name}" for name, count in counts.items())

    return Column("folder", "folder", counted_in, counted_in, lambda cell: folders.several)


def found_table(study: Study, folders: Folders) -> Table:
    """What the runs of each cell were found to read, one row a cell."""
    notes = "; the small numbers are the level before anything is learned"
    return table_of(study, "Runs that escaped, at their ends", READ, _folder(folders), ending=notes)


def comparison_table(study: Study) -> Table | None:
    """Mixers against one of them, interventions against none, and folders against the first, wherever cells
    differ in nothing else; None where none do."""
    if not study.comparisons:
        return None
    rows = tuple(
        (
            study.names.place(one.candidate.spec),
            study.series_names[one.candidate],
            study.series_names[one.reference],
            f"{one.comparison.runs[0]} / {one.comparison.runs[1]}",
            steps(one.comparison.horizon),
            *figures(one.comparison, one.p_value),
            one.verdict,
        )
        for one in study.comparisons
    )
    return Table(
        "Mixers, interventions and folders compared: ratio of restricted mean plateau lengths with its"
        f" bootstrap interval; p of a log-rank test, adjusted over {len(rows)} of them (Benjamini and"
        " Hochberg)",
        ("cell", "mixer", "against", "runs", "up to step", "ratio", "p, adjusted", "verdict: its plateau is"),
        frozenset({"runs", "up to step", "ratio", "p, adjusted"}),
        rows,
    )


def run_table(study: Study, folders: Folders) -> Table:
    """One row a run, with its folder where there are several."""

    def folder(row: RunRow) -> str:
        return folders.text(row.run)

    return runs_of(study, Column("folder", "folder", folder, folder, lambda row: folders.several))


def settings(study: Study) -> list[tuple[str, str]]:
    """Every setting with the values that occur, the generators and the thresholds, as shares of chance."""
    specs = [cell.spec for cell in study.cells]
    units = {f"{field.name}_threshold": " of chance" for field in fields(PlateauRule)}
    listed = []
    for name in dict.fromkeys(name for spec in specs for name in study.names.facts(spec)):
        texts = dict.fromkeys(study.names.value(spec, name) for spec in specs)
        listed.append((heading(name), ", ".join(f"{text}{units.get(name, '')}" for text in texts if text)))
    return listed


def environments(runs: Sequence[StoredRun]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Each environment that runs were trained in, with how many, and what it was."""
    seen: dict[tuple[tuple[str, str], ...], int] = {}
    for run in runs:
        terms = tuple(_terms(run.environment))
        seen[terms] = seen.get(terms, 0) + 1
    every = "all " if len(seen) == 1 else ""
    return [
        (f"Environment of {every}{counted(number, 'run')}", list(terms)) for terms, number in seen.items()
    ]


def _terms(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and values; a mapping is written in one line."""
    return [
        (
            name,
            ", ".join(f"{key} {one}" for key, one in value.items())
            if isinstance(value, dict)
            else str(value),
        )
        for name, value in environment.items()
    ]
