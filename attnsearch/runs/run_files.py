"""The files of one stored run: read without trust, and checked against each other.

Numpy side; never imports jax. `attnsearch.runs.store` says which files there are.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from attnsearch import files
from attnsearch.base import (
    AttnsearchError,
    Contests,
    Curves,
    HeadMass,
    Heads,
    MapMass,
    Maps,
    RouteMass,
    Truth,
    Updates,
)
from attnsearch.runs import layout
from attnsearch.runs.layout import Layout
from attnsearch.spec.run import FORMAT_VERSION, RunSpec

Status = Literal["mastered", "exhausted", "diverged"]
"""How a run ended: every target mastered, step budget used up, or a loss that is not finite."""

LAYOUTS: Mapping[str, Layout] = {
    "truth": layout.TRUTH,
    "curves": layout.CURVES,
    "maps": layout.MAPS,
    "heads": layout.HEADS,
    "updates": layout.UPDATES,
    "contests": layout.CONTESTS,
    "routes": layout.ROUTES,
}
"""The layouts of the files of arrays, by their stems."""

PARTS: Mapping[str, tuple[str, type[Any]]] = {
    "truth": ("truth", Truth),
    "curves": ("curves", Curves),
    "maps": ("maps", Maps),
    "heads": ("heads", Heads),
    "map_mass": ("maps", MapMass),
    "head_mass": ("heads", HeadMass),
    "updates": ("updates", Updates),
    "contests": ("contests", Contests),
    "routes": ("routes", RouteMass),
}
"""What a run has of them: the stem of the file, and the arrays in it that are read together."""


OPTIONAL: Mapping[str, Callable[[], Any]] = {
    "updates": Updates.none,
    "contests": Contests.none,
    "routes": RouteMass.none,
}
"""The files that not every run has, and what is read where one is not there: arrays that hold nothing.

A run has a file where its arrays hold something. That is for its task to decide; of updates, for the loop
that trained it, since an earlier version or a loop of one's own did not record them."""


class UnreadableRun(AttnsearchError):
    """A stored run that is damaged or of another format; the text names the file and the reason."""


def steps_trained(folder: Path) -> int:
    """The last recorded step of the run stored in `folder`; hardly more than this is read.

    Errors: UnreadableRun.
    """
    file = folder / "curves.npz"
    with explaining_damage(file):
        return int(files.unpacked_part(file, layout.CURVES, ["step"])["step"][-1])


def question(folder: Path) -> dict[str, Any]:
    """The fields of a stored run that are not arrays. Errors: UnreadableRun."""
    file = folder / "run.json"
    with explaining_damage(file):
        document = json.loads(files.read_whole(file))
        if document["format_version"] != FORMAT_VERSION:
            raise ValueError(f"format version {document['format_version']}, expected {FORMAT_VERSION}")
        spec, status = RunSpec.from_json(document["spec"]), document["status"]
        if not spec.digest == document["digest"] == folder.name:
            raise ValueError(f"its specification has the digest {spec.digest}, but it is stored as another")
        if status not in get_args(Status):
            raise ValueError(f"status {status!r}, expected one of {', '.join(get_args(Status))}")
        return {"spec": spec, "status": status, "environment": dict(document["environment"])}


def list_arrays(folder: Path, stem: str) -> None:
    """Errors: UnreadableRun where a file has other arrays than it should. None of them is read. A file that
    not every run has may be missing.

    The list stands at the end of the file, so that a file which was cut short is found out.
    """
    file = folder / f"{stem}.npz"
    if not _is_missing(folder, stem):
        with explaining_damage(file):
            files.unpacked_part(file, LAYOUTS[stem], ())


def arrays_of(folder: Path, part: str) -> Any:
    """The NamedTuple of one of `PARTS` of the run in `folder`. Errors: one of `files.DAMAGE`."""
    stem, kind = PARTS[part]
    if _is_missing(folder, stem):
        return OPTIONAL[stem]()
    return kind(**files.unpacked_part(folder / f"{stem}.npz", LAYOUTS[stem], kind._fields))


def _is_missing(folder: Path, stem: str) -> bool:
    """Whether `folder` lacks a file that not every run has."""
    return stem in OPTIONAL and not os.path.lexists(folder / f"{stem}.npz")


def has_content(arrays: tuple[np.ndarray, ...]) -> bool:
    """Whether the arrays of one file hold something; of `OPTIONAL` files only such are written."""
    return all(array.size for array in arrays)


def check(folder: Path, arrays: Mapping[str, Any]) -> None:
    """Errors: UnreadableRun where arrays of the run in `folder` disagree."""
    with explaining_damage(folder):
        check_arrays(arrays)


@contextmanager
def explaining_damage(file: Path) -> Iterator[None]:
    """Turn what reading `file` raises into an UnreadableRun that names it."""
    try:
        yield
    except files.DAMAGE as error:
        raise UnreadableRun(f"cannot read {file}: {files.reason(error)}") from error


def check_arrays(parts: Mapping[str, Any]) -> None:
    """Errors: ValueError where arrays are not as their layouts say, or disagree; the truth is among them."""
    sizes: Mapping[str, tuple[int, str]] = {}
    for part, fields in parts.items():
        stem, kind = PARTS[part]
        if stem in OPTIONAL and not any(array.size for array in fields):
            continue
        # Named by their files too, for they agree across these.
        arrays = {f"{stem}.npz: {name}": np.asarray(getattr(fields, name)) for name in kind._fields}
        layouts = {f"{stem}.npz: {name}": LAYOUTS[stem][name] for name in kind._fields}
        sizes = layout.check(arrays, layouts, sizes)
    if (targets := int(np.sum(parts["truth"].is_target))) != sizes["R"][0]:
        raise ValueError(f"truth.npz: is_target has {targets} targets, but R = {sizes['R'][0]}")
