"""A set of runs, and everything that is said of it: computed once, read by every table, page and picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from attnsearch.results.against import growths_against
from attnsearch.results.cells import Cell, Measurement, cells, measurements
from attnsearch.results.comparisons import Compared, comparisons
from attnsearch.results.early_signals import EarlySignal, early_signals
from attnsearch.results.emergence import Emergence, emergences
from attnsearch.results.long_form import by_cell, by_point, by_run, by_signal, by_target
from attnsearch.results.records import Records
from attnsearch.results.scaling import Growth, growths
from attnsearch.results.series import Series, series
from attnsearch.results.warnings import verified, warnings
from attnsearch.runs.standing import Standing
from attnsearch.runs.store import StoredRun
from attnsearch.spec.names import Names
from attnsearch.spec.run import CellSpec


@dataclass(frozen=True, eq=False)
class Study:
    """What some runs say. Nothing is computed before it is asked for, and nothing twice.

    runs:        as `attnsearch.run` returns them, or a store holds them
    standings:   says how the mixer of a cell stands, as `attnsearch.runs.lookup.standings` finds it; None
                 where nobody has looked, and then nothing is said of it
    unreadable:  what was found instead of runs, one line each: damaged ones, which the study does without
    folder_of:   the folder that makes a run's cell another one, as `Cell.folder` says; "" for none
    """

    runs: Sequence[StoredRun]
    standings: Callable[[CellSpec], Standing] | None = None
    unreadable: Sequence[str] = ()
    folder_of: Callable[[StoredRun], str] = lambda run: ""

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """The runs of each cell in numbers, in order of first appearance."""
        return tuple(cells(self.runs, self.standings, self.folder_of))

    @cached_property
    def names(self) -> Names:
        """What the cells are called."""
        return Names(cell.spec for cell in self.cells)

    @cached_property
    def series(self) -> tuple[Series, ...]:
        """Cells that differ in the search space alone: one line of a chart each."""
        return series(self.cells)

    @cached_property
    def series_names(self) -> dict[Cell, str]:
        """The name of each cell's series."""
        return {cell: one.name for one in self.series for cell in one.cells}

    def name(self, cell: Cell) -> str:
        """A cell by its place and its series: `state size 8; attention`."""
        return f"{self.names.place(cell.spec)}; {self.series_names[cell]}"

    @property
    def by_cell(self) -> Records:
        """One row a cell: its settings, and every number with its interval."""
        return by_cell(self.cells, self.names)

    @property
    def by_run(self) -> Records:
        """One row a run: its settings, how it ended, and when it escaped and mastered its targets."""
        return by_run(self.cells, self.names)

    @property
    def by_target(self) -> Records:
        """One row a target of a run: its settings, and when it was found."""
        return by_target(self.cells, self.names)

    @property
    def by_point(self) -> Records:
        """The curves: one row a recorded point of each query of each run."""
        return by_point(self.runs)

    @property
    def by_signal(self) -> Records:
        """One row an early signal at a step, of all cells together."""
        return by_signal(self.early_signals)

    @cached_property
    def early_signals(self) -> tuple[EarlySignal, ...]:
        """How well what is seen before escape tells when a target will be found; none of too few seeds."""
        return early_signals(self.cells)

    @cached_property
    def laws(self) -> tuple[Growth, ...]:
        """The scaling law and the frontier of each series."""
        return growths(self.series)

    def laws_against(self, name: str) -> tuple[Growth, ...]:
        """The same against log2 of a knob, or of `context_length`, with series of their own.

        AttnsearchError where no cell has such a number, or where it is not above 0.
        """
        return growths_against(self.cells, name)

    @cached_property
    def emergences(self) -> tuple[Emergence, ...]:
        """When the targets of each search space are found, against each size of the networks that differs."""
        return emergences(self.cells)

    @cached_property
    def comparisons(self) -> tuple[Compared, ...]:
        """Mixers against one of them, and interventions against none."""
        return comparisons(self.cells)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What stands between these numbers and a claim, one line each."""
        return warnings(self.cells)

    @cached_property
    def verified(self) -> tuple[str, ...]:
        """Which mixers are verified, and on what, one line each. The `warnings` tell of the others."""
        return verified(self.cells)

    @cached_property
    def measurements(self) -> tuple[Measurement, ...]:
        """By which rules the numbers came about, each once."""
        return tuple(measurements(self.cells))
