"""What lies in the folder of a sweep: looked at again and again, and read again only where it has changed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from attnsearch import files
from attnsearch.runs.checkpoints import CHECKPOINT, checkpointed, glimpse
from attnsearch.runs.claims import CLAIM, Claim
from attnsearch.runs.lookup import in_order
from attnsearch.runs.opened import Opener
from attnsearch.runs.plans import PLAN, Plan, is_followed, read_plan
from attnsearch.runs.run_files import UnreadableRun
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import RunSpec


@dataclass(frozen=True, eq=False)
class Unfinished:
    """A run that has not ended, as of its last checkpoint.

    run:   what was recorded, as of a run that ends there
    saved: when that was, in seconds since 1970
    held:  whether a living process trains it
    rate:  steps/s between two checkpoints; None before a second was seen
    """

    run: StoredRun
    saved: float
    held: bool
    rate: float | None


@dataclass(frozen=True, eq=False)
class Sight:
    """What a folder holds at one moment.

    stored:      runs that have ended, in the order of settings and seeds
    unfinished:  runs that have not, in the order in which they were first seen
    begun:       digests of runs that living processes hold and have not saved yet
    faults:      what could not be read, a line each
    order:       a number for each run by its digest, in the order in which they were first seen
    planned:     by digest, the runs that living processes were to train when they began
    pace:        steps/s of all of them together, by their runs that have ended; None before any has
    """

    stored: tuple[StoredRun, ...] = ()
    unfinished: tuple[Unfinished, ...] = ()
    begun: frozenset[str] = frozenset()
    faults: tuple[str, ...] = ()
    order: Mapping[str, int] | None = None
    planned: Mapping[str, RunSpec] = field(default_factory=dict)
    pace: float | None = None


class _Stamp(NamedTuple):
    """Tells one content of a file from the next."""

    modified: int
    size: int
    number: int


class _Listing(NamedTuple):
    """The names in a folder of runs, and what tells whether they stand for the same as before.

    stored:       digests of runs that have ended
    checkpoints:  of runs that have not, with their files' stamps
    held:         digests of runs that living processes train
    plans:        names of the plans that living processes follow
    """

    stored: frozenset[str]
    checkpoints: Mapping[str, _Stamp]
    held: frozenset[str]
    plans: frozenset[str]


class _Glimpse(NamedTuple):
    """A checkpoint as it was read: a run, or why there is none; and the rate by the one before."""

    stamp: _Stamp
    run: StoredRun | None
    fault: str = ""
    rate: float | None = None


class Folder:
    """The runs of the store at `root`, which may not be there yet."""

    def __init__(self, root: Path):
        self.root = root
        self._runs = root / "runs"
        self._reading = Opener()
        self._listing = _Listing(frozenset(), {}, frozenset(), frozenset())
        self._sight = Sight(order={})
        self._stored: dict[str, StoredRun] = {}
        self._damaged: dict[str, str] = {}
        self._glimpses: dict[str, _Glimpse] = {}
        self._order: dict[str, int] = {}
        self._plans: dict[str, Plan] = {}
        self._written: dict[str, float] = {}

    def look(self) -> Sight:
        """What the folder holds now; the same object as before where nothing has changed."""
        listing = self._list()
        if listing != self._listing:
            self._listing = listing
            self._read_plans(listing.plans)
            self._read_stored(listing.stored)
            self._read_checkpoints(listing.checkpoints)
            self._sight = self._seen(listing)
        return self._sight

    def _list(self) -> _Listing:
        stored, checkpoints, claimed, plans = set[str](), dict[str, _Stamp](), list[str](), set[str]()
        try:
            with os.scandir(self._runs) as entries:
                for entry in entries:
                    if not entry.name.startswith("."):
                        stored.add(entry.name)
                    elif entry.name.startswith(CLAIM):
                        claimed.append(entry.name.removeprefix(CLAIM))
                    elif entry.name.startswith(PLAN) and is_followed(Path(entry.path)):
                        plans.add(entry.name)
                    elif entry.name.startswith(CHECKPOINT) and (stamp := _stamp(entry)) is not None:
                        checkpoints[checkpointed(Path(entry.path))] = stamp
        except FileNotFoundError:
            pass
        # A run is stored before its checkpoint and its claim go.
        held = frozenset(one for one in claimed if one not in stored and Claim.is_taken(self.root, one))
        unfinished = {one: stamp for one, stamp in sorted(checkpoints.items()) if one not in stored}
        return _Listing(frozenset(stored), unfinished, held, frozenset(plans))

    def _read_plans(self, names: frozenset[str]) -> None:
        self._plans = {name: plan for name, plan in self._plans.items() if name in names}
        for name in sorted(names - self._plans.keys()):
            # One that is being written is read when something else has changed.
            with suppress(*files.DAMAGE):
                self._plans[name] = read_plan(self._runs / name)

    def _read_stored(self, names: frozenset[str]) -> None:
        for gone in self._stored.keys() - names:
            del self._stored[gone]
            self._written.pop(gone, None)
        for gone in self._damaged.keys() - names:
            del self._damaged[gone]
        for name in sorted(names - self._stored.keys() - self._damaged.keys()):
            # A folder gets its name when it is whole, so that what cannot be read now never will be.
            try:
                self._stored[name] = self._reading(self._runs / name)
            except UnreadableRun as error:
                self._damaged[name] = f"{error}; left out"

    def _read_checkpoints(self, stamps: Mapping[str, _Stamp]) -> None:
        for gone in self._glimpses.keys() - stamps.keys():
            del self._glimpses[gone]
        for digest, stamp in stamps.items():
            before = self._glimpses.get(digest)
            if before is None or before.stamp != stamp:
                self._glimpses[digest] = self._glimpse(digest, stamp, before)

    def _glimpse(self, digest: str, stamp: _Stamp, before: _Glimpse | None) -> _Glimpse:
        path = self._runs / f"{CHECKPOINT}{digest}.npz"
        try:
            run = glimpse(path, self._planned).so_far()
        except FileNotFoundError:
            return _Glimpse(stamp, None)
        except files.DAMAGE as error:
            return _Glimpse(stamp, None, f"cannot read {path}: {files.reason(error)}")
        rate = None
        if before is not None and before.run is not None:
            steps = int(run.curves.step[-1]) - int(before.run.curves.step[-1])
            seconds = (stamp.modified - before.stamp.modified) / 1e9
            # One that was begun anew says nothing.
            rate = steps / seconds if steps > 0 and seconds > 0 else None
        return _Glimpse(stamp, run, rate=rate)

    def _seen(self, listing: _Listing) -> Sight:
        stored = in_order(self._stored.values())
        glimpses = [(digest, one) for digest, one in self._glimpses.items() if one.run is not None]
        begun = in_order(one.run for _, one in glimpses if one.run is not None)
        for run in (*stored, *begun):
            self._order.setdefault(run.digest, len(self._order))
        unfinished = [
            Unfinished(one.run, one.stamp.modified / 1e9, digest in listing.held, one.rate)
            for digest, one in glimpses
            if one.run is not None
        ]
        unfinished.sort(key=lambda one: self._order[one.run.digest])
        faults = (*self._damaged.values(), *(one.fault for one in self._glimpses.values() if one.fault))
        unsaved = listing.held - listing.checkpoints.keys()
        planned, pace = self._planned, self._pace()
        return Sight(tuple(stored), tuple(unfinished), unsaved, faults, dict(self._order), planned, pace)

    @property
    def _planned(self) -> dict[str, RunSpec]:
        return {digest: spec for plan in self._plans.values() for digest, spec in plan.specs.items()}

    def _pace(self) -> float | None:
        """Steps of all runs that have ended since they were planned, by the seconds until the last end."""
        if not self._plans:
            return None
        began = min(plan.began for plan in self._plans.values())
        for digest in self._planned.keys() & self._stored.keys() - self._written.keys():
            self._written[digest] = _written(self._runs / digest)
        ended = {digest: when for digest, when in self._written.items() if when > began}
        if not ended:
            return None
        steps = sum(self._stored[digest].summary.steps_trained for digest in ended)
        return steps / (max(ended.values()) - began)


def _written(folder: Path) -> float:
    """When a run was stored, in seconds since 1970; 0 for one that is gone by now."""
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _stamp(entry: os.DirEntry[str]) -> _Stamp | None:
    """None for a file that is gone by now."""
    try:
        found = entry.stat()
    except FileNotFoundError:
        return None
    return _Stamp(found.st_mtime_ns, found.st_size, found.st_ino)
