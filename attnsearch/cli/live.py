"""Progress on a terminal, redrawn while it goes on. `rich.progress` draws it in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import NamedTuple, Self

from rich.console import JustifyMethod, RenderableType
from rich.progress import Progress as RichProgress
from rich.progress import SpinnerColumn, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from attnsearch.base import plain
from attnsearch.cli.console import Screen, console
from attnsearch.cli.observers import PlainProgress
from attnsearch.cli.output import note
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import RunSpec
from attnsearch.training.observer import Progress

_WIDEST_BAR = 16
"""Targets that are drawn one by one."""


class LiveProgress(PlainProgress):
    """The same lines, and below them a total and a row for each run in training, redrawn as it trains."""

    def __init__(self, screen: Screen, drawn_per_second: float = 4):
        super().__init__(lambda line: screen.print(line, soft_wrap=True))
        self._shown = _Rows(screen, drawn_per_second)
        self._heading = self._shown.add_task("run", visible=False, texts=_Texts("step", "loss", "found"))
        self._rows: dict[RunSpec, TaskID] = {}

    def __enter__(self) -> Self:
        self._shown.start()
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._shown.total = Text(self._work.describe())
        self._shown.stop()

    def compiling(self, runs: Sequence[RunSpec], num_lanes: int) -> None:
        self._total(f"{self._compiling(runs, num_lanes)} ...")

    def advanced(self, running: Sequence[Progress], num_lanes: int) -> None:
        self._work.advanced(running, num_lanes)
        self._total(self._work.describe())
        for at in running:
            bar = "#" * at.found + "." * (at.targets - at.found) if at.targets <= _WIDEST_BAR else ""
            texts = _Texts(f"{at.step:,}", f"{at.loss:.3f}", f"{at.found}/{at.targets} {bar}")
            if at.spec in self._rows:
                self._shown.update(self._rows[at.spec], texts=texts)
            else:
                self._shown.update(self._heading, visible=True)
                self._rows[at.spec] = self._shown.add_task(self._names.short(at.spec), texts=texts)
        for spec in self._rows.keys() - {at.spec for at in running}:
            self._remove(spec)

    def finished(self, run: StoredRun) -> None:
        super().finished(run)
        # A run that another process trained never had a row.
        if run.spec in self._rows:
            self._remove(run.spec)
        self._total(self._work.describe())

    def waiting(self, held: Sequence[RunSpec]) -> None:
        self._total(f"{self._waiting(held)} ...")

    def _remove(self, spec: RunSpec) -> None:
        self._shown.remove_task(self._rows.pop(spec))
        self._shown.update(self._heading, visible=bool(self._rows))

    def _total(self, text: str) -> None:
        self._shown.total = Text("stopping (again to stop at once)" if self.wants_to_stop() else text)

    def _note_interrupt(self, number: int, frame: FrameType | None) -> None:
        super()._note_interrupt(number, frame)
        self._total("")


class _Texts(NamedTuple):
    """What a row says beside its name. Replaced as a whole, so that no half of it is drawn."""

    step: str
    loss: str
    found: str


class _Rows(RichProgress):
    """Rows of texts with a line above them. Its own thread draws it while another changes it.

    total:  the line above, in sight also where more rows run than fit. It is replaced, never changed
    """

    def __init__(self, screen: Screen, drawn_per_second: float):
        self.total = Text()
        columns = [_column("{task.description}", "left", Column(overflow="fold"))]
        columns += [_column(f"{{task.fields[texts].{name}}}", "right") for name in ("step", "loss")]
        columns += [_column("{task.fields[texts].found}", "left")]
        super().__init__(*columns, console=screen, refresh_per_second=drawn_per_second, redirect_stdout=False)

    def refresh(self) -> None:
        """Leave drawing to the thread: with many rows, a picture for each new one would take seconds."""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield self.total
        yield from super().get_renderables()


def _column(text: str, justify: JustifyMethod, column: Column | None = None) -> TextColumn:
    return TextColumn(text, justify=justify, markup=False, table_column=column)


@contextmanager
def telling(quiet: bool) -> Iterator[Callable[[str], None]]:
    """What says which step of some work is being done: on a terminal in one line, replaced by the next."""
    screen = console(stderr=True)
    if quiet:
        yield lambda line: None
    elif not screen.is_interactive:
        yield note
    else:
        columns = SpinnerColumn(), _column("{task.description}", "left", Column(overflow="fold"))
        with RichProgress(*columns, console=screen, transient=True, redirect_stdout=False) as shown:
            step = shown.add_task("")
            yield lambda line: shown.update(step, description=plain(line))
