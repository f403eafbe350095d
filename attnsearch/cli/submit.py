"""`attnsearch submit`: one mixer's runs on a suite as one file to send."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from attnsearch.base import AttnsearchError
from attnsearch.cli.completing import mixer_names
from attnsearch.cli.options import (
    Assignments,
    json_option,
    mixer_set_option,
    output_option,
    runs_argument,
    suite_option,
)
from attnsearch.cli.output import complain, emit_json, say

if TYPE_CHECKING:
    from attnsearch.backends import Backends
    from attnsearch.leaderboard.entry import Entry
    from attnsearch.spec.suite import Suite


@click.command()
@runs_argument
@output_option("the file to write", "entry.json")
@suite_option
@click.option(
    "--mixer",
    metavar="NAME",
    shell_complete=mixer_names,
    help="the mixer to enter; your own must be named, and is imported",
)
@mixer_set_option
@json_option
def submit(
    runs: Sequence[str],
    output: Path,
    suite: str,
    mixer: str | None,
    mixer_settings: Assignments,
    as_json: bool,
) -> None:
    """Make an entry of the leaderboard: one mixer on one suite, at its best learning rate.

    RUNS are stored runs, as other commands take them. `attnsearch sweep` makes the runs of an entry, and
    `attnsearch verify` the record without which it is not ranked. The file holds curves, from which every
    number is computed anew when it is read. It also holds the cost of the mixer, measured here in a few
    seconds of training.
    """
    from attnsearch.backends import Backends
    from attnsearch.files import write_whole
    from attnsearch.leaderboard.candidates import of_runs
    from attnsearch.leaderboard.entry_file import parsed, written
    from attnsearch.leaderboard.shortcomings import unverified
    from attnsearch.runs.coverage import verify_command
    from attnsearch.runs.lookup import collect, standings
    from attnsearch.runs.opened import Opener
    from attnsearch.spec.suite import Suite, find_suite
    from attnsearch.training.cost import cost
    from attnsearch.training.jax.devices import use_every_core

    asked = Suite.read(find_suite(suite), None)
    standing = standings(runs)
    candidates, _ = of_runs([asked], collect(runs, complain, Opener()), standing)
    entry = _chosen([one.entry for one in candidates], mixer, mixer_settings, suite)
    _check(asked, entry, suite, runs)
    backend = Backends()
    if entry.mixer.name != mixer:
        backend.require_named(entry.mixer.name)
    use_every_core()
    specs = [run.spec for cell in entry.scored for run in cell.runs]
    entry = replace(_still_verified(entry, backend), cost=cost(specs, backend))
    text = written(entry)
    # What cannot be read again would be refused elsewhere.
    parsed(text.encode())
    write_whole(output, text)
    if doubt := unverified(entry):
        cells = dict.fromkeys(spec.cell for spec in specs)
        found = [standing(cell) for cell in cells]
        reasons = dict.fromkeys(one.reason for one in found if one.state != "verified")
        how = f"; `{verify_command(list(cells))}` checks it" if reasons else ""
        complain(f"{entry.mixer.name} {'; '.join(reasons) or doubt}: it will be listed apart{how}")
    size = len(text.encode())
    if as_json:
        mixed = {"mixer": entry.mixer.name, "settings": dict(entry.mixer.settings)}
        emit_json({"entry": str(output), **mixed, "suite": suite, "verified": not doubt, "bytes": size})
    else:
        say(f"{output}  {size / 1e6:.2f} MB")


def _chosen(entries: Sequence[Entry], name: str | None, settings: Assignments, suite: str) -> Entry:
    """The entry that the user means. Errors: AttnsearchError where there is none, or several."""
    from attnsearch.spec.names import mixer_names

    if not entries:
        raise AttnsearchError(f"none of these runs answers a question of {suite}")
    meant = [
        entry
        for entry in entries
        if (name is None or entry.mixer.name == name)
        and all(dict(entry.mixer.settings).get(key) in values for key, values in settings)
    ]
    if len(meant) != 1:
        known = "; ".join(mixer_names([entry.mixer for entry in entries]).values())
        few = "several mixers are" if meant else "no such mixer is"
        raise AttnsearchError(
            f"{few} among these runs: give --mixer, and --mixer-set for settings. There are: {known}"
        )
    return meant[0]


def _check(asked: Suite, entry: Entry, suite: str, runs: Sequence[str]) -> None:
    """Errors: AttnsearchError where runs leak, or where the entry is not complete, with the command that
    completes it."""
    from attnsearch.leaderboard.shortcomings import leaks, shortcomings
    from attnsearch.spec.command import mixer_flags

    if seen := leaks(entry):
        raise AttnsearchError(f"{entry.mixer.name} cannot be entered: {'; '.join(seen)}")
    missing = shortcomings(asked, entry)
    if not missing:
        return
    words = ["attnsearch", "sweep", suite, *mixer_flags(entry.mixer)]
    # In several folders, only the user knows which is meant to hold the rest.
    words += ["--out", runs[0]] if len(runs) == 1 else []
    raise AttnsearchError(f"{'; '.join(missing)}. To train the missing runs, give `{shlex.join(words)}`")


def _still_verified(entry: Entry, backend: Backends) -> Entry:
    """The entry, without its verification where the mixer's class is of other code than was verified."""
    from attnsearch.probing.verify import sources_of

    code = sources_of(backend.mixer(entry.mixer.name))
    if entry.verification is None or dict(entry.verification.sources) == code:
        return entry
    complain(f"the code of {entry.mixer.name} has changed since it was verified")
    return replace(entry, verification=None)
