"""Finished runs on disk: one folder a run, named by the run's digest, there as a whole or not at all.

Numpy side; never imports jax. Layout under the root of a store::

    runs/<digest>/run.json                   specification, status, environment; measures, for people
    runs/<digest>/{truth,curves,maps,heads}.npz
                                             one array for each field of the NamedTuple of that name
    runs/<digest>/parameters.safetensors     the trained network, where that was asked for
    runs/.partial-<digest>-<pid>-<random>/   being written, or left by a killed process: never read
    runs/.unreadable-<digest>-<n>/           set aside by `Store.find`: never read
"""

from __future__ import annotations

import errno
import itertools
import json
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np

from attnsearch import files
from attnsearch.base import AttnsearchError, Curves, Floats, Heads, Maps, Truth
from attnsearch.runs import layout
from attnsearch.runs import parameters as parameter_files
from attnsearch.runs.layout import Layout
from attnsearch.runs.measures import Measures, measure
from attnsearch.spec.run import FORMAT_VERSION, PlateauRule, RunSpec

Status = Literal["mastered", "exhausted", "diverged"]
"""How a run ended: every target mastered, step budget used up, or a loss that is not finite."""

# The layouts of the files of arrays, by their stems.
_LAYOUTS: Mapping[str, Layout] = {
    "truth": layout.TRUTH,
    "curves": layout.CURVES,
    "maps": layout.MAPS,
    "heads": layout.HEADS,
}

_KINDS: Mapping[str, type[Any]] = {"truth": Truth, "curves": Curves, "maps": Maps, "heads": Heads}

# System errors that say nothing against the file that was to be read.
_INNOCENT = (errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE)


class UnreadableRun(AttnsearchError):
    """A stored run that is damaged or of another format; the text names the file and the reason."""


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

    @cached_property
    def measures(self) -> Measures:
        """The run's measures under the thresholds of its specification, from its curves."""
        return measure(self.curves, self.truth, self.spec.cell.task.plateau)

    def under(self, rule: PlateauRule) -> Self:
        """The same run, measured under `rule`."""
        task = replace(self.spec.cell.task, plateau=rule)
        return replace(self, spec=replace(self.spec, cell=replace(self.spec.cell, task=task)))


class ArrayFiles:
    """The arrays of stored runs, read when they are asked for.

    What was read last is kept, up to `most` bytes, so that to ask twice does not mean to read twice.
    """

    def __init__(self, most: int):
        self._most, self._held = most, 0
        self._kept: OrderedDict[tuple[Path, str], tuple[np.ndarray, ...]] = OrderedDict()

    def __call__(self, folder: Path, stem: str) -> Any:
        """The NamedTuple of one file of the run in `folder`. Errors: one of `files.DAMAGE`."""
        found = self._kept.get((folder, stem))
        if found is None:
            found = self._kept[folder, stem] = _arrays(folder, stem)
            self._held += _bytes(found)
            while self._held > self._most and len(self._kept) > 1:
                self._held -= _bytes(self._kept.popitem(last=False)[1])
        else:
            self._kept.move_to_end((folder, stem))
        return found


class _OpenedRun(StoredRun):
    """A run whose arrays stay on the disk: each is read when it is asked for."""

    @classmethod
    def at(cls, folder: Path, arrays: Mapping[str, ArrayFiles]) -> Self:
        """The run in `folder`. Its truth and its curves are read and checked, and measured."""
        made = cls.__new__(cls)
        vars(made).update(_question(folder), _folder=folder, _arrays=arrays)
        _check(folder, {stem: getattr(made, stem) for stem in ("truth", "curves")})
        vars(made)["measures"] = made.measures
        return made

    def __getattr__(self, name: str) -> Any:
        """An array field, which is not in memory. Errors: UnreadableRun."""
        if name not in _LAYOUTS:
            raise AttributeError(name)
        folder, arrays = self._folder, self._arrays
        with _unreadable(folder / f"{name}.npz"):
            found = arrays[name](folder, name)
        if name in ("maps", "heads"):
            _check(
                folder, {"truth": self.truth, "maps": self.maps if name == "heads" else found, name: found}
            )
        return found

    def under(self, rule: PlateauRule) -> Self:
        """The same run, measured under `rule`, its arrays where they were."""
        made = self.__class__.__new__(self.__class__)
        vars(made).update({name: value for name, value in vars(self).items() if name != "measures"})
        task = replace(self.spec.cell.task, plateau=rule)
        vars(made)["spec"] = replace(self.spec, cell=replace(self.spec.cell, task=task))
        return made


KEPT = 2**27
"""Bytes of truths, and as many of other arrays, that the runs of one `opener` keep in memory together."""


def opener() -> Callable[[Path], StoredRun]:
    """As `read`, but that maps and heads are read, and checked, when they are asked for, and curves again.

    However many runs there are, their arrays take little more memory than `KEPT` says.
    """
    truths, others = ArrayFiles(KEPT), ArrayFiles(KEPT)
    arrays = {stem: truths if stem == "truth" else others for stem in _LAYOUTS}
    return lambda folder: _OpenedRun.at(folder, arrays)


def read(folder: Path) -> StoredRun:
    """The run stored in `folder`, whose name is the run's digest. Errors: UnreadableRun."""
    question, arrays = _question(folder), {}
    for stem in _LAYOUTS:
        with _unreadable(folder / f"{stem}.npz"):
            arrays[stem] = _arrays(folder, stem)
    _check(folder, arrays)
    return StoredRun(**question, **arrays)


def steps_trained(folder: Path) -> int:
    """The last recorded step of the run stored in `folder`; hardly more than this is read.

    Errors: UnreadableRun.
    """
    file = folder / "curves.npz"
    with _unreadable(file):
        return int(files.unpacked_part(file, layout.CURVES, ["step"])["step"][-1])


def _question(folder: Path) -> dict[str, Any]:
    """The fields of a stored run that are not arrays. Errors: UnreadableRun."""
    file = folder / "run.json"
    with _unreadable(file):
        document = json.loads(files.read_whole(file))
        if document["format_version"] != FORMAT_VERSION:
            raise ValueError(f"format version {document['format_version']}, expected {FORMAT_VERSION}")
        spec, status = RunSpec.from_json(document["spec"]), document["status"]
        if not spec.digest == document["digest"] == folder.name:
            raise ValueError(f"its specification has the digest {spec.digest}, but it is stored as another")
        if status not in get_args(Status):
            raise ValueError(f"status {status!r}, expected one of {', '.join(get_args(Status))}")
        return {"spec": spec, "status": status, "environment": dict(document["environment"])}


def _arrays(folder: Path, stem: str) -> Any:
    return _KINDS[stem](**files.unpacked(files.read_whole(folder / f"{stem}.npz"), _LAYOUTS[stem]))


def _check(folder: Path, arrays: Mapping[str, Any]) -> None:
    """Errors: UnreadableRun where arrays of the run in `folder` disagree."""
    with _unreadable(folder):
        _check_arrays(arrays)


@contextmanager
def _unreadable(file: Path) -> Iterator[None]:
    try:
        yield
    except files.DAMAGE as error:
        raise UnreadableRun(f"cannot read {file}: {files.reason(error)}") from error


def _bytes(arrays: tuple[np.ndarray, ...]) -> int:
    return sum(array.nbytes for array in arrays)


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
        return self._folder / spec.digest

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
            contents[parameter_files.FILE] = parameter_files.packed(parameters, run.spec.digest, step)
        with (
            files.explaining(f"cannot store run {final.name} in {self.root}", files.MAKE_ROOM),
            files.partial_folder(self._folder, final.name, contents) as partial,
        ):
            try:
                partial.rename(final)
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
        with files.explaining(f"no stored runs in {self.root}", "name a folder that was given as --out"):
            return sorted(path for path in self._folder.iterdir() if not path.name.startswith("."))

    def runs(
        self, on_unreadable: Callable[[str], None], reading: Callable[[Path], StoredRun] = read
    ) -> Iterator[StoredRun]:
        """Every readable run, in the order of digests; `on_unreadable` is told of the others, which stay.

        reading:  `read`, or what `opener` gives

        Errors: AttnsearchError, at the first `next`, if `root` is not a store.
        """
        for folder in self.folders():
            try:
                yield reading(folder)
            except UnreadableRun as error:
                on_unreadable(f"{error}; left out")

    @property
    def _folder(self) -> Path:
        return self.root / "runs"


def _contents(run: StoredRun) -> dict[str, bytes]:
    _check_arrays({stem: getattr(run, stem) for stem in _LAYOUTS})
    question = {"format_version": FORMAT_VERSION, "digest": run.spec.digest, "spec": run.spec.to_json()}
    answer = {
        "status": run.status,
        "environment": dict(run.environment),
        "measures": run.measures.to_json(run.maps),
    }
    contents = {"run.json": json.dumps(question | answer, sort_keys=True, indent=2, allow_nan=False).encode()}
    for stem in _LAYOUTS:
        contents[f"{stem}.npz"] = files.packed(getattr(run, stem)._asdict(), compressed=True)
    return contents


def _check_arrays(files_of: Mapping[str, Any]) -> None:
    """Errors: ValueError where arrays are not as their layouts say, or disagree; the truth is among them."""
    sizes: Mapping[str, tuple[int, str]] = {}
    for stem, fields in files_of.items():
        # Named by their files too, for they agree across these.
        arrays = {f"{stem}.npz: {name}": np.asarray(getattr(fields, name)) for name in _LAYOUTS[stem]}
        sizes = layout.check(arrays, dict(zip(arrays, _LAYOUTS[stem].values(), strict=True)), sizes)
    if (targets := int(np.sum(files_of["truth"].is_target))) != sizes["R"][0]:
        raise ValueError(f"truth.npz: is_target has {targets} targets, but R = {sizes['R'][0]}")
