"""`attnsearch results`: stored runs as numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from attnsearch.base import AttnsearchError
from attnsearch.cli.completing import files
from attnsearch.cli.options import format_option, json_option, output_option
from attnsearch.cli.output import chosen_form, complain, emit_parts

if TYPE_CHECKING:
    from attnsearch.results.records import Described, Records
    from attnsearch.results.study import Study

ROWS = ("cell", "run", "target", "point", "signal")


@click.command()
@click.argument("runs", metavar="RUNS...", nargs=-1, shell_complete=files)
@click.option(
    "--by",
    type=click.Choice(ROWS),
    help="what a row is about: a cell, a run, a target of a run, a point of a curve, or an early signal"
    "  [default: cell]",
)
@format_option(
    ["table", "csv", "json", "parquet"],
    "how rows are written  [default: table, or as the extension of --output says]",
)
@output_option("the file to write instead of the screen: .csv, .json or .parquet")
@click.option("--columns", "explained", is_flag=True, help="say what each column is, and its unit, instead")
@json_option
def results(
    runs: Sequence[str],
    by: str | None,
    form: str | None,
    output: Path | None,
    explained: bool,
    as_json: bool,
) -> None:
    """Print what stored runs say, cell by cell, with 95 % intervals.

    RUNS are folders that were given as --out, folders of single runs, or the first digits of digests. JSON
    holds cells and runs, or with --by the rows that are asked for. Files for a spreadsheet or a notebook:

    \b
    attnsearch results results/ --by run -o runs.csv
    attnsearch results results/ --by point -o curves.parquet
    attnsearch results --columns --by run           what the columns mean
    """
    from attnsearch.results.dictionary import DICTIONARY
    from attnsearch.results.document import document
    from attnsearch.results.study import Study
    from attnsearch.runs.lookup import collect, standings
    from attnsearch.runs.opened import Opener

    form = _format(chosen_form(form, as_json), output)
    study = Study(collect(runs, complain, Opener()), standings(runs)) if runs else None
    if explained:
        _explain(_records(study, by).columns if study else DICTIONARY[by or ROWS[0]], form, output)
    elif study is None:
        raise click.UsageError("Missing argument 'RUNS...'.")
    elif form == "table":
        _print(study, by)
    elif form == "parquet":
        if output is None:
            raise AttnsearchError("parquet is not for a screen: name a file, as in -o runs.parquet")
        _records(study, by).write_parquet(output)
    elif form == "json" and by is None:
        _put([json.dumps(document(study, " ".join(runs), []), allow_nan=False), "\n"], output)
    else:
        _put(_lines(_records(study, by), form), output)


def _format(form: str | None, output: Path | None) -> str:
    """How rows are written. Errors: AttnsearchError where that is not said, or a table is to be a file."""
    if output is None:
        return form or "table"
    if form == "table":
        raise AttnsearchError("a table is for a screen: leave --output out, or give --format csv")
    found = form or output.suffix.lower().removeprefix(".")
    if found not in ("csv", "json", "parquet"):
        raise AttnsearchError(f"cannot tell how to write {output}: name it .csv, .json or .parquet")
    return found


def _records(study: Study, by: str | None) -> Records:
    return {
        "cell": lambda: study.by_cell,
        "run": lambda: study.by_run,
        "target": lambda: study.by_target,
        "point": lambda: study.by_point,
        "signal": lambda: study.by_signal,
    }[by or ROWS[0]]()


def _print(study: Study, by: str | None) -> None:
    """Print tables: of cells all, of the others one. Errors: AttnsearchError for points, and for early
    signals of too few seeds."""
    from attnsearch.cli.console import console
    from attnsearch.cli.study import print_study
    from attnsearch.results.early_signals import FIRST_STEP
    from attnsearch.results.tables import run_table, signal_table, tables, target_table
    from attnsearch.results.thresholds import sensitivity, table
    from attnsearch.stats.foretelling import FEWEST_RUNS

    if by == "point":
        raise AttnsearchError("points are too many for a screen: give -o points.csv, or --format csv")
    if by == "signal":
        found = signal_table(study)
        if found is None:
            raise AttnsearchError(
                f"no cell has {FEWEST_RUNS} runs with even and {FEWEST_RUNS} with odd seeds that still waited"
                f" at step {FIRST_STEP}: train more seeds"
            )
        console(stderr=False).print(found)
    elif by in ("run", "target"):
        console(stderr=False).print(run_table(study) if by == "run" else target_table(study))
    else:
        print_study(study, [*tables(study), table(sensitivity(study.cells))])


def _explain(columns: Sequence[Described], form: str, output: Path | None) -> None:
    """Print the dictionary of `columns`."""
    from attnsearch.cli.console import console
    from attnsearch.results.dictionary import records, table

    if form == "table":
        console(stderr=False).print(table("What the columns are", columns))
    elif form == "parquet":
        raise AttnsearchError("--columns is written as a table, csv or json: give another --format")
    else:
        _put(_lines(records(columns), form), output)


def _lines(records: Records, form: str) -> Iterator[str]:
    """The rows as CSV, or as a JSON list with one row a line."""
    from attnsearch.results.table import csv_lines

    keys = [column.key for column in records.columns]
    if form == "csv":
        yield from csv_lines(keys, records)
        return
    before = "[\n"
    for record in records:
        yield before + json.dumps(record, allow_nan=False)
        before = ",\n"
    yield "\n]\n" if before != "[\n" else "[]\n"


def _put(texts: Iterator[str] | Sequence[str], output: Path | None) -> None:
    """Write `texts` one after another, to a file as a whole or not at all."""
    from attnsearch.files import replacing

    if output is None:
        emit_parts(texts)
        return
    with replacing(output) as unfinished, unfinished.open("w", encoding="utf-8") as file:
        file.writelines(texts)
