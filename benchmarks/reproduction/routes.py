"""Which targets can be had by a route of fewer tokens than their row, and which of them were found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from attnsearch.base import Bools
from attnsearch.results.cells import Cell
from attnsearch.runs.store import StoredRun


def _known_and_cheaper(run: StoredRun) -> tuple[Bools, Bools]:
    """`bool[R]` each: the targets that were found, and the targets with a route of fewer tokens than their
    row."""
    truth = run.truth
    cheaper = truth.cheapest_route.sum(axis=1) < truth.attention_map.sum(axis=1)
    return run.measures.found.observed, cheaper


class Routes(NamedTuple):
    """Targets of some runs, counted.

    cheaper:        with a route of fewer tokens than their row
    cheaper_found:  of these, the targets that were found
    others:         without such a route
    others_found:   of these, the targets that were found
    """

    cheaper: int
    cheaper_found: int
    others: int
    others_found: int

    @classmethod
    def of(cls, runs: Iterable[StoredRun]) -> Routes:
        """The counts of `runs`, added up."""
        counts = np.zeros(4, int)
        for run in runs:
            known, cheaper = _known_and_cheaper(run)
            counts += [cheaper.sum(), (cheaper & known).sum(), (~cheaper).sum(), (~cheaper & known).sum()]
        return cls(*counts.tolist())

    @property
    def all(self) -> int:
        """All targets."""
        return self.cheaper + self.others

    @property
    def found(self) -> int:
        """All targets that were found."""
        return self.cheaper_found + self.others_found


def route_shares(runs: Iterable[StoredRun]) -> list[float]:
    """Share of the targets with a cheaper route that were found, less the share of the others.

    One value for each run that has targets of both kinds, and found any.
    """
    shares = []
    for run in runs:
        known, cheaper = _known_and_cheaper(run)
        if cheaper.any() and not cheaper.all() and known.any():
            shares.append(float(known[cheaper].mean() - known[~cheaper].mean()))
    return shares


def route_gaps(runs: Iterable[StoredRun]) -> list[float]:
    """Mean bits of the cheapest routes of found targets, less the mean bits of the others.

    One value for each run that found some targets and not all.
    """
    gaps = []
    for run in runs:
        known, bits = run.measures.found.observed, run.truth.log2_search_space
        if known.any() and not known.all():
            gaps.append(float(bits[known].mean() - bits[~known].mean()))
    return gaps


def least_route(cell: Cell) -> float:
    """Bits of the cheapest route of a run's cheapest target, mean over runs."""
    return float(np.mean([run.truth.log2_search_space.min() for run in cell.runs]))
