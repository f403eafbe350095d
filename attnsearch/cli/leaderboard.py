"""`attnsearch leaderboard`: mixers beside each other on one suite."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from attnsearch.base import AttnsearchError
from attnsearch.cli.completing import suite_names
from attnsearch.cli.options import DEFAULT_SUITE, format_option, json_option, output_option, runs_argument
from attnsearch.cli.output import chosen_form, emit, say

if TYPE_CHECKING:
    from attnsearch.leaderboard.board import Board


FORMS = {
    ".html": "html",
    ".md": "markdown",
    ".csv": "csv",
    ".json": "json",
    ".txt": "table",
}
"""What a file holds, by the ending of its name."""


@click.command()
@runs_argument
@click.option(
    "--suite",
    "suites",
    multiple=True,
    shell_complete=suite_names,
    metavar="SUITE",
    help="a suite that the mixers answer, by name or path; may be repeated"
    f"  [default: the suites that ship and have entries; for stored runs {DEFAULT_SUITE}]",
)
@format_option(
    ["table", "markdown", "html", "csv", "json"],
    "html: one page with the curves  [default: the ending of -o, else table]",
)
@output_option("the file to write: .html, .md, .csv, .json or .txt  [default: standard output]")
@click.option("--foreign", is_flag=True, help="list runs apart that a loop of one's own has trained")
@json_option
def leaderboard(
    runs: Sequence[str],
    suites: Sequence[str],
    form: str | None,
    output: Path | None,
    foreign: bool,
    as_json: bool,
) -> None:
    """Rank mixers by the largest search space that they master, then by how long they search.

    RUNS are entries (files made by `attnsearch submit`), folders of entries, or stored runs as other commands
    take them. Each family of tasks has its own table; several stand side by side and are never added up. A
    mixer is ranked if it is verified and has answered the whole suite at its best learning rate. Every other
    mixer is listed apart, with the reason.
    """
    from attnsearch.files import write_whole
    from attnsearch.leaderboard.board import board
    from attnsearch.leaderboard.candidates import gather, given
    from attnsearch.spec.suite import Suite, find_suite, shipped_suites

    form = chosen_form(form, as_json) or ("table" if output is None else _form_of(output))
    # A suite that cannot be used is told before anything is read.
    asked = [Suite.read(find_suite(name), None) for name in suites]
    found = given(runs)
    if not asked:
        named = [name for name in shipped_suites() if name in found.suites]
        default = [DEFAULT_SUITE] if found.stores or not named else []
        asked = [Suite.read(find_suite(name), None) for name in dict.fromkeys([*default, *named])]
    made = board(asked, *gather(found, asked, foreign=foreign))
    if output is not None:
        write_whole(output, _text(made, form))
        say(str(output))
    elif form == "table":
        from attnsearch.cli.console import console
        from attnsearch.leaderboard.tables import tables

        console(stderr=False).print(*tables(made), sep="\n")
    else:
        emit(_text(made, form))


def _form_of(output: Path) -> str:
    """The form that a file's name asks for. Errors: AttnsearchError for an ending that says none."""
    form = FORMS.get(output.suffix.lower())
    if form is None:
        raise AttnsearchError(f"{output}: its ending says no form: use {', '.join(FORMS)}, or give --format")
    return form


def _text(board: Board, form: str) -> str:
    from attnsearch.cli.console import Screen
    from attnsearch.leaderboard.document import document, records
    from attnsearch.leaderboard.page import page
    from attnsearch.leaderboard.tables import tables
    from attnsearch.results.table import as_csv, in_markdown, markdown

    if form == "markdown":
        title = f"# {in_markdown(board.title)}"
        return "\n\n".join([title, *map(markdown, tables(board))]) + "\n"
    if form == "html":
        return page(board)
    if form == "csv":
        return as_csv(records(board))
    if form == "json":
        return json.dumps(document(board), allow_nan=False) + "\n"
    screen = Screen(file=io.StringIO())
    screen.print(*tables(board), sep="\n")
    return screen.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
