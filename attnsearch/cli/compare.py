"""`attnsearch compare`: one set of runs beside another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from attnsearch.cli.options import format_option, json_option
from attnsearch.cli.output import chosen_form, complain, emit, emit_json

if TYPE_CHECKING:
    from attnsearch.results.cells import Cell


@click.command()
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option(
    "--runs",
    "stores",
    multiple=True,
    metavar="RUNS",
    help="where mixers and settings are looked up; may be repeated  [default: results]",
)
@format_option(
    ["table", "csv", "json"], "csv and json: one row a cell, and one of all together  [default: table]"
)
@json_option
def compare(a: str, b: str, stores: Sequence[str], form: str | None, as_json: bool) -> None:
    """Compare the plateaus of B with the plateaus of A, cell by cell and together.

    Each side is a folder of runs, a mixer, or settings. Cells that agree in all that the sides have in common
    are compared. The ratio is B over A: below 1, B searches faster. docs/statistics.md says how it is
    computed. The exit status is 0 whatever comes out.

    \b
    attnsearch compare attention mlp_mixer
    attnsearch compare learning_rate=0.001 learning_rate=0.003
    attnsearch compare mixer=attention,num_heads=4 mlp_mixer --runs results/
    attnsearch compare before/ after/
    """
    from attnsearch.cli.console import console
    from attnsearch.results.contrast import contrast, notes, records, table
    from attnsearch.results.table import as_csv
    from attnsearch.results.warnings import warnings
    from attnsearch.runs.lookup import DEFAULT_STORE

    form = chosen_form(form, as_json)
    places = stores or (str(DEFAULT_STORE),)
    first, second = (_cells(side, places) for side in (a, b))
    found = contrast(first, second)
    told = [*notes(found), *(f"warning: {line}" for line in warnings([*first, *second]))]
    if form == "json":
        document = {"a": a, "b": b, "differing": list(found.differing), "notes": told, "rows": records(found)}
        emit_json(document)
    elif form == "csv":
        emit(as_csv(records(found)))
    else:
        console(stderr=False).print(table(found, a, b))
    for line in told:
        complain(line)


def _cells(side: str, places: Sequence[str]) -> Sequence[Cell]:
    """The cells of a side, which know how their mixers stand.

    Errors: AttnsearchError where it stands for no runs.
    """
    from attnsearch.results.selection import select
    from attnsearch.results.study import Study
    from attnsearch.runs.lookup import collect, standings, stands_for_runs
    from attnsearch.runs.opened import Opener

    if stands_for_runs(side):
        return Study(collect([side], complain, Opener()), standings([side])).cells
    return Study(select(side, collect(places, complain, Opener())), standings(places)).cells
