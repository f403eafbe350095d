"""Progress on a terminal, redrawn while it goes on. `rich.live` draws it in a thread of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

from rich.live import Live
from rich.progress import Progress as Spinner
from rich.progress import SpinnerColumn, TextColumn
from rich.table import Column

from attnsearch.base import plain
from attnsearch.cli.console import Screen, console
from attnsearch.cli.observers import PlainProgress
from attnsearch.cli.output import note
from attnsearch.cli.view import Row, View, sampled
from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec.names import Names, heading, joined
from attnsearch.spec.run import CellSpec, RunSpec
from attnsearch.training.observer import ClusterWorker, Progress, Shards


class LiveProgress(PlainProgress):
    """The same lines, which scroll, and below them a view of the runs in training and of the whole work."""

    def __init__(self, screen: Screen, store: Store | None = None, drawn_per_second: float = 4):
        super().__init__(store, lambda line: screen.print(line, soft_wrap=True))
        self._view = View()
        self._live = Live(
            console=screen,
            get_renderable=lambda: self._view,
            refresh_per_second=drawn_per_second,
            redirect_stdout=False,
        )
        self._interval, self._changed = 1 / drawn_per_second, 0.0
        self._losses: dict[RunSpec, list[float]] = {}
        self._together: tuple[tuple[CellSpec, ...], Names] = (), Names(())

    def __enter__(self) -> Self:
        self._live.start()
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._view = View(footer=tuple(self._work.parts()) if self._work.total else ())
        self._live.stop()

    def preparing(self, runs: Sequence[RunSpec], num_lanes: int, work: str) -> None:
        self._view = View(footer=(f"{self._preparing(runs, num_lanes, work)} ...", *self._work.parts()))

    def advanced(self, running: Sequence[Progress], num_lanes: int) -> None:
        self._work.advanced(running, num_lanes)
        self._losses = {at.spec: self._losses.get(at.spec, []) for at in running}
        for at in running:
            self._losses[at.spec].append(at.loss)
        now = time.monotonic()
        # More often than it is drawn, a view need not be made.
        if now - self._changed >= self._interval or self.wants_to_stop():
            self._changed = now
            self._show(running)

    def spread(self, workers: Sequence[ClusterWorker], shards: Shards) -> None:
        self._work.spread(workers, shards)
        self._view = View(self._view.shared, self._view.rows, (*self._stopping(), *self._work.parts()))

    def finished(self, run: StoredRun) -> None:
        super().finished(run)
        self._losses.pop(run.spec, None)
        self._show([at for at in self._work.running if at.spec in self._losses])

    def waiting(self, held: Sequence[RunSpec]) -> None:
        self._view = View(footer=(f"{self._waiting(held)} ...",))

    def _show(self, running: Sequence[Progress]) -> None:
        names = self._names_of(running)
        rows = tuple(
            Row(
                names.short(at.spec),
                at.step,
                sampled(self._losses[at.spec]),
                at.chance,
                at.found,
                at.targets,
            )
            for at in running
        )
        self._view = View(self._shared(names), rows, (*self._stopping(), *self._work.parts()))

    def _names_of(self, running: Sequence[Progress]) -> Names:
        """Names that tell only the runs in training apart."""
        cells = tuple(dict.fromkeys(at.spec.cell for at in running))
        if cells != self._together[0]:
            self._together = cells, Names(cells)
        return self._together[1]

    def _shared(self, names: Names) -> str:
        """What tells the runs in training from others, and none of them from another."""
        alike = [name for name in self._names.telling if name not in names.telling]
        if not names.cells:
            return ""
        cell = names.cells[0]
        known = self._names.facts(cell)
        return joined(
            *(
                value if name in ("task", "mixer") else f"{heading(name)} {value}"
                for name in alike
                if name in known
                for value in [self._names.value(cell, name)]
            )
        )

    def _stopping(self) -> tuple[str, ...]:
        return ("stopping (again to stop at once)",) if self.wants_to_stop() else ()

    def _note_interrupt(self, number: int, frame: FrameType | None) -> None:
        super()._note_interrupt(number, frame)
        self._view = View(self._view.shared, self._view.rows, (*self._stopping(), *self._view.footer))


@contextmanager
def telling(quiet: bool) -> Iterator[Callable[[str], None]]:
    """What says which step of some work is being done: on a terminal in one line, replaced by the next."""
    screen = console(stderr=True)
    if quiet:
        yield lambda line: None
    elif not screen.is_interactive:
        yield note
    else:
        text = TextColumn("{task.description}", markup=False, table_column=Column(overflow="fold"))
        with Spinner(SpinnerColumn(), text, console=screen, transient=True, redirect_stdout=False) as shown:
            step = shown.add_task("")
            yield lambda line: shown.update(step, description=plain(line))
