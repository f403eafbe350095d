"""Where commands draw tables and progress."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from attnsearch.base import plain

WIDE = 200
"""Columns where nobody looks at a screen."""


class Screen(Console):
    """A console on which all text is only text.

    It reads no markup in strings, and writes out control characters of whatever is drawn on it.
    """

    def __init__(self, *, stderr: bool = False, file: IO[str] | None = None):
        super().__init__(stderr=stderr, file=file, markup=False, emoji=False, highlight=False)
        if not self.is_terminal:
            self.width = WIDE

    def render_str(self, text: str, **how: Any) -> Text:
        """A string as text, with its control characters written out. Rich would drop some of them."""
        return super().render_str(_lines(text), **how)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Draw with all text made safe. Rich marks its own control sequences, which pass."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(_lines(segment.text), segment.style)

    def on_broken_pipe(self) -> None:
        """Progress that nobody reads is not drawn any more; results that nobody reads are an error."""
        if not self.stderr:
            raise
        self.quiet = True


def console(*, stderr: bool) -> Screen:
    """The screen, or the file that it was redirected to; there, tables are not folded to 80 columns."""
    return Screen(stderr=stderr)


def _lines(text: str) -> str:
    return text if text == "\n" else "\n".join(map(plain, text.split("\n")))
