"""What commands print. Whatever a line is made of, it stays one line and obeys nothing."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import click

from attnsearch.base import AttnsearchError, plain

_NAME = "attnsearch"


def say(line: str) -> None:
    """Print a line on standard output."""
    click.echo(plain(line))


def program() -> str:
    """What the user types to call this program: its name, or its path where the shell does not find it."""
    called = Path(sys.argv[0])
    found = called.name != _NAME or shutil.which(_NAME) is not None
    return _NAME if found else shlex.quote(str(called))


def note(line: str) -> None:
    """Print a line on standard error, beside the results. A command goes on where nobody can be told."""
    with suppress(OSError):
        click.echo(plain(line), err=True)


def complain(message: str) -> None:
    """Tell what is wrong in one line on standard error, which says that the program tells it."""
    note(f"attnsearch: {' '.join(message.split())}")


def note_lines(text: str) -> None:
    """Print each line of a text, a traceback say, on standard error."""
    for line in text.splitlines():
        note(line)


def emit(document: str) -> None:
    """Print a whole document on standard output as it is, CSV or a page: its own form keeps it safe."""
    click.echo(document, nl=False)


def emit_parts(texts: Iterable[str]) -> None:
    """Print a document that is made part by part, and never held as a whole."""
    waiting = iter(texts)
    while some := "".join(islice(waiting, 1_000)):
        emit(some)


def chosen_form(form: str | None, as_json: bool) -> str | None:
    """The form of `--format` or `--json`. Errors: AttnsearchError where both are given and differ."""
    if as_json and form not in (None, "json"):
        raise AttnsearchError(f"--json and --format {form} are two forms: give one of them")
    return "json" if as_json else form


def emit_json(values: Mapping[str, Any]) -> None:
    """Print JSON values on standard output, in one line of ASCII."""
    emit(json.dumps(values, allow_nan=False) + "\n")
