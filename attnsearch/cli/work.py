"""How far a command has got with its runs, in words."""

from __future__ import annotations

import time
from collections.abc import Sequence

from attnsearch.base import RECORDING_INTERVAL, plain
from attnsearch.results.table import counted
from attnsearch.runs.store import StoredRun
from attnsearch.spec.names import Names, duration, joined
from attnsearch.spec.run import RunSpec
from attnsearch.training.observer import Progress


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


def subject(names: Names, runs: int) -> str:
    """What all runs have in common: `16 runs: linear_map, attention, state size 8`."""
    tasks = {plain(cell.task.name) for cell in names.cells}
    mixers = {plain(cell.mixer.name) for cell in names.cells}
    words = joined(*(next(iter(kinds)) for kinds in (tasks, mixers) if len(kinds) == 1), names.common)
    return counted(runs, "run") + (f": {words}" if words else "")


class Work:
    """All runs of a command and how far they are: runs, targets, lanes, tokens, time.

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
        """A run has ended."""
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
