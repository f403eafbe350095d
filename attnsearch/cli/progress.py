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

from attnsearch.base import RECORDING_INTERVAL
from attnsearch.runs.store import StoredRun
from attnsearch.spec.names import duration
from attnsearch.spec.run import RunSpec
from attnsearch.training.observer import Observer, Progress

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
    found = measures.found.observed
    if run.status == "diverged":
        return f"diverged at step {steps:,}: its loss is no longer finite"
    escaped = f"escaped at {measures.plateau_length:,}" if measures.escaped else "did not escape"
    if measures.mastered:
        return f"{escaped}, mastered at {measures.mastery_step:,}"
    return f"{escaped}, found {found.sum()} of {len(found)} within {steps:,} steps"


class Work:
    """The whole of what is to be done, and how far it is: runs, targets, lanes, tokens, time.

    Time left is a bound: it assumes that every unfinished run needs its whole budget.
    """

    def __init__(self, pending: Sequence[RunSpec] = ()):
        self.total, self.done = len(pending), 0
        self._left = dict.fromkeys(pending, 0)
        self._running: Sequence[Progress] = ()
        self._found = self._targets = 0
        self._steps = self._tokens = 0
        self._busy = self._offered = 0
        self._started: float | None = None

    def advanced(self, running: Sequence[Progress], num_lanes: int) -> None:
        """A recorded point of every running lane."""
        # Counted from the first point on, so that compiling does not look like slowness.
        now = time.monotonic()
        first = self._started is None
        self._started = self._started or now
        self._running = running
        self._busy += len(running)
        # Empty lanes count as idle only while something else waits to be trained.
        self._offered += num_lanes if len(self._left) > len(running) else len(running)
        for at in running:
            # A run that was restored, or is seen for the first time, brings steps that nobody waited for.
            new = at.step - self._left.get(at.spec, at.step) if not first else 0
            self._steps += min(new, RECORDING_INTERVAL)
            self._tokens += min(new, RECORDING_INTERVAL) * at.spec.cell.budget.tokens_per_step
            self._left[at.spec] = at.step

    def finished(self, run: StoredRun) -> None:
        """A run that has ended."""
        self.done += 1
        self._left.pop(run.spec, None)
        self._found += int(run.measures.found.observed.sum())
        self._targets += len(run.measures.found.observed)

    def describe(self) -> str:
        """Everything in one line."""
        running = [at for at in self._running if at.spec in self._left]
        pending = self.total - self.done - len(running)
        found = self._found + sum(at.found for at in running)
        targets = self._targets + sum(at.targets for at in running)
        parts = [f"{self.done} of {self.total} runs done, {len(running)} running, {pending} pending"]
        parts.append(f"{found:,} of {targets:,} targets found")
        elapsed = time.monotonic() - (self._started or time.monotonic())
        if self._steps and elapsed > 0:
            parts.append(f"lanes {self._busy / self._offered:.0%} occupied")
            parts.append(f"{self._tokens / elapsed:,.0f} tokens/s")
            left = sum(spec.cell.budget.steps - step for spec, step in self._left.items())
            if left:
                parts.append(f"at most {duration(left * elapsed / self._steps)} left")
        return " | ".join(parts)


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
        self._work = Work()
        self._last = time.monotonic()

    def planned(self, pending: Sequence[RunSpec], stored: Sequence[StoredRun]) -> None:
        self._work = Work(pending)
        if stored:
            self._say(f"{len(stored)} of {len(stored) + len(pending)} runs answered from the store")

    def compiling(self, runs: Sequence[RunSpec], num_lanes: int) -> None:
        self._say(f"compiling for {len(runs)} runs like {label(runs[0])}, {num_lanes} at a time")

    def advanced(self, running: Sequence[Progress], num_lanes: int) -> None:
        self._work.advanced(running, num_lanes)
        if time.monotonic() - self._last < PLAIN_INTERVAL:
            return
        self._last = time.monotonic()
        for at in running:
            self._say(
                f"{label(at.spec)}: step {at.step:,} loss {at.loss:.3f}"
                f" found {at.found}/{at.targets} {at.steps_per_second:.0f} steps/s"
            )
        self._say(self._work.describe())

    def finished(self, run: StoredRun) -> None:
        self._work.finished(run)
        self._say(f"[{self._work.done}/{self._work.total}] {label(run.spec)}: {outcome(run)}")

    def waiting(self, held: Sequence[RunSpec]) -> None:
        if time.monotonic() - self._last >= PLAIN_INTERVAL:
            self._last = time.monotonic()
            self._say(f"waiting for {len(held)} runs that another process is training")

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
        self._note = ""
        self._work = Work()
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
        self._work = Work(pending)
        if stored:
            self.warned(f"{len(stored)} of {len(stored) + len(pending)} runs answered from the store")

    def compiling(self, runs: Sequence[RunSpec], num_lanes: int) -> None:
        self._note = f"compiling for {len(runs)} runs like {label(runs[0])}, {num_lanes} at a time ..."

    def advanced(self, running: Sequence[Progress], num_lanes: int) -> None:
        self._note = ""
        self._work.advanced(running, num_lanes)
        self._running = [at.spec for at in running]
        for at in running:
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
        self._work.finished(run)
        self._finished.append(run.spec)
        # A run that another process trained was never seen to advance.
        line = self._lines.get(run.spec, (label(run.spec), "", "", "", "", ""))
        self._lines[run.spec] = (*line[:-1], outcome(run))

    def waiting(self, held: Sequence[RunSpec]) -> None:
        self._note = f"waiting for {len(held)} runs that another process is training ..."

    def warned(self, message: str) -> None:
        self._live.console.print(message, markup=False, highlight=False, soft_wrap=True)

    def _render(self) -> Group:
        shown = Table(box=None, pad_edge=False)
        for name in ("run", "step", "target loss", "found", "steps/s", ""):
            shown.add_column(name, justify="right" if name in ("step", "target loss", "steps/s") else "left")
        running = [spec for spec in self._running if spec not in self._finished]
        for spec in [*self._finished[-_SHOWN:], *running]:
            shown.add_row(*map(Text, self._lines[spec]))
        note = "stopping (again to stop at once)" if self.wants_to_stop() else self._note
        return Group(shown, Text(note or self._work.describe(), style="bold"))
