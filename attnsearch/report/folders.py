"""Which folders the runs of a report come from, when it is made of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from attnsearch.results.table import counted
from attnsearch.runs.store import StoredRun


@dataclass(frozen=True)
class Folders:
    """Runs, each once, and the folders that each lies in.

    runs:      of a run that lies in several folders, the first one's
    names:     of all folders, in the order in which they were given
    of:        indices among `names`, by digest of the run
    differing: digests of runs that lie in several folders with different curves
    """

    runs: tuple[StoredRun, ...] = ()
    names: tuple[str, ...] = ()
    of: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    differing: frozenset[str] = frozenset()

    @property
    def several(self) -> bool:
        """Whether a reader has to be told which folder a run is of."""
        return len(self.names) > 1

    def text(self, run: StoredRun) -> str:
        """The folders of `run`: `a` or `a and b`."""
        return " and ".join(self.names[index] for index in self.of.get(run.spec.digest, ()))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is said of runs that lie in several folders, a line for each set of folders."""
        shared: dict[tuple[int, ...], list[str]] = {}
        for digest, indices in self.of.items():
            if len(indices) > 1:
                shared.setdefault(indices, []).append(digest)
        return tuple(self._said(indices, digests) for indices, digests in shared.items())

    def _said(self, indices: Sequence[int], digests: Sequence[str]) -> str:
        first, *others = (self.names[index] for index in indices)
        lie = "lies" if len(digests) == 1 else "lie"
        said = (
            f"{counted(len(digests), 'run')} {lie} in {first} and in {' and '.join(others)}:"
            f" shown and counted once, as in {first}"
        )
        differing = len(self.differing.intersection(digests))
        if differing:
            said += f"; {counted(differing, 'run')} of them with other curves in {' or '.join(others)}"
        return said


def folders_of(runs: Mapping[str, Sequence[StoredRun]]) -> Folders:
    """The folders of `runs`, which are given by the name of their folder."""
    first: dict[str, StoredRun] = {}
    of: dict[str, tuple[int, ...]] = {}
    differing = set[str]()
    for index, found in enumerate(runs.values()):
        for run in found:
            digest = run.spec.digest
            of[digest] = (*of.get(digest, ()), index)
            if not _alike(first.setdefault(digest, run), run):
                differing.add(digest)
    return Folders(tuple(first.values()), tuple(runs), of, frozenset(differing))


def _alike(one: StoredRun, other: StoredRun) -> bool:
    return one is other or np.array_equal(one.curves.loss, other.curves.loss, equal_nan=True)
