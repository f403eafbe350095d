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

from attnsearch.base import AttnsearchError, Floats
from attnsearch.files import DAMAGE, reason
from attnsearch.leaderboard.entry import Entry, EntryCell, EntryRun
from attnsearch.leaderboard.entry_check import check_curves, check_differ, check_end, check_task
from attnsearch.leaderboard.entry_document import (
    FORMAT_VERSION,
    CellDocument,
    EntryDocument,
    VerificationDocument,
)
from attnsearch.runs.cost import Cost
from attnsearch.runs.verification import Verification
from attnsearch.spec import run as specs
from attnsearch.spec.cell_document import mixer_values, question_values
from attnsearch.spec.decoding import decoded
from attnsearch.spec.reading import content_of, placed, read_json
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
        "targets": cell.targets,
        "runs": [
            {
                "seed": run.spec.seed,
                "rule_seed": run.spec.rule_seed,
                "digest": run.spec.digest,
                "status": run.status,
                "mean": _encoded(run.mean),
                "worst": _encoded(run.worst),
            }
            for run in cell.runs
        ],
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
    runs = []
    for number, run in enumerate(document.runs):
        with placed(f"{where}.runs[{number}]"):
            asked = RunSpec(spec, run.seed, run.rule_seed)
            if asked.digest != run.digest:
                raise AttnsearchError(f"digest must be {asked.digest}, which follows from the specification")
            found = EntryRun(asked, run.status, _decoded("mean", run.mean), _decoded("worst", run.worst))
            check_curves(found, document.targets)
            check_end(found, document.chance_loss)
            runs.append(found)
    with placed(f"{where}.runs"):
        check_differ(runs)
    runs.sort(key=lambda run: run.spec.seed)
    return EntryCell(spec, document.bits, document.chance_loss, document.targets, tuple(runs))


def _encoded(curve: Floats) -> str:
    return base64.b64encode(curve.astype("<f4").tobytes()).decode()


def _decoded(key: str, text: str) -> Floats:
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise AttnsearchError(f"{key} is not base64: {reason(error)}") from error
    if len(content) % 4:
        raise AttnsearchError(f"{key} has {len(content)} bytes, and a 32-bit float has 4")
    return np.frombuffer(content, "<f4").astype(np.float32)
