"""Runs in training on disk, so that what was killed goes on, bit for bit, from where it was last saved.

Numpy side; never imports jax. Layout under the root of a store, which never looks at hidden names::

    runs/.checkpoint-<digest>.npz              document, truth, curves and maps so far, leaves: uncompressed
    runs/.partial-<digest>-<pid>-<random>/     being written, or left by a killed process for `Store.open`
"""

from __future__ import annotations

import io
import json
import os
import secrets
import shutil
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from attnsearch.base import RECORDING_INTERVAL, AttnsearchError, Truth
from attnsearch.recording import Recording
from attnsearch.specs import RunSpec

CHECKPOINT_VERSION = 1
"""Of what is written here. Finished runs do not depend on it, nor do digests."""

# The kinds of dtype whose bytes an .npy file gives back as what they were: numpy's own, and no objects.
_KINDS = "biufc"

# Names in the file, each with the kind of its dtype and its axes, in the letters of `attnsearch.base`.
_LAYOUT: Mapping[str, str] = {
    **dict(zip(Truth._fields, ("bRL", "bRL", "iQ", "bQ", "bL", "fR", "f", "f"), strict=True)),
    **{"loss": "fEQ", "accuracy": "fEQ", "map_steps": "iM", "influence": "fMRL"},
}

# What json, zipfile and numpy raise on damaged files.
_DAMAGE = (AttributeError, EOFError, LookupError, OSError, RuntimeError, SyntaxError, TypeError, ValueError)
_DAMAGE += (zipfile.BadZipFile, zlib.error, tokenize.TokenError)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A run between two recorded points, compared by identity, since equal arrays are not one truth value.

    recording:  what was recorded so far, of a run that has not ended
    leaves:     its state, in an order and of shapes that only the trainer knows; of numpy's own dtypes
    """

    recording: Recording
    leaves: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Checkpoints:
    """The last checkpoint of each run in training, under the `root` of a store that has been opened.

    Each is only for the process that has the claim on its run.
    """

    root: Path

    def path(self, spec: RunSpec) -> Path:
        """The file of the run of `spec`, there or not."""
        return self.root / "runs" / f".checkpoint-{spec.digest}.npz"

    def save(self, checkpoint: Checkpoint) -> None:
        """Put `checkpoint` in the place of the run's last one, which is there until this one is whole.

        Errors: AttnsearchError if it cannot be written, and then the last one stays; ValueError for what
        could not be read back: a run that has ended, other dtypes, arrays that disagree.
        """
        content, spec = _content(checkpoint), checkpoint.recording.spec
        digest, final = spec.digest, self.path(spec)
        partial = final.with_name(f".partial-{digest}-{os.getpid()}-{secrets.token_hex(4)}")
        try:
            partial.mkdir()
            with (partial / "checkpoint.npz").open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            (partial / "checkpoint.npz").replace(final)
        except OSError as error:
            raise AttnsearchError(
                f"cannot save a checkpoint of run {digest} in {self.root}: {_reason(error)}; what is stored "
                "already stays readable; make room, then give the same command again"
            ) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def load(self, spec: RunSpec, on_unreadable: Callable[[str], None]) -> Checkpoint | None:
        """The run of `spec` where it was last saved, its arrays read-only, or None where it starts anew.

        A damaged file is removed, and `on_unreadable` is told what was wrong with it. The thresholds are
        those of `spec`, whichever it was saved with. Errors: AttnsearchError if the file may not be read, or
        cannot be removed.
        """
        path = self.path(spec)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            # It says nothing against the content, which may be hours of work.
            raise AttnsearchError(f"cannot read {path}: {_reason(error)}") from error
        try:
            return _read(content, spec)
        except _DAMAGE as error:
            self.remove(spec)
            on_unreadable(f"cannot read {path}: {_reason(error)}; removed, its run starts anew")
            return None

    def remove(self, spec: RunSpec) -> None:
        """Forget the checkpoint of `spec`, if there is one. Errors: AttnsearchError if that cannot be."""
        try:
            self.path(spec).unlink(missing_ok=True)
        except OSError as error:
            raise AttnsearchError(f"cannot remove {self.path(spec)}: {_reason(error)}; remove it") from error


def _content(checkpoint: Checkpoint) -> bytes:
    recording = checkpoint.recording
    if recording.status is not None:
        raise ValueError(f"a run that has ended ({recording.status}) is stored, not checkpointed")
    queries, rows = recording.truth.is_target.shape, recording.truth.attention_map.shape
    arrays = {
        **{name: np.asarray(array) for name, array in recording.truth._asdict().items()},
        "loss": _stacked(recording.loss, queries),
        "accuracy": _stacked(recording.accuracy, queries),
        "map_steps": np.array(recording.map_steps, np.int64),
        "influence": _stacked(recording.influence, rows),
    }
    leaves = [np.asarray(leaf) for leaf in checkpoint.leaves]
    _check(arrays, leaves)
    document = {"checkpoint_version": CHECKPOINT_VERSION, "digest": recording.spec.digest}
    document |= {"step": recording.step, "leaves": len(leaves)}
    # In memory: a zip file cut short by a full disk complains a second time when it is collected.
    buffer = io.BytesIO()
    np.savez(buffer, *leaves, document=np.frombuffer(json.dumps(document).encode(), np.uint8), **arrays)
    return buffer.getvalue()


def _read(content: bytes, spec: RunSpec) -> Checkpoint:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        arrays = {name.removesuffix(".npy"): _array(archive.read(name)) for name in archive.namelist()}
    document = json.loads(arrays.pop("document").tobytes())
    if (version := document["checkpoint_version"]) != CHECKPOINT_VERSION:
        raise ValueError(f"checkpoint version {version}, expected {CHECKPOINT_VERSION}")
    if document["digest"] != spec.digest:
        raise ValueError(f"it is of the run {document['digest']}")
    leaves = [arrays.pop(f"arr_{n}") for n in range(document["leaves"])]
    _check(arrays, leaves)
    truth = Truth(**{name: arrays[name] for name in Truth._fields})
    loss, accuracy, influence = (list(arrays[name]) for name in ("loss", "accuracy", "influence"))
    recording = Recording(spec, truth, None, loss, accuracy, arrays["map_steps"].tolist(), influence)
    # The interval may have been another when it was saved.
    if recording.step != document["step"]:
        raise ValueError(f"{len(recording.loss)} points of {RECORDING_INTERVAL} steps at {document['step']}")
    return Checkpoint(recording, tuple(leaves))


def _stacked(points: Sequence[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    return np.stack(points) if points else np.zeros((0, *shape), np.float32)


def _array(member: bytes) -> np.ndarray:
    """Read-only. Whatever shape a header claims, nothing is allocated for it."""
    stream = io.BytesIO(member)
    np.lib.format.read_magic(stream)
    shape, by_column, dtype = np.lib.format.read_array_header_1_0(stream)
    return np.frombuffer(stream.read(), dtype).reshape(shape, order="F" if by_column else "C")


def _check(arrays: Mapping[str, np.ndarray], leaves: Sequence[np.ndarray]) -> None:
    if foreign := {str(leaf.dtype) for leaf in leaves if leaf.dtype.kind not in _KINDS}:
        raise ValueError(f"leaves are {', '.join(sorted(foreign))}, expected numpy's own numbers")
    if differing := arrays.keys() ^ _LAYOUT.keys():
        raise ValueError(f"missing or unknown: {', '.join(sorted(differing))}")
    known = {"R": (np.count_nonzero(arrays["is_target"]), "is_target")}
    for name, (kind, *axes) in _LAYOUT.items():
        array = arrays[name]
        found = f"{name} is {array.dtype}{[*array.shape]}"
        if array.dtype.kind != kind or array.ndim != len(axes):
            raise ValueError(f"{found}, expected kind {kind}[{', '.join(axes)}]")
        for axis, size in zip(axes, array.shape, strict=True):
            agreed, source = known.setdefault(axis, (size, name))
            if size != agreed:
                raise ValueError(f"{found}, but {axis} = {agreed} by {source}")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    kind = "" if type(error) is ValueError else f"{type(error).__name__}: "
    return kind + " ".join(str(error).split())[:300]
