"""A column: one number of a row, declared once, with its name, its meaning and its form in tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from attnsearch.spec.run import Value

Row = TypeVar("Row")
"""What a row of a table is about: a cell, a run, a target of a run."""


@dataclass(frozen=True)
class Column(Generic[Row]):
    """One number of a row.

    key:         its name in CSV and JSON
    heading:     its name in tables; "" for one that no table shows, or that is a note of another's text
    value:       None where there is none
    text:        as tables show it; what follows a line break is a smaller note
    shown:       tables leave the column out where this holds for no row
    unit:        of the value: `steps`, `bits`, `nats`; `share` for a number in [0, 1]; "" for a word
    definition:  what the value is, in a sentence or two
    """

    key: str
    heading: str
    value: Callable[[Row], Value]
    text: Callable[[Row], str] = lambda row: ""
    shown: Callable[[Row], bool] = lambda row: True
    unit: str = ""
    definition: str = ""
