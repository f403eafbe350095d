"""The file of an entry: written from measured runs, and read from whoever sent it, who is not trusted.

Numpy side; never imports jax. A file is JSON of bounded size and depth, and `EntryDocument` says what it may
hold. Nothing in it is run, unpickled, fetched or taken for a path. No number that follows from its curves is
read from it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta, Struct

from attnsearch.base import RECORDING_INTERVAL, AttnsearchError, Floats
from attnsearch.files import DAMAGE, reason
from attnsearch.leaderboard.entry import Entry, EntryCell, EntryRun
from attnsearch.leaderboard.entry_check import check_curves, check_differ, check_end, check_task
from attnsearch.runs import verification
from attnsearch.runs.cost import Cost
from attnsearch.runs.store import Status
from attnsearch.runs.verification import Verification
from attnsearch.spec import run as specs
from attnsearch.spec.cell_document import (
    Digest,
    MixerDocument,
    QuestionDocument,
    Seed,
    Text,
    mixer_values,
    question_values,
)
from attnsearch.spec.decoding import decoded
from attnsearch.spec.reading import content_of, placed, read_json
from attnsearch.spec.run import MixerSpec, RunSpec
from attnsearch.spec.settings import LARGEST_VALUE, SETTINGS

FORMAT_VERSION = 2
"""Version of the file of an entry."""

LARGEST_FILE = 8 * 2**20
"""Bytes. Ten cells of 3,000 steps, with 16 scored runs and 12 to choose by in each, take a million."""

Curve = Annotated[
    str,
    Meta(description="nats at each recorded point, 10, 20, ... steps; little-endian 32-bit floats in base64"),
]

_Count = Annotated[int, Meta(ge=1, le=LARGEST_VALUE)]
_LongText = Annotated[str, Meta(min_length=1, max_length=2_000)]
_Rate = Annotated[float, Meta(gt=0, le=1e18)] | None


class OtherVersion(AttnsearchError):
    """An entry that may be sound, but is of another format version."""


class RunDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """A run: `digest` is the sha256 of the canonical JSON of its specification."""

    seed: Seed
    rule_seed: Seed
    digest: Digest
    status: Status
    mean: Annotated[Curve, Meta(title="loss, mean over targets")]
    worst: Annotated[Curve, Meta(title="loss of the worst target")]


class CellDocument(QuestionDocument, frozen=True):
    """A cell: everything that was asked, three numbers that follow from the task, and the runs."""

    bits: Annotated[float, Meta(ge=0, le=1e6)]
    chance_loss: Annotated[float, Meta(gt=0, le=100)]
    targets: _Count
    runs: Annotated[list[RunDocument], Meta(min_length=1, max_length=1_000)]


class CheckDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """What one check of a verification found."""

    check: Text
    proves: _LongText
    verdict: verification.Verdict
    evidence: _LongText


class VerificationDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """The record of `attnsearch verify`."""

    format_version: int
    attnsearch: Text
    mixer: MixerDocument
    task: Text
    width: _Count
    fingerprint: Text
    passed: bool
    checks: Annotated[list[CheckDocument], Meta(max_length=64)]


class CostDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """What `attnsearch submit` measured at the largest context."""

    context_length: _Count
    parameters: Annotated[int, Meta(ge=0, le=10**15)]
    flops_per_token: _Rate
    tokens_per_second: _Rate
    device: Text


_Cells = Annotated[list[CellDocument], Meta(max_length=500)]


class EntryDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """One mixer on one suite. Beyond this schema: every text is printable, every number finite, no key stands
    twice, and the curves agree with the status, the budget and the digest of their run."""

    format_version: Annotated[int, Meta(ge=FORMAT_VERSION, le=FORMAT_VERSION)]
    run_format_version: Annotated[int, Meta(ge=specs.FORMAT_VERSION, le=specs.FORMAT_VERSION)]
    suite: Text
    mixer: MixerDocument
    environment: Annotated[dict[Text, Text], Meta(max_length=32)]
    cost: CostDocument | None
    verification: VerificationDocument | None
    selection: _Cells
    scored: Annotated[_Cells, Meta(min_length=1)]


def schema() -> dict[str, Any]:
    """The JSON Schema of an entry's file."""
    made = msgspec.json.schema(EntryDocument)
    for definition in made["$defs"].values():
        # A dataclass is decoded as strictly as a struct, and its settings keep to the bounds of all settings.
        definition["additionalProperties"] = False
        definition["description"] = " ".join(definition.get("description", "").split())
        for name, values in definition["properties"].items():
            if (setting := SETTINGS.get(name)) and values["type"] in ("integer", "number"):
                values["exclusiveMinimum" if setting.above_minimum else "minimum"] = setting.minimum
                values["maximum"] = LARGEST_VALUE
            if name == "steps":
                values["multipleOf"] = RECORDING_INTERVAL
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, "title": "Entry of the attnsearch leaderboard", **made}


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
