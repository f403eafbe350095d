"""What commands say, line by line. Whatever a line is made of, it stays one line and obeys nothing."""

from __future__ import annotations

from contextlib import suppress

import click

from attnsearch.base import plain


def say(line: str) -> None:
    """Print a line on standard output."""
    click.echo(plain(line))


def note(line: str) -> None:
    """Print a line on standard error, beside the results. A command goes on where nobody can be told."""
    with suppress(OSError):
        click.echo(plain(line), err=True)


def document(text: str) -> None:
    """Print a whole document on standard output as it is: JSON, CSV, a page. Its own form keeps it safe."""
    click.echo(text, nl=not text.endswith("\n"))
