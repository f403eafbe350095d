"""Progress on standard error: live on a terminal, lines elsewhere, warnings alone where that is asked."""

from __future__ import annotations

from attnsearch.cli.console import console
from attnsearch.cli.observers import Interruptible, PlainProgress


def progress_for(quiet: bool) -> Interruptible:
    """What tells the user how training goes."""
    if quiet:
        return Interruptible()
    from attnsearch.cli.live import LiveProgress

    screen = console(stderr=True)
    return LiveProgress(screen) if screen.is_interactive else PlainProgress()
