"""A table as texts, whatever it is about, and its forms: for a terminal, as Markdown, as CSV.

Names come from whoever made the runs. Each form writes them so that they stay text: never markup, never what
a terminal obeys, never a formula. Templates of pages read the same `Table`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.table import Table as RichTable
from rich.text import Text

from attnsearch.base import plain

NONE = "–"
"""Where there is no number."""

_BORDER = 3
"""Characters that a column of a terminal takes beside its text."""


@dataclass(frozen=True)
class Table:
    """What is shown as a table.

    columns:  headings; a line break in one is a space where there is room
    numbers:  the columns that are aligned as numbers are
    rows:     texts; in each, what follows a line break is a smaller note below
    labels:   how many of the first columns say what a row is about
    styles:   of single texts, by row and column, as rich calls them; only a terminal has them
    """

    caption: str
    columns: tuple[str, ...]
    numbers: frozenset[str]
    rows: tuple[tuple[str, ...], ...]
    labels: int = 1
    styles: Mapping[tuple[int, int], str] = field(default_factory=dict)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RichTable]:
        """On a terminal: in parts below each other where it is wider than the screen."""
        for index, columns in enumerate(_parts(self, options.max_width)):
            yield _part(self, columns, titled=index == 0)


def steps(value: float | None) -> str:
    """A number of steps: `1,270`; `not reached` for None."""
    return "not reached" if value is None else f"{value:,.0f}"


def number(value: float | None, form: str) -> str:
    """A number in a form of format(), `.2f`; a dash for None."""
    return NONE if value is None else f"{value:{form}}"


def counted(count: int, noun: str) -> str:
    """`1 run`, `2,048 runs`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def listed(names: Iterable[str]) -> str:
    """Each of `names`, at least one, once: `one, other and third`."""
    *first, last = dict.fromkeys(names)
    return f"{', '.join(first)} and {last}" if first else last


def _parts(table: Table, width: int) -> Iterator[list[int]]:
    """The columns of each part, those that are labels in every one."""
    widths = [
        max(cell_len(line) for text in texts for line in _lines(text).split("\n"))
        for texts in zip(table.columns, *table.rows, strict=True)
    ]
    labels, columns = list(range(table.labels)), range(table.labels, len(widths))
    room = width - 1 - sum(widths[column] + _BORDER for column in labels)
    part, taken = list[int](), 0
    for column in columns:
        needed = widths[column] + _BORDER
        if part and taken + needed > room:
            yield [*labels, *part]
            part, taken = [], 0
        part.append(column)
        taken += needed
    yield [*labels, *part]


def _part(table: Table, columns: Sequence[int], *, titled: bool) -> RichTable:
    shown = RichTable(title=Text(plain(table.caption)) if titled else None, title_justify="left")
    for column in columns:
        heading = table.columns[column]
        justify = "right" if heading in table.numbers else "left"
        shown.add_column(Text(_lines(heading)), justify=justify, overflow="fold")
    for index, row in enumerate(table.rows):
        shown.add_row(
            *(Text(_lines(row[column]), table.styles.get((index, column), "")) for column in columns)
        )
    return shown


def _lines(text: str) -> str:
    """`text` without what a terminal might obey, but for line breaks."""
    return "\n".join(map(plain, text.split("\n")))


_MARKDOWN = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_[]<>|~$&@#"})
"""The signs that Markdown, and what is common beyond it, gives a meaning within a line."""


def in_markdown(text: str) -> str:
    """`text` as Markdown that shows every sign as itself, in one line; notes follow a semicolon."""
    line = "; ".join(plain(part).translate(_MARKDOWN) for part in text.split("\n"))
    # A dot or a colon after a letter would make a link of what looks like an address.
    return re.sub(r"(?<=[A-Za-z])([.:])", r"\\\1", line)


def markdown(table: Table) -> str:
    """The table as Markdown, its caption above it in bold."""

    def line(texts: Iterable[str]) -> str:
        return f"| {' | '.join(texts)} |"

    headings = (in_markdown(column.replace("\n", " ")) for column in table.columns)
    aligned = ("---:" if column in table.numbers else "---" for column in table.columns)
    rows = (line(map(in_markdown, row)) for row in table.rows)
    caption = f"**{in_markdown(table.caption)}**"
    return "\n".join([caption, "", line(headings), line(aligned), *rows])


_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""How a text begins that a spreadsheet would compute."""


def as_csv(records: Sequence[Mapping[str, Any]]) -> str:
    """One line a record below a header of all their keys; empty where a record has no value.

    A text that begins as a formula does is given an apostrophe, which spreadsheets take as the sign of text.
    """
    columns = list(dict.fromkeys(key for record in records for key in record))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(map(_in_csv, columns))
    writer.writerows([_in_csv(record.get(key)) for key in columns] for record in records)
    return buffer.getvalue()


def _in_csv(value: Any) -> Any:
    if isinstance(value, list):
        value = "; ".join(map(str, value))
    if not isinstance(value, str):
        return value
    return f"'{plain(value)}" if value.startswith(_FORMULA) else plain(value)
