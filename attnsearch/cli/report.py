"""`attnsearch report`: runs as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from attnsearch.cli.options import json_option, output_option, runs_argument
from attnsearch.cli.output import complain, emit_json, say
from attnsearch.cli.values import WholeNumber

MOST = 1_000
"""Runs that a page holds one by one unless told otherwise. A browser draws them in seconds."""


@click.command()
@runs_argument
@output_option("the file to write; an earlier one is replaced", "report.html")
@click.option("--title", metavar="TEXT", help="its heading  [default: names the tasks]")
@click.option(
    "--most",
    type=WholeNumber(1),
    default=MOST,
    metavar="N",
    help=f"about so many runs are held one by one; all of them count  [default: {MOST:,}]",
)
@json_option
def report(runs: Sequence[str], output: Path, title: str | None, most: int, as_json: bool) -> None:
    """Write what RUNS say as one HTML file: charts, maps, tables and warnings.

    With several folders, the page says of each run which folder it is of. Copies of a run are counted once.
    Where folders hold other curves for the same run, their cells are shown side by side, and compared.

    Of many runs, charts and lists hold some of each cell, and the page says which. Tables, laws and warnings
    are of all.

    RUNS are folders that were given as --out, folders of single runs, or the first digits of digests. The
    file opens from a disk and needs no network.
    """
    from attnsearch.files import write_whole
    from attnsearch.report.folders import folders_of
    from attnsearch.report.report import report as page_of
    from attnsearch.results.study import Study
    from attnsearch.runs.lookup import collect_by_folder, standings
    from attnsearch.runs.opened import Opener

    folders = folders_of(collect_by_folder(runs, complain, Opener()))
    study = Study(folders.runs, standings(runs), folder_of=folders.apart)
    page = page_of(study, title=title, folders=folders, most=most)
    write_whole(output, page)
    warnings = [*study.warnings, *folders.warnings]
    for warning in warnings:
        complain(f"warning: {warning}")
    size = len(page.encode())
    if as_json:
        emit_json({"report": str(output), "bytes": size, "runs": len(study.runs), "warnings": warnings})
    else:
        say(f"{output} ({size / 1e6:.2f} MB)")
