"""Checks of runs that nobody trained, against a baseline that nobody trained either."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from attnsearch.gate.baseline import Baseline
from attnsearch.gate.check import check
from attnsearch.gate.verdict import Report
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import RunSpec
from helpers.hand_made import run_of, spec_of

MIXERS = ("attention", "mlp_mixer")

HERE = {"device": "cpu", "devices": 2, "lanes": 6, "versions": {"attnsearch": "0.1.0", "jax": "0.9.1"}}
BEFORE = {**HERE, "versions": {"attnsearch": "0.1.0", "jax": "0.9.0"}}


def specs(seeds: Sequence[int] = range(8), **values: int) -> list[RunSpec]:
    """Two mixers on two maps."""
    return [
        spec_of(mixer, seed, support_size=size, **values)
        for mixer in MIXERS
        for size in (1, 2)
        for seed in seeds
    ]


def made(spec: RunSpec, slowdown: float = 1.0, environment: dict[str, Any] = HERE, **fate: int) -> StoredRun:
    """A run that escapes at about 200 steps, each seed at its own."""
    escape = round((170 + 11 * (7 * spec.seed % 13)) * slowdown / 10) * 10
    return run_of(spec, [escape] * 4, environment=environment, **fate)


@cache
def recorded(seeds: Sequence[int] = range(32)) -> Baseline:
    """What is recorded of `specs` with these seeds, elsewhere."""
    return Baseline.of("small", [made(spec, environment=BEFORE) for spec in specs(seeds)])


class Trainer:
    """Stands where runs are trained, and keeps what it was asked for."""

    def __init__(self, how: Callable[[RunSpec], StoredRun]):
        self.how, self.asked = how, list[RunSpec]()

    def __call__(self, specs: Sequence[RunSpec]) -> list[StoredRun]:
        self.asked += specs
        return [self.how(spec) for spec in specs]


def checked(
    how: Callable[[RunSpec], StoredRun],
    asked: Sequence[RunSpec] | None = None,
    baseline: Baseline | None = None,
    **more: Any,
) -> tuple[Report, Trainer]:
    """Checks `specs`, each trained as `how` says, against `recorded`."""
    trainer = Trainer(how)
    asked = specs() if asked is None else asked
    return check(asked, baseline or recorded(), trainer, name="small.json", **more), trainer


def slow(mixer: str, slowdown: float) -> Callable[[RunSpec], StoredRun]:
    """Trains one mixer slower than it was, and no curve as it was."""
    return lambda spec: made(spec, slowdown if spec.cell.mixer.name == mixer else 0.97)


def awkward() -> Report:
    """A check of a mixer and a suite with names that every format has to escape."""
    report, _ = checked(slow("mlp_mixer", 2.2))
    name = 'a,b:C|D<E>&"%\x1b[31m\n'
    pairs = [
        replace(pair, cell=replace(pair.cell, mixer=replace(pair.cell.mixer, name=name)))
        for pair in report.pairs
    ]
    return replace(report, pairs=tuple(pairs), suite=name)
