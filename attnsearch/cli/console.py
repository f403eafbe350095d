"""Where commands print."""

from __future__ import annotations

from rich.console import Console


def console(*, stderr: bool) -> Console:
    """A console that, where nobody looks at it, does not fold a table to 80 columns."""
    screen = Console(stderr=stderr)
    return screen if screen.is_terminal else Console(stderr=stderr, width=200)
