"""Finished runs on disk: one folder a run, named by the run's digest, there as a whole or not at all.

Numpy side; never imports jax. Layout under the root of a store::

    runs/<digest>/run.json                   specification, status, environment, measures
    runs/<digest>/{truth,curves,maps}.npz    one array for each field of the NamedTuple of that name
    runs/.partial-<digest>-<pid>-<random>/   being written, or left by a killed process: never read
    runs/.unreadable-<digest>-<n>/           set aside by `Store.find`: never read
"""

from __future__ import annotations

import io
import itertools
import json
import os
import secrets
import shutil
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from attnsearch.base import AttnsearchError, Curves, Maps, Truth
from attnsearch.specs import FORMAT_VERSION, RunSpec

Status = Literal["mastered", "exhausted", "diverged"]
"""How a run ended: every target mastered, step budget used up, or a loss that is not finite."""

Listener = Callable[[str], None]
"""Receives one line of text for each stored run that cannot be read."""

LARGEST_ARRAY = 1 << 30
"""Bytes of the largest array that is read: no run comes near it, a damaged file may claim anything."""

_LEFTOVER_SECONDS = 24 * 3600

# For each array the kind of its dtype and its axes, in the letters of the legend in `attnsearch.base`.
_LAYOUT: Mapping[str, Mapping[str, str]] = {
    "truth": dict(zip(Truth._fields, ("bRL", "bRL", "iQ", "bQ", "bL", "fR", "f", "f"), strict=True)),
    "curves": dict(zip(Curves._fields, ("iE", "fEQ", "fEQ"), strict=True)),
    "maps": dict(zip(Maps._fields, ("iM", "fMRL"), strict=True)),
}

# What json, zipfile and numpy raise on damaged files.
_DAMAGE = (AttributeError, EOFError, LookupError, OSError, RuntimeError, SyntaxError, TypeError, ValueError)
_DAMAGE += (zipfile.BadZipFile, zlib.error)


class UnreadableRun(AttnsearchError):
    """A stored run that is damaged or of another format; the text names the file and the reason."""


@dataclass(frozen=True, eq=False)
class StoredRun:
    """One finished run, compared by identity, since equal arrays are not one truth value.

    `environment` (what it was trained with and on) and `measures` (what was computed from it) are JSON
    values, numbers finite. The arrays agree in their axes R, L and Q; a loss may be non-finite.
    """

    spec: RunSpec
    status: Status
    environment: Mapping[str, Any]
    measures: Mapping[str, Any]
    truth: Truth
    curves: Curves
    maps: Maps


@dataclass(frozen=True)
class Store:
    """The finished runs under `root`. `Store(root)` is enough to read; `Store.open` before writing."""

    root: Path

    @classmethod
    def open(cls, root: Path) -> Self:
        """The store at `root`, created where absent and proved to be writable.

        Removes what killed processes left there. Errors: AttnsearchError if nothing can be written there.
        """
        store = cls(root)
        with _explaining(f"cannot store runs in {root}", "choose another folder with --out"):
            store._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".partial-", dir=store._folder) as probe:
                Path(probe, "probe").write_bytes(b"\0")
        # A younger one may still be written to; one that is gone was finished or removed by its process.
        for leftover in store._folder.glob(".partial-*"):
            with suppress(FileNotFoundError):
                if time.time() - leftover.stat().st_mtime > _LEFTOVER_SECONDS:
                    shutil.rmtree(leftover, ignore_errors=True)
        return store

    def path(self, spec: RunSpec) -> Path:
        """The folder of the run of `spec`, there or not."""
        return self._folder / spec.digest

    def save(self, run: StoredRun) -> None:
        """Store `run`: readers see all of it or nothing. A run that is there already is kept instead.

        Errors: AttnsearchError if it cannot be written, and then nothing of it is left behind; ValueError
        for a run that could not be read back (JSON numbers not finite, arrays that disagree).
        """
        _check_arrays(run)
        contents, final = _contents(run), self.path(run.spec)
        partial = self._folder / f".partial-{final.name}-{os.getpid()}-{secrets.token_hex(4)}"
        remedy = "what is stored already stays readable; make room, then give the same command again"
        with _explaining(f"cannot store run {final.name} in {self.root}", remedy):
            try:
                # Not by tempfile, whose folders are closed to the group that may share the store.
                partial.mkdir()
                for name, content in contents.items():
                    with (partial / name).open("xb") as file:
                        file.write(content)
                        file.flush()
                        os.fsync(file.fileno())
                os.rename(partial, final)
            except OSError:
                # A folder that holds something is never replaced: another process was first.
                if not final.is_dir():
                    raise
            finally:
                shutil.rmtree(partial, ignore_errors=True)

    def find(self, spec: RunSpec, on_unreadable: Listener) -> StoredRun | None:
        """The stored run of `spec`, or None where it is still to be trained.

        One that cannot be read is moved aside, `on_unreadable` is told what was wrong with it and where
        it is now, and the answer is None. Errors: AttnsearchError if it cannot be moved.
        """
        folder = self.path(spec)
        try:
            return read(folder) if os.path.lexists(folder) else None
        except UnreadableRun as error:
            numbered = (folder.with_name(f".unreadable-{folder.name}-{n}") for n in itertools.count(1))
            aside = next(place for place in numbered if not os.path.lexists(place))
            # One that is gone by now was met and moved by another process.
            with _explaining(f"cannot move {folder} aside", "remove it"), suppress(FileNotFoundError):
                os.rename(folder, aside)
            on_unreadable(f"{error}; moved to {aside}, to be trained again")
            return None

    def runs(self, on_unreadable: Listener) -> Iterator[StoredRun]:
        """Every stored run that can be read, in the order of the digests.

        `on_unreadable` is told of each of the others; they stay where they are.
        Errors: AttnsearchError, at the first `next`, if there is no store at `root`.
        """
        with _explaining(f"no stored runs in {self.root}", "name a folder that was given as --out"):
            names = sorted(name for name in os.listdir(self._folder) if not name.startswith("."))
        for name in names:
            try:
                run = read(self._folder / name)
            except UnreadableRun as error:
                on_unreadable(f"{error}; left out")
            else:
                yield run

    @property
    def _folder(self) -> Path:
        return self.root / "runs"


def read(folder: Path) -> StoredRun:
    """The run stored in `folder`, whose name is the run's digest. Errors: UnreadableRun."""
    with _naming(folder / "run.json"):
        document = json.loads((folder / "run.json").read_bytes())
        if document["format_version"] != FORMAT_VERSION:
            raise ValueError(f"format version {document['format_version']}, expected {FORMAT_VERSION}")
        spec, status = RunSpec.from_json(document["spec"]), document["status"]
        if not spec.digest == document["digest"] == folder.name:
            raise ValueError(f"the digest of its specification is {spec.digest}, unlike its own or its name")
        if status not in get_args(Status):
            raise ValueError(f"status {status!r}, expected one of {', '.join(get_args(Status))}")
        environment, measures = dict(document["environment"]), dict(document["measures"])
    truth, curves, maps = (_unpacked(folder / f"{stem}.npz") for stem in _LAYOUT)
    run = StoredRun(spec, status, environment, measures, Truth(**truth), Curves(**curves), Maps(**maps))
    with _naming(folder):
        _check_arrays(run)
    return run


def _contents(run: StoredRun) -> dict[str, bytes]:
    question = {"format_version": FORMAT_VERSION, "digest": run.spec.digest, "spec": run.spec.to_json()}
    answer = {"status": run.status, "environment": dict(run.environment), "measures": dict(run.measures)}
    text = json.dumps(question | answer, sort_keys=True, indent=2, allow_nan=False)
    contents = {"run.json": f"{text}\n".encode()}
    for stem in _LAYOUT:
        # In memory: a zip file cut short by a full disk complains a second time when it is collected.
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **getattr(run, stem)._asdict())
        contents[f"{stem}.npz"] = buffer.getvalue()
    return contents


def _unpacked(path: Path) -> dict[str, npt.NDArray[Any]]:
    with _naming(path), zipfile.ZipFile(path) as archive:
        names = sorted(_LAYOUT[path.stem])
        if sorted(archive.namelist()) != [f"{name}.npy" for name in names]:
            raise ValueError(f"members {', '.join(archive.namelist())}, expected {', '.join(names)}")
        for member in archive.infolist():
            if member.file_size > LARGEST_ARRAY:
                raise ValueError(f"{member.filename} claims {member.file_size} bytes, more than any run has")
        return {name: _array(archive.read(f"{name}.npy")) for name in names}


def _array(content: bytes) -> npt.NDArray[Any]:
    """A read-only view of `content`: whatever shape its header claims, nothing is allocated."""
    stream = io.BytesIO(content)
    np.lib.format.read_magic(stream)
    shape, by_column, dtype = np.lib.format.read_array_header_1_0(stream)
    return np.frombuffer(content, dtype, offset=stream.tell()).reshape(shape, order="F" if by_column else "C")


def _check_arrays(run: StoredRun) -> None:
    """Errors: ValueError naming the file, the array, and what it contradicts."""
    known = {"R": (int(np.sum(run.truth.is_target)), "the targets in truth.npz: is_target")}
    for stem, layout in _LAYOUT.items():
        for name, (kind, *axes) in layout.items():
            array, place = np.asarray(getattr(getattr(run, stem), name)), f"{stem}.npz: {name}"
            found = f"{place} is {array.dtype}{[*array.shape]}"
            if array.dtype.kind != kind or array.ndim != len(axes):
                raise ValueError(f"{found}, expected kind {kind}[{', '.join(axes)}]")
            for axis, size in zip(axes, array.shape, strict=True):
                agreed, source = known.setdefault(axis, (size, place))
                if size != agreed:
                    raise ValueError(f"{found}, but {axis} = {agreed} by {source}")


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise UnreadableRun(f"{path}: {_reason(error)}") from error


@contextmanager
def _explaining(what: str, remedy: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise AttnsearchError(f"{what}: {_reason(error)}; {remedy}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = " ".join(str(error).split())
    return text if type(error) is ValueError else f"{type(error).__name__} {text}"
