"""A table on a terminal: rich draws its head, and the rows below it are lines of text.

A study of a large store has thousands of rows. Rich would measure, wrap and style each of their texts by
itself, which takes longer than all statistics.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from rich.box import HEAVY_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.segment import Segment
from rich.table import Table as RichTable

Lines = Sequence[str]
"""A text, line by line."""


def drawn(
    head: RichTable,
    rows: Sequence[Sequence[Lines]],
    widths: Sequence[int],
    console: Console,
    options: ConsoleOptions,
) -> Iterator[Segment]:
    """`head`, a table of one row that fits on the screen, with `rows` of plain text below its row.

    widths:  of each column, within its padding
    """
    *above, bottom, end = console.render(head, options)
    yield from above
    box = HEAVY_HEAD.substitute(options, safe=console.safe_box)
    right = [column.justify == "right" for column in head.columns]
    for row in rows:
        for texts in zip_longest(*row, fillvalue=""):
            placed = map(_placed, texts, widths, right)
            yield Segment(f"{box.mid_left} {f' {box.mid_vertical} '.join(placed)} {box.mid_right}")
            yield end
    yield bottom
    yield end


def _placed(text: str, width: int, right: bool) -> str:
    """`text` in a column of this width."""
    if right:
        text = text.rstrip()
    room = " " * (width - cell_len(text))
    return room + text if right else text + room
