"""Recorded baselines: what the runs of a suite did, and which recorded cell a cell is held against.

Numpy side; never imports jax. `attnsearch.gate.baseline_file` writes and reads them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from attnsearch.base import AttnsearchError, Curves, Plateaus
from attnsearch.gate.decision import Outcomes
from attnsearch.results.cells import found_of, mastery_of, plateau_of
from attnsearch.results.leaking import require_sound
from attnsearch.runs.escape import escape_threshold
from attnsearch.runs.store import Status, StoredRun
from attnsearch.spec.names import Names, contrast, heading
from attnsearch.spec.run import CellSpec, RunSpec
from attnsearch.stats.survival import pool

ROUNDING = 1e-6
"""Share of a threshold by which two machines may compute it differently."""

_AGAIN = "record it again with `attnsearch baseline`"


@dataclass(frozen=True, eq=False)
class RecordedRun:
    """One run as a baseline keeps it.

    plateau, mastery:  `[1]` steps; a censored length is the budget, also of a diverged run
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
        """What is kept of a measured run."""
        waits = plateau_of(run), mastery_of(run), found_of(run)
        spec, digest = run.spec, curves_digest(run.curves)
        return cls(spec.seed, spec.rule_seed, run.status, *waits, digest, run.environment)


def curves_digest(curves: Curves) -> str:
    """64 hex digits: sha256 of the bytes of all curves. Equal for runs that are equal bit for bit."""
    digest = hashlib.sha256()
    for array in curves:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


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
    """A cell and its runs, at least one.

    escape_below:  share of chance below which they were judged to have escaped
    """

    spec: CellSpec
    runs: tuple[RecordedRun, ...]
    escape_below: float


@dataclass(frozen=True, eq=False)
class Baseline:
    """The runs of a suite as they were, by cell, at least one."""

    suite: str
    cells: tuple[RecordedCell, ...]

    @classmethod
    def of(cls, suite: str, runs: Iterable[StoredRun]) -> Self:
        """The baseline that measured runs make. Errors: AttnsearchError where one of them leaks."""
        runs = list(runs)
        require_sound("this baseline cannot be recorded", runs)
        grouped: dict[CellSpec, list[RecordedRun]] = {}
        for run in runs:
            grouped.setdefault(run.spec.cell, []).append(RecordedRun.of(run))
        cells = [
            RecordedCell(spec, tuple(members), escape_threshold(spec.task).share)
            for spec, members in grouped.items()
        ]
        return cls(suite, tuple(cells))

    @property
    def environments(self) -> list[Mapping[str, Any]]:
        """Where its runs were trained, each once, in the order of the runs."""
        found: list[Mapping[str, Any]] = []
        for run in (run for cell in self.cells for run in cell.runs):
            if run.environment not in found:
                found.append(run.environment)
        return found


def matched(baseline: Baseline, specs: Sequence[RunSpec]) -> list[tuple[list[RunSpec], RecordedCell]]:
    """The runs of each cell of `specs`, beside what was recorded of it.

    A setting that a mixer gained or lost since then does not count: it is the same question to a mixer that
    was changed. Mixers of the baseline that `specs` do not name are left out.
    Errors: AttnsearchError where suite and baseline differ in a cell, saying in what.
    """
    grouped: dict[CellSpec, list[RunSpec]] = {}
    for spec in specs:
        grouped.setdefault(spec.cell, []).append(spec)
    names, names_then = Names(grouped), Names(cell.spec for cell in baseline.cells)
    pairs = [(runs, _recorded(baseline, cell, names)) for cell, runs in grouped.items()]
    asked, found = {cell.mixer.name for cell in grouped}, [recorded for _, recorded in pairs]
    for cell in baseline.cells:
        if cell.spec.mixer.name in asked and found.count(cell) != 1:
            times = "has no" if cell not in found else "asks more than once for"
            name = names_then.full(cell.spec)
            raise AttnsearchError(f"the suite {times} cell {name} of the baseline; {_AGAIN}")
    for runs, recorded in pairs:
        rules = {run.seed: run.rule_seed for run in recorded.runs}
        for run in runs:
            if rules.get(run.seed, run.rule_seed) != run.rule_seed:
                raise AttnsearchError(
                    f"baseline of another suite: seed {run.seed} of {names.full(run.cell)} has rule_seed"
                    f" {rules[run.seed]} -> {run.rule_seed}; {_AGAIN}"
                )
    return pairs


def _recorded(baseline: Baseline, cell: CellSpec, names: Names) -> RecordedCell:
    """What is recorded of `cell`."""
    known = [other for other in baseline.cells if other.spec.mixer.name == cell.mixer.name]
    if not known:
        mixers = sorted({other.spec.mixer.name for other in baseline.cells})
        raise AttnsearchError(
            f"the baseline has no mixer {cell.mixer.name}, only {', '.join(mixers)}:"
            " record one that has it with `attnsearch baseline`"
        )
    nearest = min(known, key=lambda other: (len(_differences(cell, other.spec)), other.spec != cell))
    unlike = _differences(cell, nearest.spec)
    if unlike:
        raise AttnsearchError(
            f"baseline of another suite: cell {names.full(cell)} differs in {', '.join(unlike)}; {_AGAIN}"
        )
    now = escape_threshold(cell.task).share
    if not math.isclose(now, nearest.escape_below, rel_tol=ROUNDING):
        raise AttnsearchError(
            f"the baseline judged escape of cell {names.full(cell)} below {nearest.escape_below:.3f} of"
            f" chance, and it is {now:.3f} now; {_AGAIN}"
        )
    return nearest


def _differences(now: CellSpec, then: CellSpec) -> list[str]:
    """What two cells of one mixer do not share, each as `name then -> now`."""
    shared = dict(now.mixer.settings).keys() & dict(then.mixer.settings).keys()
    before, after = (_with_settings(cell, shared) for cell in (then, now))
    return [f"{heading(name)} {one} -> {other}" for name, (one, other) in contrast(before, after).items()]


def _with_settings(cell: CellSpec, names: Collection[str]) -> CellSpec:
    """`cell` with the settings of its mixer that are among `names`."""
    kept = tuple((name, value) for name, value in cell.mixer.settings if name in names)
    return replace(cell, mixer=replace(cell.mixer, settings=kept))
