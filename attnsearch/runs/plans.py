"""What processes are about to train: each writes it down where its runs are stored, for those who look on.

Numpy side; never imports jax. Layout under the root of a store, which never looks at hidden names::

    runs/.plan-<pid>-<random>    JSON; locked while its process works on these runs

A file that nobody has locked means nothing. A killed process left it, and the next one that plans removes it.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from attnsearch import files
from attnsearch.runs.claims import is_locked
from attnsearch.runs.digests import digests
from attnsearch.spec.run import RunSpec

PLAN = ".plan-"
"""How the name of a plan begins."""

_VERSION = 1


class Plan(NamedTuple):
    """What one process is about to train.

    began:  when it was written down, in seconds since 1970
    specs:  by digest, the runs that were not stored then
    """

    began: float
    specs: Mapping[str, RunSpec]


@contextmanager
def planning(root: Path, specs: Sequence[RunSpec]) -> Iterator[None]:
    """Write down that this process is about to train `specs`, until the end of the block.

    A plan is for those who look on. Where it cannot be written, the block goes on without.
    """
    folder = root / "runs"
    with ExitStack() as until_ended:
        if specs:
            with suppress(OSError):
                _remove_abandoned(folder)
                path = folder / f"{PLAN}{os.getpid()}-{secrets.token_hex(4)}"
                file = until_ended.enter_context(path.open("x"))
                # While it is locked, so that nobody takes it for abandoned.
                until_ended.callback(path.unlink, missing_ok=True)
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                file.write(json.dumps(_document(specs)))
                file.flush()
        yield


def is_followed(path: Path) -> bool:
    """Whether a living process works on the plan at `path`."""
    return is_locked(path)


def is_abandoned(path: Path) -> bool:
    """Whether a killed process left the plan at `path`. An empty one is being written by a process that is
    about to lock it."""
    try:
        return path.stat().st_size > 0 and not is_locked(path)
    except FileNotFoundError:
        return False


def read_plan(path: Path) -> Plan:
    """The plan at `path`. Errors: one of `files.DAMAGE`, also for one that is being written."""
    content = files.read_whole(path)
    document = json.loads(content)
    if document["plan_version"] != _VERSION:
        raise ValueError(f"plan version {document['plan_version']}, expected {_VERSION}")
    specs = list[RunSpec]()
    for first, seeds in document["cells"]:
        cell = RunSpec.from_json(first).cell
        specs += [RunSpec(cell, seed, rule_seed) for seed, rule_seed in seeds]
    return Plan(path.stat().st_mtime, dict(zip(digests(specs), specs, strict=True)))


def _document(specs: Sequence[RunSpec]) -> dict[str, object]:
    # Runs of a cell follow one another, and share it: one of them is written whole.
    cells = [list(runs) for _, runs in groupby(specs, key=lambda spec: id(spec.cell))]
    return {
        "plan_version": _VERSION,
        "cells": [[runs[0].to_json(), [[run.seed, run.rule_seed] for run in runs]] for runs in cells],
    }


def _remove_abandoned(folder: Path) -> None:
    for path in folder.glob(f"{PLAN}*"):
        with suppress(OSError):
            if is_abandoned(path):
                path.unlink()
