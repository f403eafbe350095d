"""Runs in training on disk: a killed run goes on, bit for bit, from where it was last saved.

Numpy side; never imports jax. Layout under the root of a store, which never looks at hidden names::

    runs/.checkpoint-<digest>.npz              document with the specification, truth, curves and maps so
                                               far, leaves: uncompressed
    runs/.partial-<digest>-<pid>-<random>/     being written, or left by a killed process for `Store.open`
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from attnsearch import files
from attnsearch.base import RECORDING_INTERVAL, MapRecord, Truth
from attnsearch.runs import layout
from attnsearch.runs.digests import digest
from attnsearch.runs.layout import Layout
from attnsearch.runs.recorder import Recording
from attnsearch.spec.run import RunSpec

CHECKPOINT_VERSION = 5
"""Version of the files written here. Finished runs and digests do not depend on it."""

# The kinds of dtype whose bytes an .npy file gives back as what they were: numpy's own, and no objects.
_KINDS = "biufc"

# Of the arrays in the file, without the document and the leaves.
_LAYOUT: Layout = {
    **layout.TRUTH,
    "loss": layout.CURVES["loss"],
    "accuracy": layout.CURVES["accuracy"],
    "map_steps": layout.MAPS["step"],
    **layout.RECORDED_MAPS,
    "route_names": layout.ROUTES["names"],
    "update_norm": layout.UPDATES["norm"],
    "margin": layout.CONTESTS["margin"],
    "agreement": layout.CONTESTS["agreement"],
}

CHECKPOINT = ".checkpoint-"
"""How the name of a checkpoint begins; the digest of its run follows, and `.npz`."""

_LEAF = "arr_"
"""How the names of leaves begin in the file; a number follows."""

# Only in the file of a run whose task names routes, of one on whose task these compete, and of one that an
# earlier version did not begin.
_OPTIONAL = (("route_names", "route_mass"), ("margin", "agreement"), ("update_norm",))


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A run between two recorded points, compared by identity, since equal arrays are not one truth value.

    recording:  what was recorded so far; its run has not ended
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
        return checkpoint_file(self.root, digest(spec))

    def save(self, checkpoint: Checkpoint) -> None:
        """Put `checkpoint` in the place of the run's last one, which stays until the new one is whole.

        Errors: AttnsearchError if it cannot be written. ValueError if it could not be read back: for a run
        that has ended, other dtypes, or arrays that disagree.
        """
        content, spec = _content(checkpoint), checkpoint.recording.spec
        final, contents = self.path(spec), {"checkpoint.npz": content}
        with (
            files.explaining(
                f"cannot save a checkpoint of run {spec.digest} in {self.root}", files.MAKE_ROOM
            ),
            files.partial_folder(final.parent, spec.digest, contents) as partial,
        ):
            (partial / "checkpoint.npz").replace(final)

    def load(self, spec: RunSpec, on_unreadable: Callable[[str], None]) -> Checkpoint | None:
        """The run of `spec` where it was last saved, its arrays read-only, or None where it starts anew.

        A damaged file is removed, and `on_unreadable` is told what was wrong with it. The thresholds come
        from `spec`, not from the file. Errors: AttnsearchError if the file may not be read or removed.
        """
        path = self.path(spec)
        # A system error says nothing against the content, which may be hours of work.
        with files.explaining(f"cannot read {path}"):
            try:
                content = files.read_whole(path)
            except FileNotFoundError:
                return None
        try:
            return _read(content, spec)
        except files.DAMAGE as error:
            self.remove(spec)
            on_unreadable(f"cannot read {path}: {files.reason(error)}; removed, its run starts anew")
            return None

    def remove(self, spec: RunSpec) -> None:
        """Remove the checkpoint of `spec`, if there is one. Errors: AttnsearchError where that fails."""
        with files.explaining(f"cannot remove {self.path(spec)}", "remove it"):
            self.path(spec).unlink(missing_ok=True)


def glimpse(path: Path, known: Mapping[str, RunSpec]) -> Recording:
    """The run whose checkpoint lies at `path`, as it was when it was saved, for whoever does not train it.

    The state of its network is not read, and the file stays as it is, whatever is wrong with it.

    known:  specifications by digest, for a file of an earlier version, which does not hold its own

    Errors: one of `files.DAMAGE`, also for a file that is gone by now.
    """
    arrays = files.unpacked_where(path, lambda name: not name.startswith(_LEAF))
    document = _document(arrays)
    digest = document["digest"]
    spec = RunSpec.from_json(document["spec"]) if "spec" in document else known.get(digest)
    if spec is None:
        raise ValueError("an earlier version wrote it, which did not say what it trained")
    if path.name != checkpoint_file(path.parent.parent, spec.digest).name:
        raise ValueError(f"its specification has the digest {spec.digest}")
    _check(arrays, ())
    return _recording(arrays, document, spec)


def why_not_read(path: Path) -> str | None:
    """Why no run goes on from the file at `path`, of which little is read; None where one may."""
    try:
        _document(files.unpacked_where(path, lambda name: name == "document"))
    except files.DAMAGE as error:
        return files.reason(error)
    return None


def checkpoint_file(root: Path, digest: str) -> Path:
    """The file of the checkpoint of a run in the store at `root`, there or not."""
    return root / "runs" / f"{CHECKPOINT}{digest}.npz"


def checkpointed(path: Path) -> str:
    """The digest of the run whose checkpoint `path` is; "" where it is something else."""
    digest = path.name.removeprefix(CHECKPOINT).removesuffix(".npz")
    return digest if path == checkpoint_file(path.parent.parent, digest) else ""


def _content(checkpoint: Checkpoint) -> bytes:
    recording = checkpoint.recording
    if recording.status is not None:
        raise ValueError(f"a run that has ended ({recording.status}) is stored, not checkpointed")
    queries = recording.truth.is_target.shape
    arrays = {
        **{name: np.asarray(array) for name, array in recording.truth._asdict().items()},
        "loss": _stacked(recording.loss, queries),
        "accuracy": _stacked(recording.accuracy, queries),
        "map_steps": np.array(recording.map_steps, np.int64),
        **recording.stacked_maps()._asdict(),
        "route_names": np.array(recording.route_names, np.str_),
        "update_norm": np.array(recording.update_norm, np.float32),
        "margin": _stacked(recording.margin, (0,)),
        "agreement": np.array(recording.agreement, np.float32),
    }
    for group in _OPTIONAL:
        if not all(arrays[name].size for name in group):
            for name in group:
                del arrays[name]
    leaves = [np.asarray(leaf) for leaf in checkpoint.leaves]
    _check(arrays, leaves)
    document = {"checkpoint_version": CHECKPOINT_VERSION, "digest": recording.spec.digest}
    document |= {"spec": recording.spec.to_json(), "step": recording.step, "leaves": len(leaves)}
    members = {"document": np.frombuffer(json.dumps(document).encode(), np.uint8), **arrays}
    members |= {f"{_LEAF}{n}": leaf for n, leaf in enumerate(leaves)}
    return files.packed(members, compressed=False)


def _read(content: bytes, spec: RunSpec) -> Checkpoint:
    arrays = files.unpacked(content)
    document = _document(arrays)
    if document["digest"] != spec.digest:
        raise ValueError(f"it is of the run {document['digest']}")
    leaves = [arrays.pop(f"{_LEAF}{n}") for n in range(document["leaves"])]
    _check(arrays, leaves)
    return Checkpoint(_recording(arrays, document, spec), tuple(leaves))


def _document(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """The document of a file, which is taken out of its `arrays`."""
    document = json.loads(arrays.pop("document").tobytes())
    if (version := document["checkpoint_version"]) != CHECKPOINT_VERSION:
        raise ValueError(f"checkpoint version {version}, expected {CHECKPOINT_VERSION}")
    return document


def _recording(arrays: Mapping[str, np.ndarray], document: Mapping[str, Any], spec: RunSpec) -> Recording:
    """The run of `spec` by the arrays of a file, which were checked."""
    truth = Truth(**{name: arrays[name] for name in Truth._fields})
    loss, accuracy = list(arrays["loss"]), list(arrays["accuracy"])
    steps, routes = arrays["map_steps"].tolist(), arrays.get("route_names", np.zeros(0, np.str_))
    nothing: dict[str, np.ndarray] = {"route_mass": np.zeros((len(steps), 0, len(truth.mapped)), np.float32)}
    unknown = np.full(len(loss), np.nan, np.float32)
    nothing |= {"margin": np.zeros((len(loss), 0), np.float32), "agreement": unknown, "update_norm": unknown}
    arrays = {**nothing, **arrays}
    recording = Recording(
        spec,
        truth,
        tuple(routes.tolist()),
        loss=loss,
        accuracy=accuracy,
        update_norm=list(arrays["update_norm"]),
        margin=list(arrays["margin"]),
        agreement=list(arrays["agreement"]),
        map_steps=steps,
        maps=list(map(MapRecord, *(arrays[name] for name in MapRecord._fields))),
    )
    # The interval may have been another when it was saved.
    if recording.step != document["step"]:
        raise ValueError(f"{len(recording.loss)} points of {RECORDING_INTERVAL} steps at {document['step']}")
    return recording


def _stacked(points: Sequence[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    return np.stack(points) if points else np.zeros((0, *shape), np.float32)


def _check(arrays: Mapping[str, np.ndarray], leaves: Sequence[np.ndarray]) -> None:
    if foreign := {str(leaf.dtype) for leaf in leaves if leaf.dtype.kind not in _KINDS}:
        raise ValueError(f"leaves are {', '.join(sorted(foreign))}, expected numpy's own numbers")
    absent = {name for group in _OPTIONAL if not arrays.keys() & set(group) for name in group}
    expected = {name: kind for name, kind in _LAYOUT.items() if name not in absent}
    if differing := arrays.keys() ^ expected.keys():
        raise ValueError(f"missing or unknown: {', '.join(sorted(differing))}")
    known = {"R": (int(np.count_nonzero(arrays["is_target"])), "is_target")}
    layout.check(arrays, expected, known)
