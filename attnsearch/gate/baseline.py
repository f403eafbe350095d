"""Recorded baselines: what the runs of a suite did, in one file small enough to be kept beside the code.

Numpy side; never imports jax. The file is JSON, a line for each run, so that a change of it can be read.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, get_args

import numpy as np

from attnsearch import files
from attnsearch.base import AttnsearchError, Curves, Plateaus
from attnsearch.gate.decision import Outcomes
from attnsearch.results.cells import found_of, mastery_of, plateau_of
from attnsearch.runs.store import Status, StoredRun
from attnsearch.spec.run import CellSpec, RunSpec
from attnsearch.spec.task_file import check_keys
from attnsearch.stats.survival import pool

FORMAT_VERSION = 1

_WAITS = {"plateau": ("plateau_length", "escaped"), "mastery": ("mastery_step", "mastered")}
"""Keys of a waiting time and of whether it was observed, by field."""

_RUN_KEYS = {"seed", "rule_seed", "status", "environment", "curves", "found_step", "found"} | {
    key for keys in _WAITS.values() for key in keys
}


@dataclass(frozen=True, eq=False)
class RecordedRun:
    """One run as a baseline keeps it.

    plateau, mastery:  `[1]` steps; a censored length is the budget, that of a diverged run too
    found:             `[R]` steps of each target
    curves:            64 hex digits, see `curves_digest`
    environment:       JSON values, see `attnsearch.training.jax.devices.describe`
    """

    seed: int
    rule_seed: int
    status: Status
    plateau: Plateaus
    mastery: Plateaus
    found: Plateaus
    curves: str
    environment: Mapping[str, Any]

    @classmethod
    def of(cls, run: StoredRun) -> Self:
        """That of a measured run."""
        waits = plateau_of(run), mastery_of(run), found_of(run)
        spec, digest = run.spec, curves_digest(run.curves)
        return cls(spec.seed, spec.rule_seed, run.status, *waits, digest, run.environment)


def outcomes(runs: Sequence[RecordedRun]) -> Outcomes:
    """What a gate judges of the runs of one cell."""
    return Outcomes(
        pool(run.plateau for run in runs),
        pool(run.mastery for run in runs),
        np.array([run.seed for run in runs]),
        sum(run.status == "diverged" for run in runs),
    )


@dataclass(frozen=True, eq=False)
class RecordedCell:
    """A cell and its runs, at least one."""

    spec: CellSpec
    runs: tuple[RecordedRun, ...]


@dataclass(frozen=True, eq=False)
class Baseline:
    """The runs of a suite as they were, by cell, at least one."""

    suite: str
    cells: tuple[RecordedCell, ...]

    @classmethod
    def of(cls, suite: str, runs: Iterable[StoredRun]) -> Self:
        """That of measured runs."""
        grouped: dict[CellSpec, list[RecordedRun]] = {}
        for run in runs:
            grouped.setdefault(run.spec.cell, []).append(RecordedRun.of(run))
        return cls(suite, tuple(RecordedCell(spec, tuple(members)) for spec, members in grouped.items()))

    @property
    def digest(self) -> str:
        """64 hex digits that name the specifications of all runs, in their order."""
        specs = (RunSpec(cell.spec, run.seed, run.rule_seed) for cell in self.cells for run in cell.runs)
        return hashlib.sha256("".join(spec.digest for spec in specs).encode()).hexdigest()

    @property
    def environments(self) -> list[Mapping[str, Any]]:
        """Where its runs were trained, each once, in the order of the runs."""
        found: list[Mapping[str, Any]] = []
        for run in (run for cell in self.cells for run in cell.runs):
            if run.environment not in found:
                found.append(run.environment)
        return found

    def text(self) -> str:
        """The file."""
        environments = self.environments
        fields = {
            "format_version": _dump(FORMAT_VERSION),
            "suite": _dump(self.suite),
            "digest": _dump(self.digest),
            "environments": _lines(map(_dump, environments)),
            "cells": _lines(_cell_text(cell, environments) for cell in self.cells),
        }
        return "{\n" + ",\n".join(f'"{key}": {text}' for key, text in fields.items()) + "\n}\n"

    def write(self, path: Path) -> None:
        """Write the file as a whole or not at all, with the folders above it. Errors: AttnsearchError."""
        files.write_whole(path, self.text())

    @classmethod
    def read(cls, path: Path) -> Self:
        """Errors: AttnsearchError naming the file and the place in it."""
        with files.explaining(f"cannot read baseline {path}", "`attnsearch baseline` records one"):
            content = path.read_bytes()
        try:
            document = json.loads(content)
        except ValueError as error:
            raise AttnsearchError(f"{path}: not JSON: {files.reason(error)}") from error
        try:
            return cls._of(document)
        except AttnsearchError as error:
            raise AttnsearchError(f"{path}: {error}") from error

    @classmethod
    def _of(cls, document: Any) -> Self:
        if not isinstance(document, dict):
            raise AttnsearchError("the whole is not a table")
        if document.get("format_version") != FORMAT_VERSION:
            version = document.get("format_version")
            raise AttnsearchError(f"format version {version!r}, expected {FORMAT_VERSION}: record it again")
        keys = {"format_version", "suite", "digest", "environments", "cells"}
        check_keys("", document, keys, required=keys)
        if not isinstance(document["suite"], str):
            raise AttnsearchError(f"suite {document['suite']!r} is not text")
        environments = [table for _, table in _tables("environments", document["environments"])]
        cells = [_cell(place, table, environments) for place, table in _tables("cells", document["cells"])]
        if len({cell.spec for cell in cells}) < len(cells):
            raise AttnsearchError("cells: one of them is there twice")
        baseline = cls(document["suite"], tuple(cells))
        if baseline.digest != document["digest"]:
            raise AttnsearchError("digest is not that of its cells and seeds: it was edited; record it again")
        return baseline


def curves_digest(curves: Curves) -> str:
    """64 hex digits: sha256 of the bytes of all curves. Equal for runs that are equal bit for bit."""
    digest = hashlib.sha256()
    for array in curves:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _dump(value: Any) -> str:
    return json.dumps(value, allow_nan=False)


def _lines(texts: Iterable[str]) -> str:
    return "[\n" + ",\n".join(texts) + "\n]"


def _cell_text(cell: RecordedCell, environments: Sequence[Mapping[str, Any]]) -> str:
    spec = RunSpec(cell.spec, 0, 0).to_json()
    del spec["seed"], spec["rule_seed"]
    runs = []
    for run in cell.runs:
        document: dict[str, Any] = {"seed": run.seed, "rule_seed": run.rule_seed, "status": run.status}
        for field, (length, observed) in _WAITS.items():
            waiting: Plateaus = getattr(run, field)
            document |= {length: int(waiting.length[0]), observed: bool(waiting.observed[0])}
        document |= {"found_step": run.found.length.tolist(), "found": run.found.observed.tolist()}
        document |= {"curves": run.curves, "environment": environments.index(run.environment)}
        runs.append(_dump(document))
    return f'{{"spec": {_dump(spec)},\n"runs": {_lines(runs)}}}'


def _tables(where: str, value: Any) -> list[tuple[str, Mapping[str, Any]]]:
    """The tables of a list, at least one, each with what to call it."""
    if not isinstance(value, list) or not value:
        raise AttnsearchError(f"{where} is not a list of at least one table")
    for number, table in enumerate(value):
        if not isinstance(table, dict):
            raise AttnsearchError(f"{where}[{number}] is not a table")
    return [(f"{where}[{number}]", table) for number, table in enumerate(value)]


def _cell(where: str, table: Mapping[str, Any], environments: Sequence[Mapping[str, Any]]) -> RecordedCell:
    check_keys(where, table, {"spec", "runs"}, required={"spec", "runs"})
    try:
        spec = RunSpec.from_json({**table["spec"], "seed": 0, "rule_seed": 0}).cell
        hash(spec)
    except files.DAMAGE as error:
        raise AttnsearchError(f"{where}: spec: {files.reason(error)}") from error
    runs = [_run(place, run, environments) for place, run in _tables(f"{where}.runs", table["runs"])]
    if len({run.seed for run in runs}) < len(runs):
        raise AttnsearchError(f"{where}.runs: a seed is there twice")
    return RecordedCell(spec, tuple(runs))


def _run(where: str, table: Mapping[str, Any], environments: Sequence[Mapping[str, Any]]) -> RecordedRun:
    check_keys(where, table, _RUN_KEYS, required=_RUN_KEYS)
    for key in ("seed", "rule_seed", "environment"):
        if not _is_whole(table[key]):
            raise AttnsearchError(f"{where}: {key} {table[key]!r} is not a whole number")
    if table["status"] not in get_args(Status):
        raise AttnsearchError(f"{where}: status {table['status']!r} is none of {', '.join(get_args(Status))}")
    if not isinstance(table["curves"], str) or not re.fullmatch("[0-9a-f]{64}", table["curves"]):
        raise AttnsearchError(f"{where}: curves {table['curves']!r} is not 64 hex digits")
    if table["environment"] >= len(environments):
        raise AttnsearchError(f"{where}: there is no environment {table['environment']}")
    plateau, mastery = (_waiting(where, keys, [table[keys[0]]], [table[keys[1]]]) for keys in _WAITS.values())
    found = _waiting(where, ("found_step", "found"), table["found_step"], table["found"])
    numbers = {key: table[key] for key in ("seed", "rule_seed", "status", "curves")}
    environment = environments[table["environment"]]
    return RecordedRun(**numbers, plateau=plateau, mastery=mastery, found=found, environment=environment)


def _waiting(where: str, keys: tuple[str, str], length: Any, observed: Any) -> Plateaus:
    steps, happened = keys
    if not isinstance(length, list) or not length or not all(map(_is_whole, length)):
        raise AttnsearchError(f"{where}: {steps} {length!r} is not in whole steps")
    if not isinstance(observed, list) or not all(isinstance(value, bool) for value in observed):
        raise AttnsearchError(f"{where}: {happened} {observed!r} is neither true nor false")
    if len(length) != len(observed):
        raise AttnsearchError(f"{where}: {steps} and {happened} are not equally long")
    return Plateaus(np.array(length, np.int64), np.array(observed, bool))


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
