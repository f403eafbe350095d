"""What the live view draws: a row for each run in training, and below them how far the whole work is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from attnsearch.base import plain

SPARK = 16
"""Characters of a spark line."""

_BLOCKS, _ASCII = "▁▂▃▄▅▆▇█", "_.,-=+*#"
"""Heights of a spark line: the last but one is chance, the last is above it."""

_ABOVE = 1.05
"""Of chance: where a loss counts as above it. The plateau itself is a little noisy."""

_WIDEST_BAR = 8
"""Targets that are drawn one by one."""

_SCROLLED = 5
"""Lines that are kept for what has ended."""

_GAP = "  "


@dataclass(frozen=True)
class Row:
    """One run in training: what tells it from the others, and where it is.

    losses:  of at most `SPARK` steps, evenly spread over the run so far, in nats
    chance:  the loss by chance, in nats
    """

    name: str
    step: int
    losses: tuple[float, ...]
    chance: float
    found: int
    targets: int

    def spark(self, blocks: str) -> str:
        """The loss so far; its height is the share of chance."""
        return "".join(_block(loss / self.chance, blocks) for loss in self.losses)

    def bar(self) -> str:
        """The targets that are found: `3/8 ###.....`."""
        drawn = f" {'#' * self.found}{'.' * (self.targets - self.found)}"
        return f"{self.found}/{self.targets}" + (drawn if self.targets <= _WIDEST_BAR else "")


@dataclass(frozen=True)
class View:
    """Everything that is redrawn. It is replaced, never changed: another thread draws it.

    shared:  what all rows have in common, and other runs do not
    footer:  parts of the last lines
    """

    shared: str = ""
    rows: tuple[Row, ...] = ()
    footer: tuple[str, ...] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        footer = packed(self.footer, options.max_width)
        room = max(console.height - len(footer) - _SCROLLED, 2)
        if self.rows:
            shown = self.rows if len(self.rows) <= room else self.rows[: room - 1]
            blocks = _ASCII if options.ascii_only else _BLOCKS
            for line in self._table(shown, blocks, options.max_width):
                yield Text(line, no_wrap=True, overflow="crop")
            if len(shown) < len(self.rows):
                yield Text(f"and {len(self.rows) - len(shown)} more")
        for line in footer:
            yield Text(line)

    def _table(self, rows: Sequence[Row], blocks: str, width: int) -> list[str]:
        """A heading and a line for each row, none wider than `width`."""
        heading = (plain(self.shared) or "run", "step", "loss", f"{blocks[-2]} is chance", "found")
        texts = [
            (plain(row.name), f"{row.step:,}", f"{row.losses[-1]:.3f}", row.spark(blocks), row.bar())
            for row in rows
        ]
        widths = [max(map(cell_len, column)) for column in zip(heading, *texts, strict=True)]
        widths[3] = SPARK
        widths[0] = max(min(widths[0], width - sum(widths[1:]) - len(_GAP) * 4), 1)
        lines = []
        for name, step, loss, spark, found in [heading, *texts]:
            parts = (_end_of(name, widths[0]), step.rjust(widths[1]), loss.rjust(widths[2]))
            lines.append(_GAP.join([*parts, spark.ljust(SPARK), found]))
        return lines


def sampled(losses: Sequence[float]) -> tuple[float, ...]:
    """At most `SPARK` of the losses, evenly spread, the last among them."""
    count = len(losses)
    if count <= SPARK:
        return tuple(losses)
    return tuple(losses[(place + 1) * count // SPARK - 1] for place in range(SPARK))


def packed(parts: Sequence[str], width: int) -> list[str]:
    """`parts` in lines no wider than `width`, where a part is not."""
    lines: list[str] = []
    for part in map(plain, parts):
        if lines and cell_len(lines[-1]) + cell_len(part) + 3 <= width:
            lines[-1] += f" | {part}"
        else:
            lines.append(part)
    return lines


def _block(share: float, blocks: str) -> str:
    if not share <= _ABOVE:
        return blocks[-1]
    return blocks[min(max(round(share * (len(blocks) - 2)), 0), len(blocks) - 2)]


def _end_of(name: str, width: int) -> str:
    """`name` in so many cells. Of a longer one the end is kept: there stands the seed."""
    if cell_len(name) <= width:
        return set_cell_size(name, width)
    while cell_len(name) >= width:
        name = name[1:]
    return set_cell_size(f"…{name}", width)
