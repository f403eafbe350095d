"""A table as texts, whatever it is about, and its forms: for a terminal, as Markdown, as CSV.

Names come from whoever made the runs. Each form writes them so that they stay text: never markup, never what
a terminal obeys, never a formula. Templates of pages read the same `Table`.
"""

from __future__ import annotations

import csv
import io
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table as RichTable
from rich.text import Text

from attnsearch.base import plain
from attnsearch.results.drawing import drawn
from attnsearch.stats.survival import Proportion

NONE = "–"
"""Stands for a missing number."""

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

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """On a terminal: in parts below each other where it is wider than the screen."""
        shown = self if sum(self._widths) + 1 <= options.max_width else self._folded()
        for index, columns in enumerate(shown._parts(options.max_width)):
            widths = [shown._widths[column] for column in columns]
            if shown.styles or len(shown.rows) < 2 or sum(widths) + 1 > options.max_width:
                yield shown._part(columns, range(len(shown.rows)), titled=index == 0)
            else:
                head = shown._part(columns, [0], titled=index == 0)
                for column, width in zip(head.columns, widths, strict=True):
                    column.width = width - _BORDER
                below = [[row[column] for column in columns] for row in shown._body[1:]]
                yield from drawn(head, below, [width - _BORDER for width in widths], console, options)

    @cached_property
    def _body(self) -> list[list[list[str]]]:
        """The texts of each row, line by line, as they are shown."""
        return [[_lines(text).split("\n") for text in row] for row in self.rows]

    @cached_property
    def _widths(self) -> list[int]:
        """Characters that each column takes."""
        headings = [_lines(heading).split("\n") for heading in self.columns]
        return [
            max(cell_len(line) for lines in texts for line in lines) + _BORDER
            for texts in zip(headings, *self._body, strict=True)
        ]

    def _folded(self) -> Table:
        """The table with headings folded to the width of their columns."""
        bodies = zip(*self.rows, strict=True) if self.rows else ((),) * len(self.columns)
        headings = {
            heading: _wrapped(heading, body) for heading, body in zip(self.columns, bodies, strict=True)
        }
        numbers = frozenset(headings[heading] for heading in self.numbers if heading in headings)
        return replace(self, columns=tuple(headings[heading] for heading in self.columns), numbers=numbers)

    def _parts(self, width: int) -> Iterator[list[int]]:
        """The columns of each part, at most `width` wide; the labels stand in every one."""
        widths, labels = self._widths, list(range(self.labels))
        room = width - 1 - sum(widths[column] for column in labels)
        part, taken = list[int](), 0
        for column in range(self.labels, len(widths)):
            if part and taken + widths[column] > room:
                yield [*labels, *part]
                part, taken = [], 0
            part.append(column)
            taken += widths[column]
        yield [*labels, *part]

    def _part(self, columns: Sequence[int], rows: Iterable[int], *, titled: bool) -> RichTable:
        shown = RichTable(title=Text(plain(self.caption)) if titled else None, title_justify="left")
        for column in columns:
            heading = self.columns[column]
            justify = "right" if heading in self.numbers else "left"
            shown.add_column(Text(_lines(heading)), justify=justify, overflow="fold")
        for row in rows:
            texts = self.rows[row]
            shown.add_row(
                *(Text(_lines(texts[column]), self.styles.get((row, column), "")) for column in columns)
            )
        return shown


def _lines(text: str) -> str:
    """`text` without what a terminal might obey, but for line breaks."""
    return "\n".join(map(plain, text.split("\n")))


def _wrapped(heading: str, body: Iterable[str]) -> str:
    """`heading` in lines no longer than its longest word or than the longest line of `body`."""
    words = _lines(heading).split()
    width = max((cell_len(line) for text in [*words, *body] for line in text.split("\n")), default=1)
    return "\n".join(textwrap.wrap(" ".join(words), max(width, 1)))


def steps(value: float | None) -> str:
    """A number of steps: `1,270`; `not reached` for None."""
    return "not reached" if value is None else f"{value:,.0f}"


def interval(low: float | None, high: float | None) -> str:
    """Two numbers of steps: `1,270 to 1,500`; `1,270 or more` where the upper one is not reached."""
    return f"{steps(low)} or more" if high is None else f"{steps(low)} to {steps(high)}"


def number(value: float | None, form: str) -> str:
    """A number in a form of format(), `.2f`; a dash for None."""
    return NONE if value is None else f"{value:{form}}"


def rate(proportion: Proportion) -> str:
    """`7 of 8` over its interval."""
    return f"{proportion.count} of {proportion.of}\n{proportion.low:.0%} to {proportion.high:.0%}"


def ratio(value: float, low: float, high: float) -> str:
    """`1.05` over its interval, `0.93 to 1.17`."""
    return f"{value:.2f}\n{low:.2f} to {high:.2f}"


def counted(count: int, noun: str) -> str:
    """`1 run`, `2,048 runs`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def listed(names: Iterable[str]) -> str:
    """Each of `names`, at least one, once: `one, other and third`."""
    *first, last = dict.fromkeys(names)
    return f"{', '.join(first)} and {last}" if first else last


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
    return "".join(csv_lines(columns, records))


def csv_lines(columns: Sequence[str], records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The lines of `as_csv`, one at a time, where the columns are known before."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(map(_in_csv, columns))
    yield buffer.getvalue()
    for record in records:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow([_in_csv(record.get(key)) for key in columns])
        yield buffer.getvalue()


def _in_csv(value: Any) -> Any:
    if isinstance(value, list):
        value = "; ".join(map(str, value))
    if not isinstance(value, str):
        return value
    return f"'{plain(value)}" if value.startswith(_FORMULA) else plain(value)
