"""What can be seen of a run before it escapes, and how well it tells when a target will be found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from attnsearch.base import Floats, Integers, Plateaus
from attnsearch.results.cells import Cell, found_of, plateau_of
from attnsearch.results.column import Column
from attnsearch.results.table import counted, steps
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import Value
from attnsearch.stats.foretelling import FEWEST_RUNS, Foretelling, Watched, foretelling

FIRST_STEP = 50
"""The first step that is looked at; the others double. At each of them every run records its map."""

HALVES = ("even", "odd")
"""Of the seeds: what one half shows, the other has to show again."""


class Signal(NamedTuple):
    """Something that can be seen of a target while it is searched for.

    key, name:  in files, and in words
    seen:       the steps at which a run recorded it, `i32[M]`, and what it was for each mapped target,
                `f[M, K]`; no steps where the run does not have it
    """

    key: str
    name: str
    seen: Callable[[StoredRun], tuple[Integers, Floats]]


def _map_mass(run: StoredRun) -> tuple[Integers, Floats]:
    return run.map_mass.step, run.map_mass.mass


def _entropy(run: StoredRun) -> tuple[Integers, Floats]:
    step, entropy = run.map_mass.step, run.head_mass.entropy
    if not entropy.shape[1]:
        return step[:0], np.zeros((0, entropy.shape[2]))
    return step, entropy.min(axis=1)


def _loss(run: StoredRun) -> tuple[Integers, Floats]:
    curves, truth = run.curves, run.truth
    return curves.step, curves.loss[:, truth.is_target][:, truth.mapped]


def _update_norm(run: StoredRun) -> tuple[Integers, Floats]:
    """One number a run: the same for each target."""
    step, norm = run.updates
    return step, np.repeat(norm[:, None], len(run.truth.mapped), axis=1)


SIGNALS = (
    Signal("map_mass", "map mass", _map_mass),
    Signal("entropy", "entropy of the sharpest head", _entropy),
    Signal("loss", "loss", _loss),
    Signal("update_norm", "norm of updates", _update_norm),
)
"""All that runs record of a target, and of the run it is in."""


@dataclass(frozen=True)
class EarlySignal:
    """What a signal tells at a step, by either half of the seeds alone.

    Only runs that have not escaped by then count, and of them the targets that are not yet found.
    """

    signal: Signal
    step: int
    even: Foretelling
    odd: Foretelling

    @property
    def halves(self) -> tuple[Foretelling, Foretelling]:
        """In the order of `HALVES`."""
        return self.even, self.odd

    @property
    def tells(self) -> bool:
        """Whether the intervals of both halves leave out 0 on the same side."""
        return self.even.tells and self.odd.tells and self.even.value * self.odd.value > 0

    @property
    def verdict(self) -> str:
        """The same in words."""
        if not self.tells:
            return "not shown"
        return "the larger, the later" if self.even.value > 0 else "the larger, the sooner"


def early_signals(cells: Sequence[Cell]) -> tuple[EarlySignal, ...]:
    """Each signal at each step at which some cell has `FEWEST_RUNS` runs of either half that still wait.

    Targets are compared within cells alone. Cells with a leaking run are left out.
    """
    wide = [cell for cell in cells if cell.counts and all(map(_enough, _halves(cell.runs)))]
    last = max((run.spec.cell.budget.steps for cell in wide for run in cell.runs), default=0)
    looked = [FIRST_STEP << power for power in range(64) if FIRST_STEP << power < last]
    found = []
    for signal in SIGNALS:
        # The arrays of a run are fetched once for all steps.
        seen = [[[_watched(run, signal, looked) for run in half] for half in _halves(c.runs)] for c in wide]
        for place, step in enumerate(looked):
            kept = [
                [[run[place] for run in half if run[place].waits.any()] for half in cell] for cell in seen
            ]
            kept = [cell for cell in kept if all(map(_enough, cell))]
            even, odd = (foretelling([cell[half] for cell in kept]) for half in range(len(HALVES)))
            if even is not None and odd is not None:
                found.append(EarlySignal(signal, step, even, odd))
    return tuple(sorted(found, key=lambda one: one.step))


def _halves(runs: Sequence[StoredRun]) -> tuple[list[StoredRun], ...]:
    return tuple([run for run in runs if run.spec.seed % 2 == half] for half in range(len(HALVES)))


def _enough(half: Sequence[object]) -> bool:
    return len(half) >= FEWEST_RUNS


def _watched(run: StoredRun, signal: Signal, looked: Sequence[int]) -> list[Watched]:
    """The mapped targets of a run at each step of `looked`; nothing is seen of one that is found by then, nor
    of any where the run has escaped."""
    recorded, values = signal.seen(run)
    found, mapped, escape = found_of(run), run.truth.mapped, int(plateau_of(run).length[0])
    waited = Plateaus(found.length[mapped], found.observed[mapped])
    watched = []
    for step in looked:
        # What was seen at another step is not taken for what was to be seen at this one.
        at = np.flatnonzero(recorded == step)
        value = values[at[0]].astype(np.float64) if len(at) else np.full(len(mapped), np.nan)
        still = (waited.length > step) & np.isfinite(value) & (escape > step)
        watched.append(Watched(np.where(still, value, np.nan), waited))
    return watched


def _of_half(place: int, half: str) -> Iterator[Column[EarlySignal]]:
    def one(
        key: str, unit: str, definition: str, value: Callable[[Foretelling], Value]
    ) -> Column[EarlySignal]:
        return Column(
            f"{half}_{key}",
            "",
            lambda row: value(row.halves[place]),
            unit=unit,
            definition=f"Of the runs with {half} seeds: {definition}",
        )

    def text(row: EarlySignal) -> str:
        told = row.halves[place]
        return f"{told.value:.2f}\n{told.low:.2f} to {told.high:.2f}, {counted(told.runs, 'run')}"

    said = "rank correlation (Somers' D) of the signal with the steps until a target is found, within cells."
    first = one("correlation", "correlation", said, lambda told: told.value)
    yield Column(first.key, f"{half} seeds", first.value, text, unit=first.unit, definition=first.definition)
    yield one(
        "low", "correlation", "lower end of the 95 % interval of the correlation.", lambda told: told.low
    )
    yield one(
        "high", "correlation", "upper end of the 95 % interval of the correlation.", lambda told: told.high
    )
    yield one("runs", "runs", "runs that still waited at the step.", lambda told: told.runs)
    yield one("pairs", "pairs", "pairs of targets that can be compared.", lambda told: told.pairs)


COLUMNS: tuple[Column[EarlySignal], ...] = (
    Column(
        "step",
        "step",
        lambda row: row.step,
        lambda row: steps(row.step),
        unit="steps",
        definition="Step at which the signal was seen, in runs that had not escaped by then.",
    ),
    Column(
        "signal",
        "signal",
        lambda row: row.signal.key,
        lambda row: row.signal.name,
        definition="What was seen: of a target its map mass, the entropy of its sharpest head or its loss; of"
        " its run the norm of updates.",
    ),
    *(column for place, half in enumerate(HALVES) for column in _of_half(place, half)),
    Column(
        "tells",
        "does it tell?",
        lambda row: row.tells,
        lambda row: row.verdict,
        definition="Whether the intervals of both halves leave out 0 on the same side.",
    ),
)
"""Every number of an early signal."""
