"""`attnsearch results`: stored runs as numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from attnsearch.base import AttnsearchError
from attnsearch.cli.options import with_options
from attnsearch.cli.output import complain, emit, emit_json

if TYPE_CHECKING:
    from attnsearch.results.records import Described, Records
    from attnsearch.results.study import Study

FORMATS = ("table", "csv", "json", "parquet")

table_options = with_options(
    click.option(
        "--by",
        type=click.Choice(["cell", "run", "target", "point"]),
        help="What a row is: a cell, a run, a target of a run, or a recorded point of a curve."
        "  [default: cell]",
    ),
    click.option("--format", "form", type=click.Choice(FORMATS), help="How to write them.  [default: table]"),
    click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path, dir_okay=False),
        help="The file to write; its extension, .csv, .json or .parquet, says how.",
    ),
)


@click.command()
@click.argument("runs", metavar="RUNS...", nargs=-1)
@table_options
@click.option("--columns", "dictionary", is_flag=True, help="Say what each column means instead, and its unit.")
def results(
    runs: Sequence[str], by: str | None, form: str | None, output: Path | None, dictionary: bool
) -> None:
    """Print what stored runs say, cell by cell, with 95 % intervals.

    RUNS are folders that were given as --out, folders of single runs, or the first digits of digests. CSV,
    JSON and Parquet have one row for each of --by. JSON without --by holds cells and runs.
    """
    from attnsearch.results.document import document
    from attnsearch.results.long_form import dictionary as declared
    from attnsearch.results.study import Study
    from attnsearch.runs.lookup import collect

    chosen = _format(form, output)
    if dictionary and not runs:
        _explain(declared()[by or "cell"], chosen, output)
        return
    if not runs:
        raise click.UsageError("Missing argument 'RUNS...'.")
    study = Study(collect(runs, complain))
    if by is None and chosen == "json" and not dictionary:
        _put(json.dumps(document(study, " ".join(runs), []), allow_nan=False) + "\n", output)
        return
    records = _records(study, by or "cell")
    if dictionary:
        _explain(records.columns, chosen, output)
    elif chosen == "table":
        _show(study, by or "cell")
    else:
        _write(records, chosen, output)
