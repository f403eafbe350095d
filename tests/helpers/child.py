"""Another process that runs a few lines, and a conversation with it."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attnsearch.base

Child = subprocess.Popen[bytes]

PAUSE = """
import sys

def pause(event, arguments):
    if event == sys.argv[2] and sys.argv[3] in str(arguments[0]):
        print("ready", flush=True)
        sys.stdin.buffer.read(1)

sys.addaudithook(pause)
"""
"""From here on the child says `ready`, and waits for a byte, at the audit event `sys.argv[2]` whose first
argument holds `sys.argv[3]`."""


@contextmanager
def child(script: str, given: object, *arguments: str, **environment: str) -> Iterator[Child]:
    """Python running `script`, with `given` pickled on its standard input; killed on leaving."""
    package_parent = str(Path(attnsearch.base.__file__).parents[1])
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": package_parent} | environment,
    )
    with process:
        tell(process, pickle.dumps(given))
        try:
            yield process
        finally:
            process.kill()


def tell(process: Child, words: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(words)
    process.stdin.flush()


def heard(process: Child) -> str:
    """The next line that it prints."""
    assert process.stdout is not None
    return process.stdout.readline().decode().strip()


def output(process: Child) -> str:
    """All that it still prints, to its end."""
    written, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return written.decode()


def kill(process: Child) -> None:
    process.kill()
    assert process.wait(timeout=60) == -9
