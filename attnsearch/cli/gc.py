"""`attnsearch gc`: what no command reads any more."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import click

from attnsearch.base import AttnsearchError
from attnsearch.cli.options import json_option
from attnsearch.cli.output import complain, emit_json, say


@click.command()
@click.argument("stores", metavar="[STORES...]", nargs=-1)
@click.option("--remove", "removing", is_flag=True, help="remove what is listed, after asking")
@click.option("--yes", is_flag=True, help="with --remove: remove without asking")
@json_option
def gc(stores: Sequence[str], removing: bool, yes: bool, as_json: bool) -> None:
    """List what no command reads any more, and remove it with --remove.

    STORES are folders that were given as --out; without any, results. Listed are runs that cannot be read,
    runs that a sweep has set aside, checkpoints from which no run goes on, and what killed processes left.
    What a living process claims is not touched.

    \b
    attnsearch gc results/ --remove
    """
    from attnsearch.cli.console import console
    from attnsearch.cli.stored import agreed
    from attnsearch.results.leftover_table import records, table, total
    from attnsearch.runs.leftovers import leftovers, remove
    from attnsearch.runs.lookup import DEFAULT_STORE, store_at

    roots = [_root(name, store_at(Path(name))) for name in stores or (str(DEFAULT_STORE),)]
    found = [one for root in dict.fromkeys(roots) for one in leftovers(root)]
    if as_json and removing and not yes:
        raise AttnsearchError("--json does not ask: give --yes too")
    if not as_json:
        if found:
            console(stderr=False).print(table(found, time.time()))
        say(f"{total(found)} that no command reads")
    if removing and found and (yes or agreed(f"Remove {total(found)}?")):
        removed = [one for one in found if remove(one)]
        for one in found:
            if one not in removed:
                complain(f"{one.path} is claimed by now: left there")
    else:
        removed = []
    if as_json:
        size = sum(one.size for one in found)
        gone = [str(one.path) for one in removed]
        emit_json({"leftovers": list(records(found)), "bytes": size, "removed": gone})
    elif removing:
        say(f"{total(removed)} removed")


def _root(name: str, store: Path | None) -> Path:
    """Errors: AttnsearchError where a name is not a store's."""
    if store is None:
        raise AttnsearchError(f"{name} is not a folder of runs: name a folder that was given as --out")
    return store.resolve()
