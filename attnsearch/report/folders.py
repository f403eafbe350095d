"""Which folders the runs of a report come from, when it is made of several.

A run is known by its folder and its digest. Copies with equal curves are one run. Where a run has other
curves in another folder, such as by another version of the software, all runs of its cell stay apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from attnsearch.results.table import counted
from attnsearch.runs.lookup import same_curves
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import CellSpec

_DIGITS = 12
"""Of a digest, which name a run in an address."""


@dataclass(frozen=True)
class Folders:
    """Runs and the folders that each lies in.

    names:    of all folders, in the order in which they were given
    of:       indices among `names`, by run; of copies the first is here, with the folders of all
    differing: cells of which two folders hold the same run with other curves
    """

    names: tuple[str, ...] = ()
    of: Mapping[StoredRun, tuple[int, ...]] = field(default_factory=dict)
    differing: frozenset[CellSpec] = frozenset()

    @property
    def runs(self) -> tuple[StoredRun, ...]:
        """Each run once, in the order of folders."""
        return tuple(self.of)

    @property
    def several(self) -> bool:
        """Whether a reader has to be told which folder a run is of."""
        return len(self.names) > 1

    def text(self, run: StoredRun) -> str:
        """The folders of `run`: `a` or `a and b`."""
        return " and ".join(self.names[index] for index in self.of.get(run, ()))

    def apart(self, run: StoredRun) -> str:
        """The folder of `run` where its cell is shown folder by folder, otherwise ""."""
        return self.text(run) if run.spec.cell in self.differing else ""

    def keys(self, runs: Iterable[StoredRun]) -> dict[StoredRun, str]:
        """What an address calls each of `runs`: digits of its digest, and where needed its folder."""
        short = {run: run.digest[:_DIGITS] for run in runs}
        number = Counter(short.values())
        return {
            run: digits if number[digits] == 1 else f"{digits}-{self.of[run][0] + 1}"
            for run, digits in short.items()
        }

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is said of runs that lie in several folders, a line for each set of folders."""
        copies = Counter(indices for indices in self.of.values() if len(indices) > 1)
        places: dict[str, list[int]] = {}
        for run, (first, *_) in self.of.items():
            places.setdefault(run.digest, []).append(first)
        others = Counter(tuple(indices) for indices in places.values() if len(indices) > 1)
        return (
            *(
                f"{self._lie(number, indices)}: shown and counted once, as in {self.names[indices[0]]}"
                for indices, number in copies.items()
            ),
            *(
                f"{self._lie(number, indices)}, with other curves there: cells are shown folder by folder"
                for indices, number in others.items()
            ),
        )

    def _lie(self, number: int, indices: Sequence[int]) -> str:
        first, *others = (self.names[index] for index in indices)
        lie = "lies" if number == 1 else "lie"
        return f"{counted(number, 'run')} {lie} in {first} and in {' and '.join(others)}"


def folders_of(runs: Mapping[str, Sequence[StoredRun]]) -> Folders:
    """The folders of `runs`, which are given by the name of their folder."""
    first: dict[str, StoredRun] = {}
    every = [(index, run) for index, found in enumerate(runs.values()) for run in found]
    differing = {run.spec.cell for _, run in every if not same_curves(first.setdefault(run.digest, run), run)}
    of: dict[StoredRun, tuple[int, ...]] = {}
    for index, run in every:
        one = run if run.spec.cell in differing else first[run.digest]
        of[one] = (*of.get(one, ()), index)
    return Folders(tuple(runs), of, frozenset(differing))
