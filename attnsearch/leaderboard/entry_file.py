"""The file of an entry: written from measured runs, and read from whoever sent it, who is not trusted.

Numpy side; never imports jax. A file is JSON of bounded size and depth, with the keys of `EntryDocument`.
Nothing in it is run, unpickled, fetched or taken for a path. No number that follows from its curves is read
from it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from attnsearch.base import AttnsearchError, Floats, Integers
from attnsearch.files import DAMAGE, reason
from attnsearch.leaderboard.entry import Entry, EntryCell, EntryRun
from attnsearch.leaderboard.entry_check import (
    check_curves,
    check_differ,
    check_end,
    check_targets,
    check_task,
)
from attnsearch.leaderboard.entry_document import (
    FORMAT_VERSION,
    CellDocument,
    EntryDocument,
    RunDocument,
    VerificationDocument,
)
from attnsearch.runs.cost import Cost
from attnsearch.runs.outline import Outline, Targets
from attnsearch.runs.verification import Verification
from attnsearch.spec import run as specs
from attnsearch.spec.cell_document import mixer_values, question_values
from attnsearch.spec.decoding import decoded
from attnsearch.spec.reading import check_names, content_of, placed, read_json
from attnsearch.spec.run import MixerSpec, RunSpec

LARGEST_FILE = 8 * 2**20
"""Bytes. Ten cells of 3,000 steps, with 16 scored runs and 12 to choose by in each, take a million."""


class OtherVersion(AttnsearchError):
    """An entry that may be sound, but is of another format version."""


def written(entry: Entry) -> str:
    """The text of the file of `entry`."""
    document = {
        "format_version": FORMAT_VERSION,
        "run_format_version": specs.FORMAT_VERSION,
        "suite": entry.suite,
        "mixer": mixer_values(entry.mixer),
        "environment": dict(entry.environment),
        "cost": None if entry.cost is None else asdict(entry.cost),
        "verification": None if entry.verification is None else entry.verification.to_json(),
        "selection": [_cell_values(cell) for cell in entry.selection],
        "scored": [_cell_values(cell) for cell in entry.scored],
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _cell_values(cell: EntryCell) -> dict[str, Any]:
    return {
        **question_values(cell.spec),
        "bits": cell.bits,
        "chance_loss": cell.chance_loss,
        "targets": len(cell.state),
        "state": None if (cell.state == 1).all() else _encoded(cell.state, _WHOLE),
        "runs": [_run_values(run) for run in cell.runs],
    }


def _run_values(run: EntryRun) -> dict[str, Any]:
    bayes = run.targets.bayes_loss
    return {
        "seed": run.spec.seed,
        "rule_seed": run.spec.rule_seed,
        "digest": run.spec.digest,
        "status": run.status,
        "later": run.later,
        "bayes_loss": _encoded(bayes, _LOSS) if bayes.any() else None,
        "found": _encoded(run.found, _WHOLE),
        **{
            name: [_encoded(column, _POINT) for column in curves.T]
            for name, curves in run.outline._asdict().items()
        },
    }


def read(path: Path) -> Entry:
    """The entry in the file at `path`.

    Errors: AttnsearchError naming the file and the place in it; OtherVersion where it is of another format.
    """
    content = content_of(path, LARGEST_FILE)
    with placed(str(path)):
        return parsed(content)


def parsed(content: bytes) -> Entry:
    """The entry that `content` is the file of. Errors: as `read`, without the file."""
    document = read_json(content)
    _check_versions(document)
    return _entry(decoded(document, EntryDocument))


def _check_versions(document: Any) -> None:
    """What another version of attnsearch wrote is not a fault of the file."""
    for key, expected in (("format_version", FORMAT_VERSION), ("run_format_version", specs.FORMAT_VERSION)):
        found = document.get(key) if isinstance(document, Mapping) else None
        if type(found) is int and found != expected:
            raise OtherVersion(f"{key} {found}, expected {expected}")


def _entry(document: EntryDocument) -> Entry:
    with placed("suite"):
        check_names(document.suite)
    with placed("mixer"):
        mixer = document.mixer.spec()
    selection, scored = (
        tuple(_cell(f"{key}[{number}]", cell, mixer) for number, cell in enumerate(cells))
        for key, cells in (("selection", document.selection), ("scored", document.scored))
    )
    _once("selection", "cell", [cell.spec for cell in selection])
    _once("scored", "cell", [cell.spec for cell in scored])
    _once("selection and scored", "run", [run.spec for cell in (*selection, *scored) for run in cell.runs])
    cost = document.cost
    return Entry(
        suite=document.suite,
        mixer=mixer,
        selection=selection,
        scored=scored,
        verification=_verification(document.verification, mixer),
        cost=None if cost is None else Cost(**msgspec.structs.asdict(cost)),
        environment=document.environment,
    )


def _once(where: str, kind: str, items: Sequence[object]) -> None:
    if len(set(items)) < len(items):
        raise AttnsearchError(f"{where}: a {kind} is there twice")


def _verification(document: VerificationDocument | None, mixer: MixerSpec) -> Verification | None:
    if document is None:
        return None
    with placed("verification"):
        try:
            record = Verification.from_json(msgspec.to_builtins(document))
        except DAMAGE as error:
            raise AttnsearchError(reason(error)) from error
        if record.mixer != mixer:
            raise AttnsearchError("it is of another mixer than the entry")
    return record


def _cell(where: str, document: CellDocument, mixer: MixerSpec) -> EntryCell:
    with placed(where):
        spec = document.cell(mixer)
        check_task(spec.task, document.bits, document.chance_loss, document.targets)
        state = _numbers("state", document.state, _WHOLE, document.targets, 1).astype(np.int64)
    runs = []
    for number, run in enumerate(document.runs):
        with placed(f"{where}.runs[{number}]"):
            runs.append(_run(RunSpec(spec, run.seed, run.rule_seed), run, document.chance_loss, state))
    with placed(f"{where}.runs"):
        check_differ(runs)
    runs.sort(key=lambda run: run.spec.seed)
    return EntryCell(spec, document.bits, tuple(runs))


def _run(spec: RunSpec, document: RunDocument, chance_loss: float, state: Integers) -> EntryRun:
    if spec.digest != document.digest:
        raise AttnsearchError(f"digest must be {spec.digest}, which follows from the specification")
    found = _numbers("found", document.found, _WHOLE, len(state), 0).astype(np.int64)
    bayes = _numbers("bayes_loss", document.bayes_loss, _LOSS, len(state), 0)
    targets = Targets(chance_loss, bayes, state)
    check_targets(targets)
    groups = len(targets.sizes)
    outline = Outline(_curves("mean", document.mean, groups), _curves("worst", document.worst, groups))
    if len(outline.mean) != len(outline.worst):
        raise AttnsearchError(f"mean has {len(outline.mean)} points, and worst {len(outline.worst)}")
    run = EntryRun(spec, document.status, targets, outline, found, document.later)
    check_curves(run)
    check_end(run)
    return run


_POINT, _WHOLE, _LOSS = (np.dtype(name) for name in ("<f4", "<i4", "<f8"))
"""How a file holds a point of a curve, a whole number, and Bayes' loss."""


def _encoded(numbers: Floats | Integers, kind: np.dtype) -> str:
    return base64.b64encode(numbers.astype(kind).tobytes()).decode()


def _decoded(key: str, text: str, kind: np.dtype) -> np.ndarray:
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise AttnsearchError(f"{key} is not base64: {reason(error)}") from error
    if len(content) % kind.itemsize:
        raise AttnsearchError(f"{key} has {len(content)} bytes, and a number has {kind.itemsize}")
    return np.frombuffer(content, kind).astype(kind.newbyteorder("="))


def _numbers(key: str, text: str | None, kind: np.dtype, count: int, default: int) -> np.ndarray:
    """`[R]`, as many as there are targets; all `default` where nothing is told."""
    if text is None:
        return np.full(count, default, kind)
    numbers = _decoded(key, text, kind)
    if len(numbers) != count:
        raise AttnsearchError(f"{key} has {len(numbers)} numbers, and there are {count} targets")
    return numbers


def _curves(key: str, texts: Sequence[str], groups: int) -> Floats:
    """`f32[E, G]`."""
    if len(texts) != groups:
        raise AttnsearchError(f"{key} has {len(texts)} curves, and its targets make {groups} groups")
    curves = [_decoded(f"{key}[{number}]", text, _POINT) for number, text in enumerate(texts)]
    if len({len(curve) for curve in curves}) > 1:
        raise AttnsearchError(f"the curves of {key} differ in length")
    return np.stack(curves, axis=1)
