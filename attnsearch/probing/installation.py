"""Is an installation sound? A few runs of one command, and the bounds that they meet on every machine.

Machines round differently, and training amplifies the difference: after a few hundred steps no digit is the
same. The plateau hardly moves, the last targets may move far, and no run leaves these bounds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec.grid import grid
from attnsearch.spec.run import RunSpec
from attnsearch.training.jax.backend import JaxBackend
from attnsearch.training.observer import Observer
from attnsearch.training.runner import run

COMMAND = "attnsearch run --task linear_map --sparsity 0.5"
"""The command whose runs meet the bounds. `make run` gives it."""

SEEDS = 2
"""Of its eight seeds, the first, which are trained here: about ten seconds on two cores."""


@dataclass(frozen=True)
class Bound:
    """Where a measure of every run lies on a sound installation, ends included.

    value:   None where the run did not get there
    digits:  decimals with which the value is shown
    """

    measure: str
    low: float
    high: float
    value: Callable[[StoredRun], float | None]
    digits: int = 0

    def text(self, run: StoredRun) -> str:
        """The measure of `run` in words."""
        found = self.value(run)
        return "not reached" if found is None else f"{found:,.{self.digits}f}"

    def met(self, run: StoredRun) -> bool:
        """Whether the measure of `run` is within."""
        found = self.value(run)
        return found is not None and self.low <= found <= self.high

    def __str__(self) -> str:
        return f"{self.low:,.{self.digits}f} to {self.high:,.{self.digits}f}"


def _plateau(run: StoredRun) -> float | None:
    return run.measures.plateau_length if run.measures.escaped else None


def _half_found(run: StoredRun) -> float | None:
    length, observed = run.measures.found
    needed = -(-len(observed) // 2)
    return float(np.sort(length[observed])[needed - 1]) if observed.sum() >= needed else None


def _map_mass(run: StoredRun) -> float | None:
    mass, found = run.maps.mass, run.measures.found.observed[run.truth.mapped]
    return float(mass[-1][found].mean()) if len(mass) and found.any() else None


# Twice as far as 40 runs went: the command's eight with three sets of instructions, and sixteen other seeds.
# Mastery has none: it waits for the last target, which one run in thirty finds after thousands of steps.
BOUNDS = (
    Bound("plateau length", 80, 1_000, _plateau),
    Bound("half of the targets found", 90, 2_000, _half_found),
    Bound("map mass of what was found", 0.85, 1.0, _map_mass, digits=2),
)
"""Every run of `COMMAND` meets these. Lengths are steps. By chance, map mass is 0.5."""


def specs() -> list[RunSpec]:
    """The runs that are trained here, with as many steps as the bounds allow."""
    steps = int(max(bound.high for bound in BOUNDS))
    values = {"sparsity": [0.5], "steps": [steps]}
    known_mixers = JaxBackend().known_mixers
    return grid(["linear_map"], ["attention"], values, known_mixers=known_mixers, seeds=range(SEEDS))


def train(observer: Observer) -> list[StoredRun]:
    """The runs of `specs`, trained anew and kept nowhere."""
    with tempfile.TemporaryDirectory(prefix="attnsearch-") as folder:
        return run(specs(), Store.open(Path(folder)), JaxBackend(), observer)


def faults(runs: Sequence[StoredRun]) -> list[str]:
    """What speaks against the installation, one line each; none where it is sound."""
    found = [f"seed {one.spec.seed} diverged" for one in runs if one.status == "diverged"]
    return found + [
        f"seed {one.spec.seed}: {bound.measure} {bound.text(one)}, and {bound} is right"
        for one in runs
        for bound in BOUNDS
        if one.status != "diverged" and not bound.met(one)
    ]
