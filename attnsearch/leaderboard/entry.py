"""An entry of the leaderboard: one mixer on one suite, as curves from which every number is computed anew.

Numpy side; never imports jax. `attnsearch.leaderboard.entry_file` writes and reads entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from attnsearch.base import RECORDING_INTERVAL, AttnsearchError, Floats, Plateaus
from attnsearch.results.learning_rates import Choice, choose
from attnsearch.runs.cost import Cost
from attnsearch.runs.measures import first_step, held
from attnsearch.runs.store import Status, StoredRun
from attnsearch.runs.verification import Verification
from attnsearch.spec.run import CellSpec, MixerSpec, RunSpec
from attnsearch.spec.suite import Suite
from attnsearch.stats.survival import pool

_ENVIRONMENT = ("attnsearch", "jax", "jaxlib", "device", "processor", "platform")
"""What of a run's environment an entry keeps."""


@dataclass(frozen=True, eq=False)
class EntryRun:
    """One run as an entry keeps it: its question, how it ended, and two curves.

    mean, worst:  `f32[E]` nats; over targets, at each recorded point. The point at which a run diverged does
                  not have a number, and is left out
    """

    spec: RunSpec
    status: Status
    mean: Floats
    worst: Floats

    def plateau(self, chance_loss: float) -> Plateaus:
        """`[1]` steps until escape; censored at the budget, also where the run diverged."""
        threshold = self.spec.cell.task.plateau.escape * chance_loss
        return self._first(np.less(self.mean.astype(np.float64), threshold))

    def mastery(self, chance_loss: float) -> Plateaus:
        """`[1]` steps until every target is mastered, censored likewise."""
        # In the curve's own precision, as a run in training compares.
        return self._first(held(np.less(self.worst, self.spec.cell.task.plateau.mastery * chance_loss)))

    def _first(self, happened: np.ndarray) -> Plateaus:
        steps = RECORDING_INTERVAL * np.arange(1, len(happened) + 1)
        length, observed = first_step(steps, happened[:, None])
        return Plateaus(np.where(observed, length, self.spec.cell.budget.steps), observed)


@dataclass(frozen=True, eq=False)
class EntryCell:
    """The runs of one cell, in rising order of their seeds.

    bits:         log2 of the number of supports, nominal
    chance_loss:  nats
    targets:      of a sequence, R: `mean` is over so many, and `worst` is one of them
    """

    spec: CellSpec
    bits: float
    chance_loss: float
    targets: int
    runs: tuple[EntryRun, ...]

    @cached_property
    def plateau(self) -> Plateaus:
        """`[N]`, as `EntryRun.plateau` has it."""
        return pool(run.plateau(self.chance_loss) for run in self.runs)

    @cached_property
    def mastery(self) -> Plateaus:
        """`[N]`, as `EntryRun.mastery` has it."""
        return pool(run.mastery(self.chance_loss) for run in self.runs)


@dataclass(frozen=True, eq=False)
class Entry:
    """One mixer on one suite.

    suite:         its name
    selection:     cells at every learning rate, on seeds that are not scored
    scored:        cells at the chosen one
    verification:  None where the mixer has not been verified
    cost:          None where it was not measured
    environment:   what the runs were trained with: names and texts
    """

    suite: str
    mixer: MixerSpec
    selection: tuple[EntryCell, ...]
    scored: tuple[EntryCell, ...]
    verification: Verification | None
    cost: Cost | None
    environment: Mapping[str, str]

    def choice(self) -> Choice:
        """Its learning rate, by its selection runs; without any, the rate of its scored runs.

        Errors: AttnsearchError where these do not allow a choice.
        """
        return choose({cell.spec: cell.plateau for cell in self.selection or self.scored})


def cells_of(runs: Iterable[StoredRun]) -> tuple[EntryCell, ...]:
    """Measured runs as an entry keeps them, in order of first appearance of their cells.

    Errors: AttnsearchError for a task with targets that nobody can foresee: two curves do not show mastery.
    """
    grouped: dict[CellSpec, list[StoredRun]] = {}
    for run in runs:
        grouped.setdefault(run.spec.cell, []).append(run)
    return tuple(
        EntryCell(
            spec,
            float(np.mean([run.truth.nominal_log2_search_space for run in members])),
            float(members[0].truth.chance_loss),
            int(members[0].truth.is_target.sum()),
            tuple(_kept(run) for run in sorted(members, key=lambda run: run.spec.seed)),
        )
        for spec, members in grouped.items()
    )


def _kept(run: StoredRun) -> EntryRun:
    if run.truth.bayes_loss.any():
        raise AttnsearchError(
            f"task {run.spec.cell.task.name} cannot be entered: an entry keeps the mean and the worst loss of"
            " a run's targets, which do not show mastery where some targets cannot be foreseen"
        )
    loss = run.curves.loss[:, run.truth.is_target]
    if run.status == "diverged":
        loss = loss[:-1]
    mean = loss.mean(axis=1, dtype=np.float64).astype(np.float32)
    return EntryRun(run.spec, run.status, mean, loss.max(axis=1).astype(np.float32))


def assemble(
    suite: Suite,
    mixer: MixerSpec,
    runs: Sequence[StoredRun],
    verification: Verification | None = None,
    cost: Cost | None = None,
) -> Entry:
    """The entry that `runs` make of `mixer`; runs of other mixers or questions are left alone.

    It holds the runs that there are: `shortcomings` says which are missing. Nothing is scored before all
    selection runs are there to choose a learning rate by.
    """
    mine = suite.reduced(None, {}, [mixer])
    stored = {run.spec: run for run in runs}
    selection = [stored[spec] for spec in mine.selection() if spec in stored]
    entry = Entry(suite.name, mixer, cells_of(selection), (), verification, cost, {})
    scored = []
    if len(selection) == len(mine.selection()):
        rate = learning_rate(suite, entry)
        scored = [stored[spec] for spec in mine.scored({mixer: rate}) if spec in stored]
    environment = environment_of([*selection, *scored])
    return Entry(suite.name, mixer, entry.selection, cells_of(scored), verification, cost, environment)


def learning_rate(suite: Suite, entry: Entry) -> float:
    """The rate at which `entry` is to be scored. Errors: AttnsearchError where nothing decides it."""
    if suite.chooses:
        return entry.choice().learning_rate
    rates = suite.learning_rates
    if len(rates) > 1:
        raise AttnsearchError(
            f"suite {suite.name} has {len(rates)} learning rates: give it selection_seeds to choose one by"
        )
    return rates[0]


def environment_of(runs: Iterable[StoredRun]) -> dict[str, str]:
    """What `runs` were trained with; where they differ, all of it."""
    seen: dict[str, dict[str, None]] = {}
    for run in runs:
        known = {**run.environment, **run.environment.get("versions", {})}
        for name in _ENVIRONMENT:
            if known.get(name):
                seen.setdefault(name, {})[str(known[name])] = None
    return {name: ", ".join(sorted(values))[:200] for name, values in seen.items()}
