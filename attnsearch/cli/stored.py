"""`attnsearch ls` and `attnsearch rm`: stored runs as files."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from attnsearch.base import AttnsearchError
from attnsearch.cli.options import format_option, json_option, runs_argument
from attnsearch.cli.output import chosen_form, complain, emit_json, emit_parts, say

if TYPE_CHECKING:
    from attnsearch.runs.inventory import Entry

where_option = click.option(
    "--where",
    "condition",
    metavar="NAME=VALUE,...",
    help="only runs of which all of these hold; a mixer may be given by its name alone",
)


@click.command()
@click.argument("runs", metavar="[RUNS...]", nargs=-1)
@where_option
@format_option(["table", "csv", "json"], "csv and json: one row a run, with its settings  [default: table]")
@json_option
def ls(runs: Sequence[str], condition: str | None, form: str | None, as_json: bool) -> None:
    """List stored runs: digest, cell, seed, status, verification of the mixer, steps, size and age.

    RUNS are folders that were given as --out, folders of single runs, or the first digits of digests; without
    any, results. Unfinished runs have a checkpoint and are trained on by the command that began them.

    \b
    attnsearch ls --where mixer=attention,state_size=8
    """
    from attnsearch.cli.console import console
    from attnsearch.results.listing import records, table
    from attnsearch.results.table import csv_lines
    from attnsearch.runs.lookup import standings

    form = chosen_form(form, as_json)
    names = runs or ("results",)
    entries, stand = _chosen(names, condition), standings(names)
    if form == "json":
        emit_json({"runs": list(records(entries, stand))})
    elif form == "csv":
        # All have the same keys, and a million of them are not held at once.
        keys = list(next(records(entries, stand)))
        emit_parts(csv_lines(keys, records(entries, stand)))
    else:
        console(stderr=False).print(table(entries, stand, time.time()))


@click.command()
@runs_argument
@where_option
@click.option("--yes", is_flag=True, help="remove without asking")
@json_option
def rm(runs: Sequence[str], condition: str | None, yes: bool, as_json: bool) -> None:
    """Remove stored runs and checkpoints, after listing them and asking.

    RUNS are folders that were given as --out, folders of single runs, or the first digits of digests. Runs in
    training are refused. What is removed cannot be had back, but the same command trains it again.
    """
    from attnsearch.cli.console import console
    from attnsearch.results.listing import table
    from attnsearch.results.table import counted
    from attnsearch.runs.inventory import IN_TRAINING, remove
    from attnsearch.runs.lookup import standings

    entries = _chosen(runs, condition)
    busy = [entry for entry in entries if entry.state == IN_TRAINING]
    if busy:
        raise AttnsearchError(
            f"{counted(len(busy), 'run')} in training, {busy[0].digest[:16]} first: stop the command that"
            " trains there, or choose other runs"
        )
    if as_json and not yes:
        raise AttnsearchError("--json does not ask: give --yes too")
    if not yes:
        console(stderr=False).print(table(entries, standings(runs), time.time()))
        if not agreed(f"Remove {counted(len(entries), 'run')}?"):
            say("nothing removed")
            return
    removed = []
    for entry in entries:
        if remove(entry):
            removed.append(str(entry.path))
        else:
            complain(f"{entry.path} is in training by now: left there")
    if as_json:
        emit_json({"removed": removed})
    else:
        say(f"{counted(len(removed), 'run')} removed")


def _chosen(runs: Sequence[str], condition: str | None) -> list[Entry]:
    """Errors: AttnsearchError where there are none."""
    from attnsearch.results.selection import select
    from attnsearch.runs.inventory import inventory

    entries = inventory(runs)
    if condition is not None and entries:
        readable = [entry for entry in entries if entry.run is not None]
        kept = set(map(id, select(condition, [entry.run for entry in readable if entry.run])))
        entries = [entry for entry in readable if id(entry.run) in kept]
    if not entries:
        raise AttnsearchError(f"no stored runs in {', '.join(runs)}")
    return entries


def agreed(question: str) -> bool:
    """Whether a user says yes. Errors: AttnsearchError where nobody answers."""
    try:
        return click.confirm(question)
    except click.Abort:
        if sys.stdin is not None and sys.stdin.isatty():
            raise
        raise AttnsearchError("nothing removed: nobody can be asked here, give --yes") from None
