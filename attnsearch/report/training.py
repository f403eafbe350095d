"""What of a sweep has not ended, beside the runs that a report is of. It is shown, and never counts."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from attnsearch.results.study import Study
from attnsearch.results.table import NONE, Table
from attnsearch.results.time_left import TimeLeft
from attnsearch.runs.store import StoredRun


@dataclass(frozen=True, eq=False)
class InTraining:
    """A run that has not ended, as of its last checkpoint.

    run:   what was recorded, as of a run that ends there
    saved: when that was, in seconds since 1970
    held:  whether a living process trains it now
    rate:  steps/s between two checkpoints; None before a second was seen
    left:  the time that it may still take; None where its rate is not known
    """

    run: StoredRun
    saved: float
    held: bool
    rate: float | None = None
    left: TimeLeft | None = None

    @property
    def step(self) -> int:
        """Steps trained at the checkpoint."""
        return int(self.run.curves.step[-1])


class Live(NamedTuple):
    """How a page follows a sweep.

    revision:  names this state of it, to tell it from a later one
    pause:     seconds between two questions for a later state
    """

    revision: str
    pause: float


@dataclass(frozen=True, eq=False)
class Training:
    """All that has not ended, and how far the whole is.

    runs:      in training, and left behind by processes that have ended
    summary:   how far all runs are, a sentence each
    faults:    what could not be read, a line each
    live:      how the page follows it
    order:     a number for each run of the page by its digest. Charts list runs in this order, so that a
               group keeps its colour as others join
    """

    runs: tuple[InTraining, ...]
    summary: tuple[str, ...]
    faults: tuple[str, ...]
    live: Live
    order: Mapping[str, int] = field(default_factory=dict)

    def with_ended(self, study: Study) -> Study:
        """The runs of `study` and these: for names and charts, not for statistics."""
        runs = [*study.runs, *(one.run for one in self.runs)]
        last = len(self.order)
        ordered = sorted(runs, key=lambda run: self.order.get(run.digest, last))
        return Study(ordered, folder_of=study.folder_of)


def lanes_table(training: Training, study: Study) -> Table:
    """One row a run that has not ended. `study`: one that has these runs among its own."""
    names = {run: study.name(cell) for cell in study.cells for run in cell.runs}
    return Table(
        "Runs that have not ended, as of their last checkpoints",
        ("run", "step", "of at most", "loss, share of chance", "targets found", "steps/s", "left", "as of"),
        frozenset({"step", "of at most", "loss, share of chance", "targets found", "steps/s", "as of"}),
        tuple(_row(one, names[one.run]) for one in training.runs),
    )


def _row(one: InTraining, name: str) -> tuple[str, ...]:
    run, found = one.run, one.run.measures.found.observed
    loss = run.curves.loss[-1][run.truth.is_target].mean() / run.truth.chance_loss
    return (
        f"{name}; seed {run.spec.seed}",
        f"{one.step:,}",
        f"{run.spec.cell.budget.steps:,}",
        f"{loss:.3f}",
        f"{found.sum()} of {len(found)}",
        NONE if one.rate is None or not one.held else f"{one.rate:,.0f}",
        "stopped: no process trains it" if not one.held else NONE if one.left is None else str(one.left),
        clock(one.saved),
    )


def clock(moment: float) -> str:
    """A moment of seconds since 1970 as the clock of this machine shows it: `21:40:12`."""
    return time.strftime("%H:%M:%S", time.localtime(moment))
