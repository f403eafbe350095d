"""Finished runs on disk: one folder a run, named by the run's digest, there as a whole or not at all.

Numpy side; never imports jax. Layout under the root of a store::

    runs/<digest>/run.json                   specification, status, environment; measures, for people
    runs/<digest>/{truth,curves,maps,heads}.npz
                                             one array for each field of the NamedTuple of that name
    runs/<digest>/updates.npz                the same, where the norm of updates was recorded
    runs/<digest>/{contests,routes}.npz      the same, where routes compete, and where routes have names
    runs/<digest>/parameters.safetensors     the trained network, where that was asked for
    runs/.partial-<digest>-<pid>-<random>/   being written, or left by a killed process: never read
    runs/.unreadable-<digest>-<n>/           set aside by `Store.find`: never read
"""

from __future__ import annotations

import errno
import itertools
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from attnsearch import files
from attnsearch.base import (
    Contests,
    Curves,
    Floats,
    HeadMass,
    Heads,
    MapMass,
    Maps,
    RouteMass,
    Truth,
    Updates,
)
from attnsearch.runs import parameters as parameter_files
from attnsearch.runs.digests import digest, digests
from attnsearch.runs.index import Index
from attnsearch.runs.indexed import Known, row, stamp, version
from attnsearch.runs.leaks import leaking
from attnsearch.runs.measures import Measures, measure
from attnsearch.runs.run_files import (
    LAYOUTS,
    OPTIONAL,
    Status,
    UnreadableRun,
    arrays_of,
    check,
    check_arrays,
    explaining_damage,
    has_content,
    question,
)
from attnsearch.runs.summary import MapSummary, Summary
from attnsearch.spec.run import FORMAT_VERSION, PlateauRule, RunSpec
from attnsearch.stats.hopping import Hopping, hopping

# System errors that say nothing against the file that was to be read.
_INNOCENT = (errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE)

_LISTED = 10_000
"""Of so many runs or more all names are listed. To ask for one by one looks at each folder."""


@dataclass(frozen=True, eq=False)
class StoredRun:
    """One finished run, compared by identity, since equal arrays are not one truth value.

    `environment` holds JSON values, numbers finite; the arrays agree in their axes R, L, Q.
    """

    spec: RunSpec
    status: Status
    environment: Mapping[str, Any]
    truth: Truth
    curves: Curves
    maps: Maps
    heads: Heads
    updates: Updates = field(default_factory=Updates.none)
    contests: Contests = field(default_factory=Contests.none)
    routes: RouteMass = field(default_factory=RouteMass.none)

    @cached_property
    def digest(self) -> str:
        """Of its specification: its name."""
        return digest(self.spec)

    @cached_property
    def measures(self) -> Measures:
        """The run's measures under the thresholds of its specification, from its curves."""
        return measure(self.curves, self.truth, self.spec.cell.task)

    @cached_property
    def summary(self) -> Summary:
        """How the run went, in numbers."""
        return Summary.of(self.truth, self.curves, contested=bool(self.contests.margin.size))

    @cached_property
    def map_summary(self) -> MapSummary:
        """What the run read, in numbers."""
        routed = bool(self.routes.mass.size)
        return MapSummary.of(self.truth, self.map_mass, self.head_mass, routed=routed)

    @property
    def known(self) -> Known:
        """What the index of a store keeps of it."""
        return Known(*(getattr(self, name) for name in Known._fields))

    @cached_property
    def hopping(self) -> Hopping | None:
        """How the run went between two routes; None where none compete."""
        contests = self.contests if self.summary.contested else Contests.none()
        return hopping(contests.margin, contests.agreement) if contests.margin.size else None

    @property
    def map_mass(self) -> MapMass:
        """The maps without their influence."""
        return MapMass(self.maps.step, self.maps.mass, self.maps.later)

    @cached_property
    def leaking(self) -> bool:
        """Whether answers moved with tokens behind their queries: such a run does not count."""
        return leaking(self.map_mass)

    @property
    def head_mass(self) -> HeadMass:
        """The heads without their weights."""
        return HeadMass(self.heads.mass, self.heads.entropy)

    def under(self, rule: PlateauRule) -> Self:
        """The same run, measured under `rule`."""
        task = replace(self.spec.cell.task, plateau=rule)
        return replace(self, spec=replace(self.spec, cell=replace(self.spec.cell, task=task)))


def read(folder: Path) -> StoredRun:
    """The run stored in `folder`, whose name is the run's digest. Errors: UnreadableRun."""
    asked, arrays = question(folder), {}
    for stem in LAYOUTS:
        with explaining_damage(folder / f"{stem}.npz"):
            arrays[stem] = arrays_of(folder, stem)
    check(folder, arrays)
    return StoredRun(**asked, **arrays)


@dataclass(frozen=True)
class Store:
    """The finished runs under `root`. `Store(root)` is enough to read; `Store.open` before writing."""

    root: Path

    @classmethod
    def open(cls, root: Path) -> Self:
        """The store at `root`, created where absent and proved to be writable.

        Removes what killed processes left over a day ago. Errors: AttnsearchError if it is not writable.
        """
        store = cls(root)
        with files.explaining(f"cannot store runs in {root}", "choose another folder with --out"):
            store._folder.mkdir(parents=True, exist_ok=True)
            files.remove_abandoned(store._folder)
        return store

    def path(self, spec: RunSpec) -> Path:
        """The folder of the run of `spec`, there or not."""
        return self._folder / digest(spec)

    def held(self, specs: Sequence[RunSpec]) -> set[RunSpec]:
        """The ones among `specs` whose runs are there. Nothing is read: names alone are asked for."""
        # A `Path` for each of a million would take as long as all else.
        isdir, folder = os.path.isdir, os.fspath(self._folder)
        named = zip(specs, digests(specs), strict=True)
        if len(specs) < _LISTED:
            return {spec for spec, name in named if isdir(f"{folder}/{name}")}
        try:
            with os.scandir(folder) as entries:
                there = {entry.name for entry in entries if entry.is_dir()}
        except OSError:
            return set()
        return {spec for spec, name in named if name in there}

    def holds(self, spec: RunSpec, *, parameters: bool = False) -> bool:
        """Whether the run of `spec` is there, and with its parameters where these are wanted."""
        folder = self.path(spec)
        return folder.is_dir() and (not parameters or (folder / parameter_files.FILE).exists())

    def save(self, run: StoredRun, parameters: Mapping[str, Floats] | None = None) -> None:
        """Store `run`, with its `parameters` by name where given: readers see all of it or nothing.

        A run that is there already is kept instead; parameters that it lacks are added to it. Errors:
        AttnsearchError if it cannot be written, and then nothing of it is left behind; ValueError for a run
        that could not be read back (JSON numbers not finite, arrays that disagree).
        """
        contents, final = _contents(run), self.path(run.spec)
        if parameters is not None:
            step = int(run.curves.step[-1]) if len(run.curves.step) else 0
            contents[parameter_files.FILE] = parameter_files.packed(parameters, run.digest, step)
        with (
            files.explaining(f"cannot store run {final.name} in {self.root}", files.MAKE_ROOM),
            files.partial_folder(self._folder, final.name, contents) as partial,
        ):
            try:
                partial.rename(final)
                self._index(run)
            except OSError:
                # A folder that holds something is never replaced: another process was first.
                if not final.is_dir():
                    raise
                if parameters is not None and not self.holds(run.spec, parameters=True):
                    (partial / parameter_files.FILE).replace(final / parameter_files.FILE)

    def find(self, spec: RunSpec, on_unreadable: Callable[[str], None]) -> StoredRun | None:
        """The stored run of `spec`, or None where it is still to be trained.

        A damaged one is moved aside, `on_unreadable` is told what was wrong with it and where it is now,
        and the answer is None. Errors: AttnsearchError if it may not be read, or cannot be moved.
        """
        folder = self.path(spec)
        try:
            return read(folder) if os.path.lexists(folder) else None
        except UnreadableRun as error:
            if isinstance(error.__cause__, OSError) and error.__cause__.errno in _INNOCENT:
                raise
            numbered = (folder.with_name(f".unreadable-{folder.name}-{n}") for n in itertools.count(1))
            aside = next(place for place in numbered if not os.path.lexists(place))
            # One that is gone by now was met and moved by another process.
            with files.explaining(f"cannot move {folder} aside", "remove it"), suppress(FileNotFoundError):
                folder.rename(aside)
            on_unreadable(f"{error}; moved to {aside}, to be trained again")
            return None

    def folders(self) -> list[Path]:
        """The folders of all runs, by digest. Errors: AttnsearchError where `root` is not a store."""
        remedy = "name a folder that was given as --out"
        with files.explaining(f"no stored runs in {self.root}", remedy), os.scandir(self._folder) as entries:
            names = sorted(entry.name for entry in entries)
        return [self._folder / name for name in names if not name.startswith(".")]

    def runs(
        self, on_unreadable: Callable[[str], None], reading: Callable[[Path], StoredRun] = read
    ) -> Iterator[StoredRun]:
        """Every readable run, in the order of digests; `on_unreadable` is told of the others, which stay.

        reading:  `read`, or what `Opener` gives

        Errors: AttnsearchError, at the first `next`, if `root` is not a store.
        """
        for folder in self.folders():
            try:
                yield reading(folder)
            except UnreadableRun as error:
                on_unreadable(f"{error}; left out")

    def _index(self, run: StoredRun) -> None:
        """Put a new run in the index, if there is one."""
        index = Index.beside(self.root, version(), worthwhile=None)
        if index is not None:
            index.add(row(run.known, stamp(self.path(run.spec))))
            index.close()

    @property
    def _folder(self) -> Path:
        return self.root / "runs"


def _contents(run: StoredRun) -> dict[str, bytes]:
    check_arrays({stem: getattr(run, stem) for stem in LAYOUTS})
    asked = {"format_version": FORMAT_VERSION, "digest": run.digest, "spec": run.spec.to_json()}
    answer = {
        "status": run.status,
        "environment": dict(run.environment),
        "measures": run.measures.to_json(run.map_mass),
    }
    contents = {"run.json": json.dumps(asked | answer, sort_keys=True, indent=2, allow_nan=False).encode()}
    for stem in LAYOUTS:
        arrays = getattr(run, stem)
        if stem not in OPTIONAL or has_content(arrays):
            contents[f"{stem}.npz"] = files.packed(arrays._asdict(), compressed=True)
    return contents
