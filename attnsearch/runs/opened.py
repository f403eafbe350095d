"""Stored runs whose arrays stay on the disk, so that many of them take little memory.

Numpy side; never imports jax.
"""

from __future__ import annotations

import gc
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from attnsearch.base import HeadMass, MapMass
from attnsearch.runs.digests import is_digest
from attnsearch.runs.index import WORTHWHILE, Index
from attnsearch.runs.indexed import Known, known, row, stamp, version
from attnsearch.runs.run_files import (
    LAYOUTS,
    OPTIONAL,
    PARTS,
    UnreadableRun,
    arrays_of,
    check,
    explaining_damage,
    list_arrays,
    question,
)
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import PlateauRule


class Kept:
    """Arrays of stored runs that were asked for last, up to `most` bytes, so that they are read once."""

    def __init__(self, most: int):
        self._most, self._held = most, 0
        self._kept: OrderedDict[tuple[Path, str], tuple[np.ndarray, ...]] = OrderedDict()

    def find(self, folder: Path, part: str) -> Any:
        """The NamedTuple of one part of the run in `folder`, or None where it is not kept."""
        found = self._kept.get((folder, part))
        if found is not None:
            self._kept.move_to_end((folder, part))
        return found

    def keep(self, folder: Path, part: str, arrays: tuple[np.ndarray, ...]) -> None:
        """Keep a NamedTuple that was read. Others go for it where room is lacking."""
        self._kept[folder, part] = arrays
        self._held += _bytes(arrays)
        while self._held > self._most and len(self._kept) > 1:
            self._held -= _bytes(self._kept.popitem(last=False)[1])


class _OpenedRun(StoredRun):
    """A run whose arrays stay on the disk: each is read when it is asked for."""

    @classmethod
    def at(cls, folder: Path, kept: Mapping[str, Kept]) -> Self:
        """The run in `folder`. Its truth and its curves are read and checked, and measured.

        Of the other files only the list of their arrays is read. It is at the end, so that a file which was
        cut short is found out.
        """
        made = cls.__new__(cls)
        vars(made).update(question(folder), digest=folder.name, _folder=folder, _kept=kept)
        check(folder, {part: getattr(made, part) for part in ("truth", "curves")})
        for stem in ("maps", "heads", *OPTIONAL):
            list_arrays(folder, stem)
        vars(made)["measures"] = made.measures
        return made

    @classmethod
    def known_at(cls, folder: Path, known: Known, kept: Mapping[str, Kept]) -> Self:
        """The run in `folder`, of which this is known. Nothing is read, and it is in no doubt before that."""
        made = cls.__new__(cls)
        vars(made).update(known._asdict(), digest=folder.name, _folder=folder, _kept=kept)
        return made

    def __getattr__(self, name: str) -> Any:
        """An array field, which is not in memory. Errors: UnreadableRun."""
        if name not in LAYOUTS:
            raise AttributeError(name)
        return self._part(name)

    @property
    def map_mass(self) -> MapMass:
        return self._part("map_mass")

    @property
    def head_mass(self) -> HeadMass:
        return self._part("head_mass")

    def _part(self, name: str) -> Any:
        """Arrays of a file, and no others of it. Errors: UnreadableRun."""
        folder, (stem, _) = self._folder, PARTS[name]
        found = self._kept[stem].find(folder, name)
        if found is None:
            with explaining_damage(folder / f"{stem}.npz"):
                found = arrays_of(folder, name)
            if stem == "maps":
                check(folder, {"truth": self.truth, name: found})
            elif stem in ("heads", "routes"):
                check(folder, {"truth": self.truth, "map_mass": self.map_mass, name: found})
            elif stem in ("updates", "contests"):
                check(folder, {"truth": self.truth, "curves": self.curves, name: found})
            self._kept[stem].keep(folder, name, found)
        return found

    def under(self, rule: PlateauRule) -> Self:
        """The same run, measured under `rule`, its arrays where they were."""
        made = self.__class__.__new__(self.__class__)
        vars(made).update({name: value for name, value in vars(self).items() if name != "measures"})
        task = replace(self.spec.cell.task, plateau=rule)
        vars(made)["spec"] = replace(self.spec, cell=replace(self.spec.cell, task=task))
        return made


@contextmanager
def without_collecting() -> Iterator[None]:
    """While many runs are made, all of which stay. The collector of cycles would look through all that are
    there time and again, and find nothing."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


KEPT = 2**27
"""Bytes of truths, and as many of other arrays, that the runs of one `Opener` keep in memory together."""


class Opener:
    """Opens runs of any stores: maps and heads are read, and checked, when they are asked for, curves again.

    What asks for `map_mass` and `head_mass` reads these alone. However many runs there are, their arrays take
    little more memory than `KEPT` says.

    worthwhile:  a store of so many runs is given an index, where it can be written. A run that is in it, and
                 whose files are as they were then, is not read at all before its arrays are asked for
    """

    def __init__(self, worthwhile: int = WORTHWHILE) -> None:
        truths, others = Kept(KEPT), Kept(KEPT)
        self._kept = {stem: truths if stem == "truth" else others for stem in LAYOUTS}
        self._worthwhile = worthwhile
        self._indices: dict[Path, Index | None] = {}

    def __call__(self, folder: Path) -> StoredRun:
        """The run in `folder`. Errors: UnreadableRun."""
        index = self._index(folder)
        stamped = None if index is None else _stamp(folder)
        if index is None or stamped is None:
            return _OpenedRun.at(folder, self._kept)
        found = self._known(folder, index, stamped)
        if found is None:
            found = _OpenedRun.at(folder, self._kept)
            # Where its maps are damaged, whoever asks for them is told, as without an index.
            with suppress(UnreadableRun):
                index.add(row(found.known, stamped))
        return found

    def stored(self, folder: Path, run: StoredRun) -> StoredRun:
        """`run`, which lies in `folder`, without its arrays, which are read there when they are asked for."""
        return run if isinstance(run, _OpenedRun) else _OpenedRun.known_at(folder, run.known, self._kept)

    def known(self, folder: Path) -> StoredRun | None:
        """The run in `folder` by the index alone; None where it does not know the run as it is now."""
        index = self._index(folder)
        stamped = None if index is None else _stamp(folder)
        return None if index is None or stamped is None else self._known(folder, index, stamped)

    def forget_others(self, runs: Path, names: Iterable[str]) -> None:
        """Drop what the index of a store, whose runs lie in `runs`, knows of others than these `names`."""
        if (index := self._beside(runs)) is not None:
            index.keep([bytes.fromhex(name) for name in names if is_digest(name)])

    def _known(self, folder: Path, index: Index, stamped: bytes) -> _OpenedRun | None:
        found = index.find(bytes.fromhex(folder.name))
        if found is None or found.stamp != stamped or (told := known(found)) is None:
            return None
        return _OpenedRun.known_at(folder, told, self._kept)

    def _index(self, folder: Path) -> Index | None:
        return self._beside(folder.parent) if is_digest(folder.name) else None

    def _beside(self, runs: Path) -> Index | None:
        if runs not in self._indices:
            self._indices[runs] = Index.beside(runs.parent, version(), worthwhile=self._worthwhile)
        return self._indices[runs]


def _stamp(folder: Path) -> bytes | None:
    """None where the folder cannot be read."""
    try:
        return stamp(folder)
    except OSError:
        return None


def _bytes(arrays: tuple[np.ndarray, ...]) -> int:
    return sum(array.nbytes for array in arrays)
