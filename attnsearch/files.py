"""What all files have in common, whatever they hold: written whole, read without trust.

Numpy side; never imports jax.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import secrets
import shutil
import stat
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from attnsearch.base import AttnsearchError

DAMAGE: tuple[type[Exception], ...] = (
    *(AttributeError, EOFError, LookupError, OSError, RuntimeError, SyntaxError, TypeError, ValueError),
    *(zipfile.BadZipFile, zlib.error, tokenize.TokenError),
)
"""What json, zipfile and numpy raise on damaged files."""

MAKE_ROOM = "stored runs stay readable; make room, then give the same command again"
"""The remedy where a run cannot be written."""


def reason(error: Exception) -> str:
    """What `error` says, in one line that is not long; of a system error without its file and number."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    kind = "" if type(error) is ValueError else f"{type(error).__name__}: "
    return kind + " ".join(str(error).split())[:300]


@contextmanager
def explaining(what: str, remedy: str = "") -> Iterator[None]:
    """Turn an OSError into the AttnsearchError that says `what` failed, for which reason, and the remedy."""
    try:
        yield
    except OSError as error:
        raise AttnsearchError(f"{what}: {reason(error)}" + (f"; {remedy}" if remedy else "")) from error


PARTIAL = ".partial-"
"""How the name of a folder begins that is being written, or that a killed process left."""

_ABANDONED = 24 * 3600
"""Seconds. Between computers that do not see each other's locks, age alone must tell."""


@contextmanager
def partial_folder(parent: Path, name: str, contents: Mapping[str, bytes]) -> Iterator[Path]:
    """A new folder in `parent` with a file for each of `contents`, all on the disk, to be moved from.

    It is named `.partial-<name>-<pid>-<random>`, and what is still there afterwards is removed. Its files are
    locked until then, for `remove_abandoned` to see.
    """
    partial = parent / f"{PARTIAL}{name}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        # Not by tempfile, whose folders are closed to the group that may share the store.
        partial.mkdir()
        written = list[int]()
        with ExitStack() as at_work:
            for file_name, content in contents.items():
                file = at_work.enter_context((partial / file_name).open("xb"))
                # A file system without locks: then no folder is taken for abandoned.
                with suppress(OSError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                file.write(content)
                file.flush()
                written.append(file.fileno())
            _force(written)
            yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def remove_abandoned(parent: Path) -> None:
    """Remove the partial folders in `parent` that killed processes left over a day ago.

    A folder that a living process writes is locked, and stays. The clock of the file system alone tells its
    age, for the clock of a computer may be wrong. Errors: OSError where nothing can be written in `parent`.
    """
    for leftover in abandoned(parent):
        # A folder that is gone by now was removed by another process.
        with suppress(OSError):
            shutil.rmtree(leftover)


def abandoned(parent: Path) -> Iterator[Path]:
    """The partial folders in `parent` that killed processes left over a day ago, each locked while it is
    looked at. Errors: OSError where nothing can be written in `parent`."""
    with partial_folder(parent, "probe", {"probe": b"\0"}) as probe:
        now = (probe / "probe").stat().st_mtime
    for leftover in parent.glob(f"{PARTIAL}*"):
        with ExitStack() as locks:
            if _is_abandoned(leftover, now, locks):
                yield leftover


def _is_abandoned(folder: Path, now: float, locks: ExitStack) -> bool:
    """Whether a partial folder is old, and nobody writes it; its files are then locked until `locks` end."""
    # A folder that is gone by now was finished, or removed by another process.
    with suppress(OSError):
        if folder.stat().st_mtime > now - _ABANDONED:
            return False
        for path in folder.iterdir():
            descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            locks.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def write_whole(path: Path, content: bytes | str) -> Path:
    """Write `content` to `path`, as a whole or not at all, and return `path`. Missing folders are made.

    Text is written as UTF-8, with `?` for what that cannot hold. A link is followed. A pipe or a device, such
    as /dev/stdout, is written to and never replaced. Errors: AttnsearchError.
    """
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    with replacing(path) as unfinished:
        unfinished.write_bytes(data)
    return path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name for a new file beside `path`, which takes the place of `path` at the end of the block.

    Missing folders are made, and a link is followed. Where the block fails, the new file is removed. For a
    pipe or a device the name is its own: it is written to and never replaced. Errors: AttnsearchError where
    it cannot be written.
    """
    final = Path(os.path.realpath(path))
    with explaining(f"cannot write {path}", "choose another place"):
        if final.exists() and not final.is_file() and not final.is_dir():
            yield final
            return
        final.parent.mkdir(parents=True, exist_ok=True)
        unfinished = final.with_name(f".unfinished-{os.getpid()}-{secrets.token_hex(4)}")
        try:
            yield unfinished
            with unfinished.open("rb") as file:
                os.fsync(file.fileno())
            unfinished.replace(final)
        finally:
            unfinished.unlink(missing_ok=True)


def _force(descriptors: Sequence[int]) -> None:
    """Wait until what was written to these files is on the disk."""
    # At once: a file system commits what several ask for together, where one after another would each wait
    # for a commit of its own.
    with ThreadPoolExecutor(len(descriptors)) as asking:
        for _ in asking.map(os.fsync, descriptors):
            pass


def read_whole(path: Path, most: int = -1) -> bytes:
    """The content of a file, or its first `most` bytes where that is given.

    Errors: OSError, at once also for a pipe, a socket or a device.
    """
    with open(path, "rb", opener=_at_once) as file:
        check_regular(os.fstat(file.fileno()))
        return file.read(most)


def check_regular(status: os.stat_result) -> None:
    """Errors: OSError unless `status` is of a regular file. Reading a pipe may wait for ever."""
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def packed(arrays: Mapping[str, np.ndarray], *, compressed: bool) -> bytes:
    """The .npz file of `arrays`, in their order. None may hold objects: see to that by their dtypes first."""
    # In memory: a zip file cut short by a full disk complains a second time when it is collected.
    buffer = io.BytesIO()
    # Nothing but arrays by name: numpy below 2.2 would store `allow_pickle` as one more array.
    members: dict[str, Any] = dict(arrays)
    write = np.savez_compressed if compressed else np.savez
    write(buffer, **members)
    return buffer.getvalue()


def unpacked(content: bytes, names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays of an .npz file with this `content`, read-only.

    Whatever shape a header claims, nothing is allocated for it.
    Errors: one of `DAMAGE`, also for objects, and for other arrays than `names` where these are given.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {
            member.removesuffix(".npy"): _array(archive.read(member)) for member in _members(archive, names)
        }


def unpacked_part(path: Path, names: Collection[str], part: Collection[str]) -> dict[str, np.ndarray]:
    """As `unpacked`, of the .npz file at `path`, but the arrays in `part` alone; nothing else is read.

    names:  all arrays of the file. Errors: one of `DAMAGE`
    """
    with open(path, "rb", opener=_at_once) as file:
        check_regular(os.fstat(file.fileno()))
        with zipfile.ZipFile(file) as archive:
            _members(archive, names)
            return {name: _array(archive.read(f"{name}.npy")) for name in part}


def unpacked_where(path: Path, wanted: Callable[[str], bool]) -> dict[str, np.ndarray]:
    """As `unpacked`, of the .npz file at `path`, but the arrays alone whose names are `wanted`.

    Errors: one of `DAMAGE`
    """
    with open(path, "rb", opener=_at_once) as file:
        check_regular(os.fstat(file.fileno()))
        with zipfile.ZipFile(file) as archive:
            names = [member.removesuffix(".npy") for member in _members(archive, None)]
            return {name: _array(archive.read(f"{name}.npy")) for name in names if wanted(name)}


def _members(archive: zipfile.ZipFile, names: Collection[str] | None) -> list[str]:
    """The files in `archive`. Errors: ValueError where these are not the arrays `names`."""
    members = archive.namelist()
    if names is not None and sorted(members) != (expected := sorted(f"{name}.npy" for name in names)):
        raise ValueError(f"members {', '.join(members)}, expected {', '.join(expected)}")
    return sorted(members)


def _array(member: bytes) -> np.ndarray:
    start = 10 + int.from_bytes(member[8:10], "little")
    shape, by_column, dtype = _header(member[:start])
    return np.frombuffer(member[start:], dtype).reshape(shape, order="F" if by_column else "C")


@lru_cache(maxsize=4_096)
def _header(header: bytes) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order and dtype of an array. Runs have the same headers, and numpy parses them as Python."""
    stream = io.BytesIO(header)
    np.lib.format.read_magic(stream)
    return np.lib.format.read_array_header_1_0(stream)


def library(name: str) -> Any:
    """A module of the extra `frames`. Errors: AttnsearchError where it is not installed."""
    package = name.partition(".")[0]
    try:
        return import_module(name)
    except ImportError as error:
        raise AttnsearchError(
            f"{package} is not installed: pip install {package}, or pip install 'attnsearch[frames]'"
        ) from error
