"""From runs to what a command says of them: train, draw, print. Every command that trains ends here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from attnsearch import gallery, summary
from attnsearch.devices import use_every_core
from attnsearch.engine import EngineSettings
from attnsearch.progress import Interruptible, LiveProgress, PlainProgress
from attnsearch.runner import run
from attnsearch.screen import console
from attnsearch.specs import RunSpec
from attnsearch.store import Store

_LISTED_PICTURES = 8
"""A longer list would push the table off the screen."""


@dataclass(frozen=True)
class Output:
    """What a command says, and where it stores. The fields are the flags of the same names."""

    out: Path
    as_json: bool
    quiet: bool
    no_plots: bool


def sweep(specs: Sequence[RunSpec], output: Output, settings: EngineSettings) -> bool:
    """Train what is not stored yet, then print a table or JSON; False where it was interrupted.

    Errors: AttnsearchError for a specification or a store that cannot be used.
    """
    if not output.no_plots:
        from attnsearch.pictures import require_matplotlib

        require_matplotlib()
    store = Store.open(output.out)
    use_every_core()
    try:
        with _progress(output.quiet) as observer:
            runs = run(specs, store, observer=observer, settings=settings)
    except KeyboardInterrupt:
        stored = sum(store.path(spec).is_dir() for spec in specs)
        click.echo(
            f"Interrupted: {stored} of {len(specs)} runs are stored in {output.out}, and those in training"
            " are checkpointed; the same command goes on from there.",
            err=True,
        )
        return False

    cells = summary.cells(runs)
    pictures = [] if output.no_plots else gallery.draw(cells, output.out / "pictures")
    if output.as_json:
        document = summary.document(cells, str(output.out), list(map(str, pictures)))
        click.echo(json.dumps(document, allow_nan=False))
        return True
    screen = console(stderr=False)
    screen.print(summary.table(cells))
    for warning in summary.warnings(cells):
        screen.print(f"warning: {warning}", style="yellow", markup=False, highlight=False)
    click.echo(f"Runs:     {output.out / 'runs'} ({len(runs)} of this command)")
    for label, line in zip(["Pictures:", *[""] * len(pictures)], _listed(pictures), strict=False):
        click.echo(f"{label:<9} {line}")
    return True


def _listed(pictures: Sequence[Path]) -> list[str]:
    if len(pictures) <= _LISTED_PICTURES:
        return list(map(str, pictures))
    # The last one is that of the whole grid.
    return [str(pictures[-1]), f"and {len(pictures) - 1} more beside it, two of each cell"]


def _progress(quiet: bool) -> Interruptible:
    if quiet:
        return Interruptible()
    screen = console(stderr=True)
    return LiveProgress(screen) if screen.is_terminal else PlainProgress(screen)
