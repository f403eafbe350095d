"""When targets emerge in networks of several sizes: one search space at a time, each run a wait of its own.

A run may hold targets of several search spaces, as in a mixture. Targets of one search space emerge at the
step at which half of them are found.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from attnsearch.base import Floats, Plateaus
from attnsearch.results.cells import Cell, found_of
from attnsearch.results.network_sizes import network_series, network_sizes
from attnsearch.runs.store import StoredRun
from attnsearch.spec.names import Names, heading
from attnsearch.stats.axis import Quantity
from attnsearch.stats.law_fit import fit
from attnsearch.stats.per_target import middle
from attnsearch.stats.scaling_law import Law, NoLaw
from attnsearch.stats.survival import Waiting, summarise

ROUNDED = 6
"""Digits of bits that are compared: logarithms of equal counts may differ in the last ones."""


@dataclass(frozen=True, eq=False)
class Emergence:
    """The targets of one search space, in cells that differ in one number of their networks, and in a setting
    that grows with it.

    name:     the number, as settings call it: `width`
    series:   what the cells have in common and other cells have not, in words
    bits:     log2 of the number of supports that each of the targets could have had
    cells:    by the number, rising
    numbers:  of each cell
    emerged:  of each cell, for each of its runs, the step at which half of these targets are found
    """

    name: str
    series: str
    bits: float
    cells: tuple[Cell, ...]
    numbers: tuple[float, ...]
    emerged: tuple[Plateaus, ...]

    @cached_property
    def waiting(self) -> tuple[Waiting, ...]:
        """Of each cell, up to its budget."""
        pairs = zip(self.cells, self.emerged, strict=True)
        return tuple(summarise(emerged, cell.spec.budget.steps) for cell, emerged in pairs)

    @cached_property
    def coupled(self) -> bool:
        """Whether another setting grows with the number."""
        return len(Names(cell.spec for cell in self.cells).differing) > 1

    @cached_property
    def law(self) -> Law | NoLaw:
        """By what each doubling of the number multiplies the steps."""
        axis = Quantity(self.name, heading(self.name))
        return fit([math.log2(one) for one in self.numbers], self.emerged, axis)


def emergences(cells: Sequence[Cell]) -> tuple[Emergence, ...]:
    """One for each number of the networks in which cells differ, then for each series, and for each search
    space that all of its runs have. A cell with a leaking run is left out."""
    kept = [cell for cell in cells if cell.counts]
    found = []
    for name in Names(cell.spec for cell in kept).differing:
        for series in network_series(kept, name):
            ranked = series.cells
            if len(ranked) < 2:
                continue
            numbers = tuple(network_sizes(cell.spec)[name] for cell in ranked)
            for bits in _shared([run for cell in ranked for run in cell.runs]):
                emerged = tuple(middle([_of(run, bits) for run in cell.runs]) for cell in ranked)
                found.append(Emergence(name, series.name, bits, ranked, numbers, emerged))
    return tuple(found)


def _shared(runs: Sequence[StoredRun]) -> list[float]:
    """The search spaces, in bits and rising, that some targets of each run have."""
    return sorted(set.intersection(*(set(_bits(run).tolist()) for run in runs)))


def _bits(run: StoredRun) -> Floats:
    return np.round(run.summary.target_bits, ROUNDED)


def _of(run: StoredRun, bits: float) -> Plateaus:
    """The found steps of the targets of this search space."""
    these, found = _bits(run) == bits, found_of(run)
    return Plateaus(found.length[these], found.observed[these])
