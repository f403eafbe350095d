"""`attnsearch doctor`: is this installation sound?"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from attnsearch.base import AttnsearchError
from attnsearch.cli.options import json_option
from attnsearch.cli.output import emit_json, say
from attnsearch.cli.status import DONE
from attnsearch.files import reason

if TYPE_CHECKING:
    from attnsearch.results.table import Table
    from attnsearch.runs.store import StoredRun

UNSOUND = 1
"""Exit status where a run is out of bounds."""


@click.command()
@json_option
@click.option("--quiet", is_flag=True, help="show no progress, only warnings and errors")
def doctor(as_json: bool, quiet: bool) -> int:
    """Say whether this installation is sound, in about ten seconds.

    Prints versions, cores and devices, trains two small networks, and compares them with bounds that hold on
    every machine. Exit status 0 where they are met, 1 where not. Nothing is stored.
    """
    try:
        from attnsearch.cli.progress import progress_for
        from attnsearch.probing.installation import faults, train
        from attnsearch.training import machine
        from attnsearch.training.jax import devices
    except ImportError as error:
        raise AttnsearchError(
            f"a part of the installation cannot be loaded: {reason(error)}. Install attnsearch anew, into an"
            " empty environment"
        ) from error
    from attnsearch.cli.console import console

    devices.use_every_core()
    began = time.monotonic()
    with progress_for(quiet) as observer:
        runs = train(observer)
    seconds, found = time.monotonic() - began, faults(runs)
    environment = {**runs[0].environment, "cores": machine.cores()}
    if flags := os.environ.get("XLA_FLAGS"):
        environment["xla_flags"] = flags
    if as_json:
        emit_json(document(environment, runs, found, seconds))
    else:
        for line in described(environment):
            say(line)
        console(stderr=False).print(table(runs))
        say(verdict(runs, found, seconds))
    return UNSOUND if found else DONE


def described(environment: Mapping[str, Any]) -> list[str]:
    """Versions, cores and devices, a line each."""
    versions = ", ".join(f"{name} {version}" for name, version in environment["versions"].items())
    lines = [
        f"Versions:  {versions}; Python {environment['python']}",
        f"Machine:   {environment['platform']}, {environment['processor']}, {environment['cores']} cores",
        f"Devices:   {environment['devices']} x {environment['device']}",
    ]
    return lines + ([f"XLA_FLAGS: {environment['xla_flags']}"] if "xla_flags" in environment else [])


def table(runs: Sequence[StoredRun]) -> Table:
    """One row a run, and a row of the bounds."""
    from attnsearch.probing.installation import BOUNDS, COMMAND
    from attnsearch.results.table import Table

    measures = tuple(bound.measure for bound in BOUNDS)
    rows = [(f"seed {run.spec.seed}", *(bound.text(run) for bound in BOUNDS)) for run in runs]
    wrong = {
        (row, 1 + column): "red"
        for row, run in enumerate(runs)
        for column, bound in enumerate(BOUNDS)
        if not bound.met(run)
    }
    return Table(
        f"Of `{COMMAND}`, the first runs",
        ("run", *measures),
        frozenset(measures),
        (*rows, ("bounds", *map(str, BOUNDS))),
        styles=wrong,
    )


def verdict(runs: Sequence[StoredRun], faults: Sequence[str], seconds: float) -> str:
    """The answer in one line."""
    if faults:
        return f"Not sound: {'; '.join(faults)}"
    return f"Sound: {len(runs)} runs are within the bounds, in {seconds:.0f} s with compilation"


def document(
    environment: Mapping[str, Any], runs: Sequence[StoredRun], faults: Sequence[str], seconds: float
) -> dict[str, Any]:
    """The same as JSON values."""
    from attnsearch.probing.installation import BOUNDS

    return {
        "sound": not faults,
        "faults": list(faults),
        "seconds": round(seconds, 1),
        "environment": dict(environment),
        "bounds": {bound.measure: [bound.low, bound.high] for bound in BOUNDS},
        "runs": [
            {"seed": run.spec.seed, **{bound.measure: bound.value(run) for bound in BOUNDS}} for run in runs
        ],
    }
