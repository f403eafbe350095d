"""How far a command has got with its runs, in words."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence

from attnsearch.base import plain
from attnsearch.results.table import counted
from attnsearch.results.time_left import Ends, TimeLeft
from attnsearch.runs.store import StoredRun
from attnsearch.spec.names import Names, joined
from attnsearch.spec.run import CellSpec, RunSpec
from attnsearch.training.observer import ClusterWorker, Progress, Shards

_ESTIMATED_EVERY = 1.0
"""Seconds between two estimates of the time that is left."""


def outcome(run: StoredRun) -> str:
    """How a run ended, in a few words."""
    leak = "; it leaks, and does not count" if run.leaking else ""
    return f"{_end(run)}{leak}"


def _end(run: StoredRun) -> str:
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


_MOST_WORKERS = 4
"""Workers whose rates are told one by one."""


def of_cluster(workers: Sequence[ClusterWorker], shards: Shards) -> list[str]:
    """The workers of a cluster, their rates, and the shards, in words."""
    given_up = f", {shards.given_up} given up" if shards.given_up else ""
    parts = [f"shards: {shards.ended} ended, {shards.sent} sent{given_up}"]
    if workers:
        lanes, rate = sum(one.lanes for one in workers), sum(one.steps_per_second for one in workers)
        parts.append(f"{counted(len(workers), 'worker')}, {counted(lanes, 'lane')}, {rate:,.0f} steps/s")
    parts += [f"{one.name} {one.steps_per_second:,.0f} steps/s" for one in workers[:_MOST_WORKERS]]
    if len(workers) > _MOST_WORKERS:
        parts.append(f"and {len(workers) - _MOST_WORKERS} more")
    return parts


class Work:
    """All runs of a command and how far they are: runs, targets, lanes, tokens, time.

    pending:  the runs that are to be trained
    stored:   runs of the same question that have ended before: they tell how long the others may take
    earlier:  other runs that have ended, each by its cell and its last step: they tell it too
    """

    def __init__(
        self,
        pending: Sequence[RunSpec] = (),
        stored: Sequence[StoredRun] = (),
        earlier: Iterable[tuple[CellSpec, int]] = (),
    ):
        self.total, self.done = len(pending), 0
        self._left = dict.fromkeys(pending, 0)
        self._waiting = Counter(spec.cell for spec in pending)
        self._begun: set[RunSpec] = set()
        self._ends = Ends(stored)
        for cell, step in earlier:
            self._ends.learn(cell, step)
        self._running: Sequence[Progress] = ()
        self._lanes = 1
        self._found = self._targets = 0
        self._steps = self._tokens = 0
        self._busy = self._offered = 0
        self._started: float | None = None
        # Of each cell: steps that one lane trained, and the seconds that they took it.
        self._trained: dict[CellSpec, tuple[int, float]] = {}
        self._last = self._estimated = 0.0
        self._estimate: TimeLeft | None = None
        self._cluster: list[str] = []

    def advanced(self, running: Sequence[Progress], num_lanes: int) -> None:
        """A recorded point of every running lane."""
        # Counted from the first point on, so that compiling does not look like slowness.
        now = time.monotonic()
        before = {at.spec: at.step for at in self._running}
        self._started = self._started or now
        self._running, self._lanes = running, num_lanes
        self._busy += len(running)
        # Empty lanes count as idle only while something else waits to be trained.
        self._offered += num_lanes if len(self._left) > len(running) else len(running)
        for at in running:
            self._begin(at.spec)
            self._left[at.spec] = at.step
            # A run that was restored, or is seen for the first time, brings steps that nobody waited for.
            if at.spec in before:
                steps, seconds = self._trained.get(at.spec.cell, (0, 0.0))
                new = at.step - before[at.spec]
                self._trained[at.spec.cell] = steps + new, seconds + now - self._last
                self._steps += new
                self._tokens += new * at.spec.cell.budget.tokens_per_step
        self._last = now

    def spread(self, workers: Sequence[ClusterWorker], shards: Shards) -> None:
        """What a cluster does now."""
        self._cluster = of_cluster(workers, shards)

    def finished(self, run: StoredRun) -> None:
        """A run has ended."""
        self.done += 1
        self._begin(run.spec)
        self._left.pop(run.spec, None)
        self._ends.add(run)
        self._found += int(run.measures.found.observed.sum())
        self._targets += len(run.measures.found.observed)

    @property
    def running(self) -> list[Progress]:
        """The runs in training, as they were at their last recorded points."""
        return [at for at in self._running if at.spec in self._left]

    def parts(self) -> list[str]:
        """What there is to say, most important first."""
        running = self.running
        pending = self.total - self.done - len(running)
        found = self._found + sum(at.found for at in running)
        targets = self._targets + sum(at.targets for at in running)
        parts = [f"{self.done} of {self.total} runs done, {len(running)} running, {pending} pending"]
        parts += self._cluster
        if targets:
            parts.append(f"{found:,} of {targets:,} targets found")
        if (left := self._time_left()) is not None:
            parts.append(str(left))
        elapsed = time.monotonic() - (self._started or time.monotonic())
        if self._steps and elapsed > 0:
            parts.append(f"lanes {self._busy / self._offered:.0%} occupied")
            parts.append(f"{self._tokens / elapsed:,.0f} tokens/s")
        return parts

    def describe(self) -> str:
        """Everything in one line."""
        return " | ".join(self.parts())

    def _begin(self, spec: RunSpec) -> None:
        """A run waits no longer."""
        if spec in self._left and spec not in self._begun:
            self._begun.add(spec)
            self._waiting[spec.cell] -= 1
            if not self._waiting[spec.cell]:
                del self._waiting[spec.cell]

    def _time_left(self) -> TimeLeft | None:
        """The estimate, made anew now and then: it costs more than the other numbers."""
        if not self._left:
            return None
        now = time.monotonic()
        if self._estimate is None or now - self._estimated >= _ESTIMATED_EVERY:
            rates = {
                cell: steps / seconds for cell, (steps, seconds) in self._trained.items() if steps and seconds
            }
            running = {at.spec: at.step for at in self.running}
            self._estimate = self._ends.time_left(running, self._waiting, rates, self._lanes)
            self._estimated = now
        return self._estimate
