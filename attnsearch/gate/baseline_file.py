"""The file of a baseline: JSON with a line for each run, so that a change of it can be read.

Numpy side; never imports jax.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from msgspec import Meta, Struct

from attnsearch import files
from attnsearch.base import RECORDING_INTERVAL, AttnsearchError, Plateaus
from attnsearch.gate.baseline import Baseline, RecordedCell, RecordedRun
from attnsearch.runs.store import Status
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
from attnsearch.spec.reading import content_of, placed, read_json, shown
from attnsearch.spec.run import CellSpec

FORMAT_VERSION = 3
"""Version of the file of a baseline."""

_Steps = Annotated[int, Meta(ge=RECORDING_INTERVAL, multiple_of=RECORDING_INTERVAL)]
_Count = Annotated[int, Meta(ge=0)]
_Scalar = str | int | float | bool | None


class _Spec(QuestionDocument, frozen=True):
    """A cell."""

    mixer: MixerDocument


class _Run(Struct, frozen=True, forbid_unknown_fields=True):
    """See `RecordedRun`. environment: its number in the list of environments."""

    seed: Seed
    rule_seed: Seed
    status: Status
    plateau_length: _Steps
    escaped: bool
    mastery_step: _Steps
    mastered: bool
    found_step: Annotated[list[_Steps], Meta(min_length=1)]
    found: list[bool]
    curves: Digest
    environment: _Count


class _Cell(Struct, frozen=True, forbid_unknown_fields=True):
    """See `RecordedCell`."""

    spec: _Spec
    escape_below: Annotated[float, Meta(gt=0, le=1)]
    runs: Annotated[list[_Run], Meta(min_length=1)]


class _Document(Struct, frozen=True, forbid_unknown_fields=True):
    """digest: of everything else, see `_digest`."""

    format_version: int
    run_format_version: int
    suite: Text
    digest: Digest
    environments: Annotated[list[dict[str, _Scalar | dict[str, _Scalar]]], Meta(min_length=1)]
    cells: Annotated[list[_Cell], Meta(min_length=1)]


def written(baseline: Baseline) -> str:
    """The text of the file of `baseline`."""
    environments = baseline.environments
    cells = [
        (
            {"mixer": mixer_values(cell.spec.mixer), **question_values(cell.spec)},
            cell.escape_below,
            [_run_values(run, environments.index(run.environment)) for run in cell.runs],
        )
        for cell in baseline.cells
    ]
    values = {
        "format_version": FORMAT_VERSION,
        "run_format_version": specs.FORMAT_VERSION,
        "suite": baseline.suite,
        "environments": environments,
        "cells": [{"spec": spec, "escape_below": below, "runs": runs} for spec, below, runs in cells],
    }
    lines = {key: _dump(value) for key, value in values.items()} | {
        "digest": _dump(_digest(values)),
        "environments": _lines(map(_dump, environments)),
        "cells": _lines(
            f'{{"spec": {_dump(spec)},\n"escape_below": {_dump(below)},\n"runs": {_lines(map(_dump, runs))}}}'
            for spec, below, runs in cells
        ),
    }
    return "{\n" + ",\n".join(f'"{key}": {text}' for key, text in lines.items()) + "\n}\n"


def write(baseline: Baseline, path: Path) -> None:
    """Write the file as a whole or not at all, with the folders above it. Errors: AttnsearchError."""
    files.write_whole(path, written(baseline))


def read(path: Path) -> Baseline:
    """Errors: AttnsearchError naming the file and the place in it."""
    if not path.exists():
        raise AttnsearchError(f"baseline {path} does not exist: `attnsearch baseline` records one")
    content = content_of(path)
    with placed(str(path)):
        values = read_json(content)
        for key, expected in (
            ("format_version", FORMAT_VERSION),
            ("run_format_version", specs.FORMAT_VERSION),
        ):
            found = values.get(key, expected) if isinstance(values, dict) else expected
            if found != expected:
                raise AttnsearchError(f"{key} {shown(found)}, expected {expected}: record it again")
        document = decoded(values, _Document)
        if document.digest != _digest(values):
            raise AttnsearchError("the digest does not fit: the file was edited; record it again")
        return _baseline(document)


def _digest(values: Mapping[str, Any]) -> str:
    """64 hex digits: sha256 of the canonical JSON of everything in a file but its digest."""
    covered = {key: value for key, value in values.items() if key != "digest"}
    canonical = json.dumps(covered, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _dump(value: Any) -> str:
    return json.dumps(value, allow_nan=False)


def _lines(texts: Iterable[str]) -> str:
    return "[\n" + ",\n".join(texts) + "\n]"


def _run_values(run: RecordedRun, environment: int) -> dict[str, Any]:
    return {
        "seed": run.seed,
        "rule_seed": run.rule_seed,
        "status": run.status,
        "plateau_length": int(run.plateau.length[0]),
        "escaped": bool(run.plateau.observed[0]),
        "mastery_step": int(run.mastery.length[0]),
        "mastered": bool(run.mastery.observed[0]),
        "found_step": run.found.length.tolist(),
        "found": run.found.observed.tolist(),
        "curves": run.curves,
        "environment": environment,
    }


def _baseline(document: _Document) -> Baseline:
    for index, environment in enumerate(document.environments):
        for key in ("lanes", "devices"):
            if type(count := environment.get(key, 1)) is not int or count < 1:
                raise AttnsearchError(f"environments[{index}].{key}: {count!r} is not a count of at least 1")
    cells = [
        _cell(f"cells[{index}]", cell, document.environments) for index, cell in enumerate(document.cells)
    ]
    if len({cell.spec for cell in cells}) < len(cells):
        raise AttnsearchError("cells: a cell is there twice")
    return Baseline(document.suite, tuple(cells))


def _cell(where: str, cell: _Cell, environments: Sequence[Mapping[str, Any]]) -> RecordedCell:
    with placed(f"{where}.spec"):
        spec = cell.spec.cell(cell.spec.mixer.spec())
    runs = []
    for index, run in enumerate(cell.runs):
        with placed(f"{where}.runs[{index}]"):
            runs.append(_run(run, spec, environments))
    if len({run.seed for run in runs}) < len(runs):
        raise AttnsearchError(f"{where}.runs: a seed is there twice")
    if len({len(run.found.length) for run in runs}) > 1:
        raise AttnsearchError(f"{where}.runs: found_step must have the same number of targets in all")
    return RecordedCell(spec, tuple(runs), cell.escape_below)


def _run(run: _Run, cell: CellSpec, environments: Sequence[Mapping[str, Any]]) -> RecordedRun:
    if run.environment >= len(environments):
        raise AttnsearchError(
            f"environment {run.environment} is not among the {len(environments)} of the file"
        )
    if run.status != "diverged" and run.mastered != (run.status == "mastered"):
        raise AttnsearchError(f"status {run.status} does not fit mastered {str(run.mastered).lower()}")
    if len(run.found_step) != len(run.found):
        raise AttnsearchError("found_step and found are not equally long")
    budget = cell.budget.steps
    # A run that was not ended by its mastery used up its budget, or counts as if.
    censored = range(RECORDING_INTERVAL if run.status == "mastered" else budget, budget + 1)
    waits = {}
    for key, lengths, observed in (
        ("plateau_length", [run.plateau_length], [run.escaped]),
        ("mastery_step", [run.mastery_step], [run.mastered]),
        ("found_step", run.found_step, run.found),
    ):
        for length, seen in zip(lengths, observed, strict=True):
            if length > budget:
                raise AttnsearchError(f"{key} {length} is above the budget, {budget}")
            if not seen and length not in censored:
                raise AttnsearchError(f"{key} {length} was not observed, and must be the budget, {budget}")
        waits[key] = Plateaus(np.array(lengths, np.int64), np.array(observed, bool))
    return RecordedRun(
        run.seed,
        run.rule_seed,
        run.status,
        waits["plateau_length"],
        waits["mastery_step"],
        waits["found_step"],
        run.curves,
        environments[run.environment],
    )
