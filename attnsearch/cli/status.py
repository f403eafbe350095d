"""How a command ends: the exit statuses, and the one place that gives them."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

import click

from attnsearch.base import AttnsearchError
from attnsearch.cli.output import complain, note_lines
from attnsearch.files import reason

DONE, USAGE_ERROR, FAILED, INTERRUPTED = 0, 2, 4, 130
"""Exit statuses that all commands share. `MEANINGS` has the others."""

MEANINGS = """\
\b
Exit status:
  0    done
  1    the answer is no: check found a regression, verify a failed check, doctor a fault, or audit
       curves that do not agree
  2    something that was given cannot be used: a flag, a file, a folder
  3    check has too few data to tell
  4    failed: an unexpected error, or output that cannot be written
  130  interrupted
"""


_OF_STREAMS = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What a standard output raises that cannot be written. Files raise it too, but whoever writes one says so in
an error of the user's."""


class _Passed(Exception):
    """Carries an error past click, which would end the process with status 1 or take it for an interrupt."""

    def __init__(self, error: Exception):
        super().__init__(error)
        self.error = error


@contextmanager
def past_click() -> Iterator[None]:
    """Around what click calls: the errors to which click gives a status of its own leave it as any other."""
    try:
        yield
    except (OSError, EOFError) as error:
        raise _Passed(error) from error
    except SystemExit as error:
        # A mixer, say, whose module is a script.
        called = RuntimeError(f"some code called sys.exit({error.code!r})")
        called.__cause__ = error
        raise _Passed(called) from error


def status_of(command: Callable[[], int | None]) -> int:
    """Call `command` and return its exit status. What went wrong is said on standard error.

    An error of the user takes one line. Only an unexpected error has a traceback, below its line.
    """
    try:
        status = command() or DONE
        if sys.stdout is not None:
            sys.stdout.flush()
    except (KeyboardInterrupt, click.Abort):
        status = INTERRUPTED
    except click.ClickException as error:
        complain(error.format_message())
        status = USAGE_ERROR
    except AttnsearchError as error:
        complain(str(error))
        status = USAGE_ERROR
    except Exception as error:
        status = _failed(error.error if isinstance(error, _Passed) else error)
    for stream in (sys.stdout, sys.stderr):
        _let_go_if_broken(stream)
    return status


def _failed(error: Exception) -> int:
    if isinstance(error, OSError) and error.errno in _OF_STREAMS and error.filename is None:
        # A reader that has closed its end of a pipe knows it.
        if not isinstance(error, BrokenPipeError):
            complain(f"cannot write the output: {reason(error)}")
        return FAILED
    complain(f"unexpected error: {reason(error)}")
    note_lines("".join(traceback.format_exception(error)))
    return FAILED


def _let_go_if_broken(stream: TextIO | None) -> None:
    """Lead a stream nowhere that cannot be written. Python would try again at its end, and give a status."""
    if stream is None or stream.closed:
        return
    try:
        stream.flush()
    except OSError:
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
