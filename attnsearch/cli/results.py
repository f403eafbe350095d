"""`attnsearch results`: stored runs as numbers."""

from __future__ import annotations

from collections.abc import Sequence

import click

from attnsearch.cli.options import runs_argument, said
from attnsearch.cli.output import emit, emit_json


@click.command()
@runs_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    help="csv: one line a cell; json: cells and runs  [default: table]",
)
def results(runs: Sequence[str], form: str) -> None:
    """Print what stored runs say, cell by cell, with 95 % intervals.

    RUNS are folders that were given as --out, folders of single runs, or the first digits of digests.
    """
    from attnsearch.cli.console import console
    from attnsearch.results import cells as summary
    from attnsearch.results import columns as shown
    from attnsearch.results import thresholds as sensitivity
    from attnsearch.runs.lookup import collect

    cells = summary.cells(collect(runs, said))
    if form == "csv":
        emit(shown.as_csv(cells))
        return
    if form == "json":
        document = summary.document(cells, " ".join(runs), [])
        for cell, record in zip(document["cells"], shown.records(cells), strict=True):
            cell.update(record)
        emit_json(document)
        return
    screen = console(stderr=False)
    for table in [*shown.tables(cells), sensitivity.table(sensitivity.sensitivity(cells))]:
        screen.print(table)
    for measurement in summary.measurements(cells):
        screen.print(str(measurement), highlight=False)
    for warning in summary.warnings(cells):
        screen.print(f"warning: {warning}", style="yellow", markup=False, highlight=False)
