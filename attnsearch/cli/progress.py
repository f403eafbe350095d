"""Progress on standard error: live on a terminal, lines elsewhere, warnings alone where that is asked."""

from __future__ import annotations

from attnsearch.cli.console import console
from attnsearch.cli.observers import Interruptible, PlainProgress
from attnsearch.runs.store import Store


def progress_for(quiet: bool, store: Store | None = None) -> Interruptible:
    """What tells the user how training goes. Runs of other seeds in `store` tell how long it may take."""
    if quiet:
        return Interruptible()
    from attnsearch.cli.live import LiveProgress

    screen = console(stderr=True)
    return LiveProgress(screen, store) if screen.is_interactive else PlainProgress(store)
