"""Which recorded cell a cell of a suite is held against. Numpy side; never imports jax."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from attnsearch.base import AttnsearchError
from attnsearch.gate.baseline import Baseline, RecordedCell
from attnsearch.spec.run import CellSpec, RunSpec, Value

_AGAIN = "record it again with `attnsearch baseline`"


def label(cell: CellSpec) -> str:
    """A cell in a few words."""
    knobs = " ".join(f"{name}={value}" for name, value in cell.task.knobs)
    return f"{cell.task.name} {knobs} {cell.mixer.name}"


def matched(baseline: Baseline, specs: Sequence[RunSpec]) -> list[tuple[list[RunSpec], RecordedCell]]:
    """The runs of each cell of `specs`, beside what was recorded of it.

    A setting that a mixer had not at the time, or has no more, is no difference: it is the same question to
    a mixer that was changed. Mixers of the baseline that `specs` do not name are left out.
    Errors: AttnsearchError where a cell of the one is none of the other, saying what differs.
    """
    grouped: dict[CellSpec, list[RunSpec]] = {}
    for spec in specs:
        grouped.setdefault(spec.cell, []).append(spec)
    pairs = [(runs, _recorded(baseline, cell)) for cell, runs in grouped.items()]
    asked, found = {cell.mixer.name for cell in grouped}, [recorded for _, recorded in pairs]
    for cell in baseline.cells:
        if cell.spec.mixer.name in asked and found.count(cell) != 1:
            times = "has no" if cell not in found else "asks more than once for"
            raise AttnsearchError(f"the suite {times} cell {label(cell.spec)} of the baseline; {_AGAIN}")
    for runs, recorded in pairs:
        rules = {run.seed: run.rule_seed for run in recorded.runs}
        for run in runs:
            if rules.get(run.seed, run.rule_seed) != run.rule_seed:
                raise AttnsearchError(
                    f"baseline of another suite: seed {run.seed} of {label(run.cell)} has rule_seed"
                    f" {rules[run.seed]} -> {run.rule_seed}; {_AGAIN}"
                )
    return pairs


def _recorded(baseline: Baseline, cell: CellSpec) -> RecordedCell:
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
            f"baseline of another suite: cell {label(cell)} differs in {', '.join(unlike)}; {_AGAIN}"
        )
    return nearest


def _differences(now: CellSpec, then: CellSpec) -> list[str]:
    """What two cells of one mixer do not share, each as `name then -> now`."""
    after, before = _everything(now), _everything(then)
    of_one = dict(now.mixer.settings).keys() ^ dict(then.mixer.settings).keys()
    names = [name for name in {**before, **after} if name not in of_one]
    return [
        f"{name} {before.get(name)} -> {after.get(name)}"
        for name in names
        if before.get(name) != after.get(name) or (name in before) != (name in after)
    ]


def _everything(cell: CellSpec) -> dict[str, Value]:
    thresholds = {f"{name} threshold": value for name, value in asdict(cell.task.plateau).items()}
    return {**cell.flat(), "generator": cell.task.generator, **thresholds}
