"""The file of an audit, which lies beside the entry's. Numpy side; never imports jax."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from attnsearch.base import AttnsearchError
from attnsearch.files import write_whole
from attnsearch.leaderboard.audit import Audit, AuditedRun
from attnsearch.spec.cell_document import Digest, Seed, Text
from attnsearch.spec.decoding import decoded
from attnsearch.spec.reading import content_of, placed, read_json

FORMAT_VERSION = 1
"""Version of the file of an audit."""

ENDING = ".audit.json"
"""How the name of the file of an audit ends."""

MOST_RUNS = 100
"""Of an audit."""

LARGEST_FILE = 2**20
"""Bytes."""

_Step = Annotated[int, Meta(ge=0, le=2**31)] | None


class AuditedRunDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """One run. See `audit.AuditedRun`."""

    digest: Digest
    seed: Seed
    equal: bool
    same_facts: bool
    of_cell: Annotated[int, Meta(ge=1, le=1_000)]
    p_value: Annotated[float, Meta(gt=0, le=1)]
    told: _Step
    found: _Step


class AuditDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """An audit. See `audit.Audit`."""

    format_version: Annotated[int, Meta(ge=FORMAT_VERSION, le=FORMAT_VERSION)]
    entry: Digest
    attnsearch: Text
    seed: Annotated[int, Meta(ge=0)]
    environment: Annotated[dict[Text, Text], Meta(max_length=32)]
    told: Annotated[dict[Text, Text], Meta(max_length=32)]
    runs: Annotated[list[AuditedRunDocument], Meta(min_length=1, max_length=MOST_RUNS)]
    sound: bool
    claimed: bool
    agrees: bool


def path_of(entry: Path) -> Path:
    """Where the audit of the entry in the file `entry` lies, there or not."""
    return entry.with_name(entry.name.removesuffix(".json") + ENDING)


def values(audit: Audit) -> dict[str, Any]:
    """The JSON values of which a file is made."""
    return {"format_version": FORMAT_VERSION, **asdict(audit), "agrees": audit.agrees}


def save(audit: Audit, entry: Path) -> Path:
    """Put the audit beside the entry, in the place of an earlier one; its file. Errors: AttnsearchError."""
    return write_whole(path_of(entry), json.dumps(values(audit), indent=1, allow_nan=False) + "\n")


def read(path: Path) -> Audit:
    """The audit in the file at `path`. Errors: AttnsearchError naming the file and the place in it."""
    content = content_of(path, LARGEST_FILE)
    with placed(str(path)):
        document = decoded(read_json(content), AuditDocument)
    fields = {name: getattr(document, name) for name in Audit.__dataclass_fields__}
    runs = tuple(AuditedRun(**msgspec.structs.asdict(run)) for run in document.runs)
    audit = Audit(**{**fields, "runs": runs})
    if audit.agrees is not document.agrees:
        raise AttnsearchError(f"{path}: its verdict and its numbers disagree")
    return audit
