"""`attnsearch results`: stored runs as numbers."""

from __future__ import annotations

from collections.abc import Sequence

import click

from attnsearch.cli.options import runs_argument
from attnsearch.cli.output import complain, emit, emit_json


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
    from attnsearch.cli.study import print_study
    from attnsearch.results.columns import records
    from attnsearch.results.document import document
    from attnsearch.results.study import Study
    from attnsearch.results.table import as_csv
    from attnsearch.results.tables import tables
    from attnsearch.results.thresholds import sensitivity, table
    from attnsearch.runs.lookup import collect

    study = Study(collect(runs, complain))
    if form == "csv":
        emit(as_csv(records(study)))
    elif form == "json":
        emit_json(document(study, " ".join(runs), []))
    else:
        print_study(study, [*tables(study), table(sensitivity(study.cells))])
