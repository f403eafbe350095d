"""Progress on stderr: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from attnsearch.runner import Observer, Progress
from attnsearch.specs import RunSpec
from attnsearch.store import StoredRun

PLAIN_INTERVAL = 10.0
"""Seconds between two plain lines about runs that go on."""

_SHOWN = 16


def label(spec: RunSpec) -> str:
    """A run in a few words."""
    knobs = " ".join(f"{name}={value}" for name, value in spec.cell.task.knobs)
    return f"{spec.cell.task.name} {knobs} {spec.cell.mixer.name} seed {spec.seed}"


def outcome(run: StoredRun) -> str:
    """How a run ended, in a few words."""
    measures = run.measures
    steps = int(run.curves.step[-1])
    found = sum(measures["found"])
    if run.status == "diverged":
        return f"diverged at step {steps:,}: its loss is no longer finite"
    escaped = f"escaped at {measures['plateau_length']:,}" if measures["escaped"] else "did not escape"
    if measures["mastered"]:
        return f"{escaped}, mastered at {measures['mastery_step']:,}"
    return f"{escaped}, found {found} of {len(measures['found'])} within {steps:,} steps"


class Interruptible(Observer):
    """Stops at the next recorded point after an interrupt, and at once after a second.

    An interrupt that struck anywhere would now and then strike inside compiled code, which reports it
    as a failure of its own. A context manager, for the main thread.
    """

    _interrupted = False

    def wants_to_stop(self) -> bool:
        return self._interrupted

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._note_interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _note_interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._interrupted:
            raise KeyboardInterrupt
        self._interrupted = True


class PlainProgress(Interruptible):
    """A line when something happens, and one a run every `PLAIN_INTERVAL` seconds."""

    def __init__(self, console: Console):
        self._console = console
        self._total = self._done = 0
        self._last = time.monotonic()

    def planned(self, pending: Sequence[RunSpec], stored: Sequence[StoredRun]) -> None:
        self._total = len(pending)
        if stored:
            self._say(f"{len(stored)} of {len(stored) + len(pending)} runs answered from the store")

    def compiling(self, runs: Sequence[RunSpec]) -> None:
        self._say(f"compiling for {len(runs)} runs like {label(runs[0])}")

    def advanced(self, running: Sequence[Progress]) -> None:
        if time.monotonic() - self._last < PLAIN_INTERVAL:
            return
        self._last = time.monotonic()
        for at in running:
            self._say(
                f"{label(at.spec)}: step {at.step:,} loss {at.loss:.3f}"
                f" found {at.found}/{at.targets} {at.steps_per_second:.0f} steps/s"
            )

    def finished(self, run: StoredRun) -> None:
        self._done += 1
        self._say(f"[{self._done}/{self._total}] {label(run.spec)}: {outcome(run)}")

    def warned(self, message: str) -> None:
        self._say(f"warning: {message}")

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class LiveProgress(Interruptible):
    """One line a run, redrawn as it trains, and a total below."""

    def __init__(self, console: Console):
        self._lines: dict[RunSpec, tuple[str, ...]] = {}
        self._running: list[RunSpec] = []
        self._finished: list[RunSpec] = []
        self._total = 0
        self._note = ""
        self._started = time.monotonic()
        self._steps: dict[RunSpec, int] = {}
        self._live = Live(
            console=console, refresh_per_second=4, get_renderable=self._render, redirect_stdout=False
        )

    def __enter__(self) -> Self:
        self._live.start()
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._note = ""
        self._live.stop()

    def planned(self, pending: Sequence[RunSpec], stored: Sequence[StoredRun]) -> None:
        self._total = len(pending)
        if stored:
            self.warned(f"{len(stored)} of {len(stored) + len(pending)} runs answered from the store")

    def compiling(self, runs: Sequence[RunSpec]) -> None:
        self._note = f"compiling for {len(runs)} runs like {label(runs[0])} ..."

    def advanced(self, running: Sequence[Progress]) -> None:
        self._note = ""
        self._running = [at.spec for at in running]
        for at in running:
            self._steps[at.spec] = at.step
            bar = "#" * at.found + "." * (at.targets - at.found) if at.targets <= 32 else ""
            self._lines[at.spec] = (
                label(at.spec),
                f"{at.step:,}",
                f"{at.loss:.3f}",
                f"{at.found}/{at.targets} {bar}",
                f"{at.steps_per_second:.0f}",
                "",
            )

    def finished(self, run: StoredRun) -> None:
        self._finished.append(run.spec)
        self._lines[run.spec] = (*self._lines[run.spec][:-1], outcome(run))

    def warned(self, message: str) -> None:
        self._live.console.print(message, markup=False, highlight=False, soft_wrap=True)

    def _render(self) -> Group:
        shown = Table(box=None, pad_edge=False)
        for name in ("run", "step", "target loss", "found", "steps/s", ""):
            shown.add_column(name, justify="right" if name in ("step", "target loss", "steps/s") else "left")
        running = [spec for spec in self._running if spec not in self._finished]
        for spec in [*self._finished[-_SHOWN:], *running]:
            shown.add_row(*map(Text, self._lines[spec]))
        elapsed = time.monotonic() - self._started
        total = (
            f"{len(self._finished)} of {self._total} runs done, {len(running)} running,"
            f" {sum(self._steps.values()):,} steps in {elapsed:.0f} s"
        )
        note = "stopping (again to stop at once)" if self.wants_to_stop() else self._note
        return Group(shown, Text(note or total, style="bold"))
