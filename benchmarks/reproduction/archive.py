"""Stored runs, looked up by the commands that train them, and how long they waited."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from attnsearch.base import Plateaus
from attnsearch.results.cells import Cell, cells, plateau_of
from attnsearch.runs.measures import first_step
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import RunSpec, Value
from attnsearch.stats.survival import pool
from benchmarks.reproduction.commands import asked


class Archive:
    """Stored runs, looked up by the digests of their specifications."""

    def __init__(self, runs: Iterable[StoredRun]):
        self.stored = {run.spec.digest: run for run in runs}

    def among(self, specs: Iterable[RunSpec]) -> list[StoredRun]:
        """The runs of `specs` that are stored."""
        return [self.stored[spec.digest] for spec in specs if spec.digest in self.stored]

    def runs(self, lines: Iterable[str]) -> list[StoredRun]:
        """The stored runs among the runs that these commands train."""
        return self.among(spec for line in lines for spec in asked(line))

    def cells(self, *groups: Iterable[str]) -> list[Cell]:
        """The stored runs of several groups of commands, by cell."""
        return cells([run for lines in groups for run in self.runs(lines)])

    def by(self, name: str, *groups: Iterable[str]) -> dict[int, Cell]:
        """The cells of several groups by a setting that tells them apart, rising."""
        return dict(sorted((knob(cell, name), cell) for cell in self.cells(*groups)))


def knob(cell: Cell, name: str) -> int:
    """A setting that is a whole number."""
    return int(str(cell.spec.flat()[name]))


def pick(candidates: Iterable[Cell], **settings: Value) -> Cell | None:
    """The cell with these settings; None where it is not stored."""
    wanted = settings.items()
    return next((cell for cell in candidates if wanted <= cell.spec.flat().items()), None)


def waits(cell: Cell) -> Plateaus:
    """The plateau lengths of a cell."""
    return pool(plateau_of(run) for run in cell.runs)


def half_known(cell: Cell) -> Plateaus:
    """Steps until half of a run's targets are known at once: their losses are below half of chance.

    A plateau ends with a single target of 16, which may be forgotten again.
    """
    known = []
    for run in cell.runs:
        below = run.curves.loss[:, run.truth.is_target] < cell.spec.task.plateau.found * run.truth.chance_loss
        known.append(first_step(run.curves.step, below.mean(axis=1, keepdims=True) >= 0.5))
    return pool(known)


def known_at_end(cell: Cell) -> str:
    """Targets known at the last recorded point, of all runs."""
    level = cell.spec.task.plateau.found * float(cell.runs[0].truth.chance_loss)
    known = [run.curves.loss[-1, run.truth.is_target] < level for run in cell.runs]
    return f"{np.sum(known)} of {np.size(known)}"
