"""A small entry as a document, and the one line in which a changed one is refused."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from attnsearch.leaderboard.entry import Entry, assemble
from attnsearch.leaderboard.entry_file import parsed, written
from attnsearch.runs.cost import Cost
from attnsearch.spec.suite import Suite
from helpers.complaint import message
from helpers.made_runs import ATTENTION, SUITE, runs, suite, verification

TINY = SUITE.replace("seeds = 6", "seeds = 2").replace("selection_seeds = 2", "selection_seeds = 1")
TINY = TINY.replace("support_size = [1, 2]", "support_size = 1").replace("steps = 400", "steps = 120")
TINY = re.sub(r"\[\[tasks\]\]\ntask = \"linear_map\"\nstate_size = 8\nsupport_size = 4\n\n", "", TINY)
"""One cell, two runs to choose by and two that are scored, of up to twelve points."""

BOMB = base64.b64encode(b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'shape': (268435456,), }\n").decode()

Document = dict[str, Any]
Change = Callable[[Document], Any]


@cache
def tiny() -> Suite:
    """The suite of the entry."""
    with TemporaryDirectory() as folder:
        return suite(Path(folder), TINY)


@cache
def entry() -> Entry:
    """A complete entry, verified, with its cost."""
    made = assemble(tiny(), ATTENTION, runs(tiny(), ATTENTION), verification(ATTENTION))
    return replace(made, cost=Cost(8, 1_000, 2_000.5, None, "1 x cpu"))


def document() -> Document:
    """What its file holds."""
    return json.loads(written(entry()))


def complaint(content: Document | bytes) -> str:
    """The one line in which a file is refused."""
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    said = message(lambda: parsed(text))
    assert said.isprintable(), said
    assert said.isascii(), said
    assert len(said) < 1_000
    return said


def curve(*values: float) -> str:
    """A curve as a file holds it."""
    return base64.b64encode(np.array(values, "<f4").tobytes()).decode()


def whole_numbers(*values: int) -> str:
    """One for each target, as a file holds them."""
    return base64.b64encode(np.array(values, "<i4").tobytes()).decode()


def put(place: str, value: Any) -> Change:
    """Puts `value` at a place like `scored.0.runs.1.seed`."""

    def change(document: Document) -> None:
        *path, last = (int(part) if part.isdigit() else part for part in place.split("."))
        target: Any = document
        for part in path:
            target = target[part]
        target[last] = value

    return change
