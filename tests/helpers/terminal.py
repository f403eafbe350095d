"""The command line called in this process: jax starts once, and what was compiled stays."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple

import pytest

from attnsearch.cli import main as cli


class Outcome(NamedTuple):
    """What a command left behind: its exit status, and what it printed where."""

    status: int
    out: str
    err: str


def attnsearch(*arguments: str) -> Outcome:
    """The outcome of `attnsearch ARGUMENTS`, with no terminal in sight."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    code = stopped.value.code
    assert code is None or isinstance(code, int)
    return Outcome(code or 0, out.getvalue(), err.getvalue())


def complaint(*arguments: str) -> str:
    """The one line that a mistake gets."""
    done = attnsearch(*arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert done.err.startswith("attnsearch: ")
    assert "Traceback" not in done.err
    return done.err
