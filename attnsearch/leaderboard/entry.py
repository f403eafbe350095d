"""An entry of the leaderboard: one mixer on one suite, as curves from which every number is computed anew.

Numpy side; never imports jax. `attnsearch.leaderboard.entry_file` writes and reads entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from attnsearch.base import RECORDING_INTERVAL, AttnsearchError, Bools, Floats, Integers, Plateaus
from attnsearch.results.learning_rates import Choice, choose
from attnsearch.runs.cost import Cost
from attnsearch.runs.escape import escape_threshold
from attnsearch.runs.leaks import later_influence
from attnsearch.runs.measures import first_step
from attnsearch.runs.outline import Outline, Targets, escapes, finds, held, masters, outlined
from attnsearch.runs.store import Status, StoredRun
from attnsearch.runs.verification import Verification
from attnsearch.spec.run import CellSpec, MixerSpec, RunSpec
from attnsearch.spec.suite import Suite
from attnsearch.stats.survival import pool

_ENVIRONMENT = (
    *("attnsearch", "jax", "jaxlib", "flax", "optax", "numpy", "torch"),
    *("device", "devices", "lanes", "processor", "platform"),
)
"""What of a run's environment an entry keeps."""


@dataclass(frozen=True, eq=False)
class EntryRun:
    """One run as an entry keeps it: its question, how it ended, and what it is judged by.

    targets:  its rule may decide how well they can be foreseen
    outline:  `f32[E, G]` at each recorded point. The point at which a run diverged does not have a number,
              and is left out
    found:    `i64[R]` step at which each target was found first; 0 where it was not
    later:    largest distance by which tokens behind a query moved its answer; None where not measured
    """

    spec: RunSpec
    status: Status
    targets: Targets
    outline: Outline
    found: Integers
    later: float | None

    @cached_property
    def loss(self) -> Floats:
        """`f64[E]` nats: the mean target loss at each recorded point."""
        return self.outline.loss(self.targets)

    @cached_property
    def plateau(self) -> Plateaus:
        """`[1]` steps until escape; censored at the budget, also where the run diverged."""
        return self._first(escapes(self.outline, self.targets, escape_threshold(self.spec.cell.task)))

    @cached_property
    def mastery(self) -> Plateaus:
        """`[1]` steps until every target is mastered, censored likewise."""
        return self._first(held(masters(self.outline, self.targets, self.spec.cell.task.plateau)))

    def _first(self, happened: Bools) -> Plateaus:
        length, observed = first_step(recorded_steps(len(happened)), happened[:, None])
        return Plateaus(np.where(observed, length, self.spec.cell.budget.steps), observed)


def recorded_steps(points: int) -> Integers:
    """`i64[E]`: the steps of so many recorded points."""
    return RECORDING_INTERVAL * np.arange(1, points + 1)


@dataclass(frozen=True, eq=False)
class EntryCell:
    """The runs of one cell, at least one, in rising order of their seeds.

    bits:  log2 of the number of supports, nominal
    """

    spec: CellSpec
    bits: float
    runs: tuple[EntryRun, ...]

    @property
    def chance_loss(self) -> float:
        """Nats; all runs of a cell have the same."""
        return self.runs[0].targets.chance_loss

    @property
    def state(self) -> Integers:
        """`i64[R]`: the state that each target is a cell of; all runs of a cell have the same."""
        return self.runs[0].targets.state

    @cached_property
    def plateau(self) -> Plateaus:
        """`[N]`, as `EntryRun.plateau` has it."""
        return pool(run.plateau for run in self.runs)

    @cached_property
    def mastery(self) -> Plateaus:
        """`[N]`, as `EntryRun.mastery` has it."""
        return pool(run.mastery for run in self.runs)

    @cached_property
    def found(self) -> Plateaus:
        """`[N * R]` steps until each target of each run was found, censored likewise."""
        steps = np.concatenate([run.found for run in self.runs])
        return Plateaus(np.where(steps > 0, steps, self.spec.budget.steps), steps > 0)


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
        return choose({cell.spec: cell.found for cell in self.selection or self.scored})


def cells_of(runs: Iterable[StoredRun]) -> tuple[EntryCell, ...]:
    """Measured runs as an entry keeps them, in order of first appearance of their cells."""
    grouped: dict[CellSpec, list[StoredRun]] = {}
    for run in runs:
        grouped.setdefault(run.spec.cell, []).append(run)
    return tuple(
        EntryCell(
            spec,
            float(np.mean([run.truth.nominal_log2_search_space for run in members])),
            tuple(_kept(run) for run in sorted(members, key=lambda run: run.spec.seed)),
        )
        for spec, members in grouped.items()
    )


def _kept(run: StoredRun) -> EntryRun:
    targets = Targets.of(run.truth)
    loss = run.curves.loss[:, run.truth.is_target]
    if run.status == "diverged":
        loss = loss[:-1]
    found = finds(loss, targets, run.spec.cell.task.plateau)
    first = first_step(recorded_steps(len(loss)), found)
    steps = np.where(first.observed, first.length, 0)
    later = later_influence(run.map_mass)
    return EntryRun(run.spec, run.status, targets, outlined(loss, targets), steps, later)


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
