"""What every file of arrays has in common, whatever it holds: packed, written whole, read without trust.

Numpy side; never imports jax. A layout maps the name of an array to the kind of its dtype followed by its
axes, in the letters of the legend in `attnsearch.base`; "iQ" is `integer[Q]`, "f" is one number.
"""

from __future__ import annotations

import io
import os
import secrets
import shutil
import tokenize
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from attnsearch.base import AttnsearchError, Truth

TRUTH_LAYOUT: Mapping[str, str] = dict(
    zip(
        Truth._fields,
        ("bKL", "bKL", "iQ", "bQ", "bL", "fR", "f", "f", "fR", "iR", "iK", "bL"),
        strict=True,
    )
)
"""Of the arrays of a `Truth`."""

DAMAGE: tuple[type[Exception], ...] = (
    *(AttributeError, EOFError, LookupError, OSError, RuntimeError, SyntaxError, TypeError, ValueError),
    *(zipfile.BadZipFile, zlib.error, tokenize.TokenError),
)
"""What json, zipfile and numpy raise on damaged files."""

MAKE_ROOM = "what is stored already stays readable; make room, then give the same command again"
"""The remedy where something cannot be written."""


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


@contextmanager
def partial_folder(parent: Path, name: str, contents: Mapping[str, bytes]) -> Iterator[Path]:
    """A new folder in `parent` with a file for each of `contents`, all on the disk, to be moved from.

    It is named `.partial-<name>-<pid>-<random>`, and what is still there afterwards is removed.
    """
    partial = parent / f".partial-{name}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        # Not by tempfile, whose folders are closed to the group that may share the store.
        partial.mkdir()
        for file_name, content in contents.items():
            _write_new(partial / file_name, content)
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_whole(path: Path, content: bytes | str) -> Path:
    """Write `content` to `path`, as a whole or not at all, and return `path`. Missing folders are made.

    Text is written as UTF-8, with `?` for what that cannot hold. A link is followed. A pipe or a device, such
    as /dev/stdout, is written to and never replaced. Errors: AttnsearchError.
    """
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    final = Path(os.path.realpath(path))
    with explaining(f"cannot write {path}", "choose another place"):
        if final.exists() and not final.is_file() and not final.is_dir():
            final.write_bytes(data)
            return path
        final.parent.mkdir(parents=True, exist_ok=True)
        unfinished = final.with_name(f".unfinished-{os.getpid()}-{secrets.token_hex(4)}")
        try:
            _write_new(unfinished, data)
            unfinished.replace(final)
        finally:
            unfinished.unlink(missing_ok=True)
    return path


def _write_new(path: Path, data: bytes) -> None:
    """Write a file that is not there yet, down to the disk."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def packed(arrays: Mapping[str, np.ndarray], *, compressed: bool) -> bytes:
    """The .npz file of `arrays`, in their order. None may hold objects: see to that by their dtypes first."""
    # In memory: a zip file cut short by a full disk complains a second time when it is collected.
    buffer = io.BytesIO()
    # Nothing but arrays by name: numpy below 2.2 would store `allow_pickle` as one more array.
    members: dict[str, Any] = dict(arrays)
    write = np.savez_compressed if compressed else np.savez
    write(buffer, **members)
    return buffer.getvalue()


def unpacked(file: Path | BinaryIO, names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays of an .npz file, read-only. Whatever shape a header claims, nothing is allocated for it.

    Errors: one of `DAMAGE`, also for objects, and for other arrays than `names` where these are given.
    """
    with zipfile.ZipFile(file) as archive:
        members = archive.namelist()
        if names is not None and sorted(members) != (expected := sorted(f"{name}.npy" for name in names)):
            raise ValueError(f"members {', '.join(members)}, expected {', '.join(expected)}")
        return {member.removesuffix(".npy"): _array(archive.read(member)) for member in sorted(members)}


def truth_of(arrays: Mapping[str, np.ndarray]) -> Truth:
    """The truth that is made of `arrays`, by name. Errors: ValueError for other names."""
    if differing := arrays.keys() ^ TRUTH_LAYOUT.keys():
        # Stored before there were tasks of which some rows are kept, or that even Bayes cannot foresee.
        if differing == {"bayes_loss", "state", "mapped", "probed"} - arrays.keys():
            return Truth.whole(**arrays)
        raise ValueError(f"members missing or unknown: {', '.join(sorted(differing))}")
    return Truth(**arrays)


def check_layout(
    arrays: Mapping[str, np.ndarray], layout: Mapping[str, str], known: Mapping[str, tuple[int, str]]
) -> dict[str, tuple[int, str]]:
    """The size of each axis and the name of what says so: `known` ones, and those of `arrays`.

    Errors: ValueError where an array is not as in `layout`, or disagrees with an earlier one in an axis.
    """
    sizes = dict(known)
    for name, (kind, *axes) in layout.items():
        array = arrays[name]
        found = f"{name} is {array.dtype}{[*array.shape]}"
        if array.dtype.kind != kind or array.ndim != len(axes):
            raise ValueError(f"{found}, expected kind {kind}[{', '.join(axes)}]")
        for axis, size in zip(axes, array.shape, strict=True):
            agreed, source = sizes.setdefault(axis, (size, name))
            if size != agreed:
                raise ValueError(f"{found}, but {axis} = {agreed} by {source}")
    return sizes


def _array(member: bytes) -> np.ndarray:
    stream = io.BytesIO(member)
    np.lib.format.read_magic(stream)
    shape, by_column, dtype = np.lib.format.read_array_header_1_0(stream)
    return np.frombuffer(stream.read(), dtype).reshape(shape, order="F" if by_column else "C")
