"""An entry of the leaderboard: one mixer on one suite, as curves from which every number is computed anew.

Numpy side; never imports jax. `attnsearch.leaderboard.entry_file` writes and reads them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property

import numpy as np

from attnsearch.base import RECORDING_INTERVAL, AttnsearchError, Floats, Plateaus
from attnsearch.results.learning_rates import Choice, choose
from attnsearch.runs.cost import Cost
from attnsearch.runs.measures import first_step, held
from attnsearch.runs.store import Status, StoredRun
from attnsearch.runs.verification import CHECKS, Verification
from attnsearch.spec.run import BudgetSpec, CellSpec, MixerSpec, PlateauRule, RunSpec
from attnsearch.spec.suite import Suite
from attnsearch.stats.survival import pool

_ENVIRONMENT = ("attnsearch", "jax", "jaxlib", "device", "processor", "platform")
"""What of a run's environment an entry keeps."""

_NAMED_CELLS = 4
"""Cells that a message names; the others it counts."""


@dataclass(frozen=True, eq=False)
class EntryRun:
    """One run as an entry keeps it: its question, how it ended, and two curves.

    mean, worst:  `f32[E]` nats; over targets, at each recorded point. The point at which a run diverged is
                  no number, and left out
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
    """

    spec: CellSpec
    bits: float
    chance_loss: float
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
        """Its learning rate, by its selection runs; without any, that of its scored runs.

        Errors: AttnsearchError where these do not allow a choice.
        """
        return choose({cell.spec: cell.plateau for cell in self.selection or self.scored})


def cells_of(runs: Iterable[StoredRun]) -> tuple[EntryCell, ...]:
    """Measured runs as an entry keeps them, in order of first appearance of their cells.

    Errors: AttnsearchError for a task of which even Bayes cannot be sure: two curves do not show its mastery.
    """
    grouped: dict[CellSpec, list[StoredRun]] = {}
    for run in runs:
        grouped.setdefault(run.spec.cell, []).append(run)
    return tuple(
        EntryCell(
            spec,
            float(np.mean([run.truth.nominal_log2_search_space for run in members])),
            float(members[0].truth.chance_loss),
            tuple(_kept(run) for run in sorted(members, key=lambda run: run.spec.seed)),
        )
        for spec, members in grouped.items()
    )


def _kept(run: StoredRun) -> EntryRun:
    if run.truth.bayes_loss.any():
        raise AttnsearchError(
            f"no entry can be made of task {run.spec.cell.task.name}: it keeps the mean and the worst loss of"
            " a run's targets, which do not tell mastery where not every target can be foreseen"
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
    """The entry that `runs` make of `mixer`; whatever else is among them is left alone.

    It holds what there is: `shortcomings` says what is missing. Without all selection runs there is no
    learning rate, and nothing is scored.
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
            f"suite {suite.name} has {len(rates)} learning rates and no selection_seeds to choose one by"
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


# What an entry lacks.


def shortcomings(suite: Suite, entry: Entry) -> list[str]:
    """Why `entry` cannot be compared with others on `suite`, one line each; none where it can."""
    if entry.suite != suite.name:
        return [f"it answers suite {entry.suite}, not {suite.name}"]
    try:
        mine = suite.reduced(None, {}, [entry.mixer])
        found = _differences("selection", entry.selection, mine.selection())
        if not found:
            rate = learning_rate(suite, entry)
            found = _differences("scored", entry.scored, mine.scored({entry.mixer: rate}))
    except AttnsearchError as error:
        return [str(error)]
    return found


def unverified(entry: Entry) -> str | None:
    """Why the mixer's numbers may not count; None where it has passed every check."""
    if entry.verification is None:
        return "not verified"
    if not entry.verification.passed:
        return f"verification not passed: {', '.join(entry.verification.refused_by) or 'no checks'}"
    asked = {finding.check for finding in entry.verification.findings}
    if lacking := [check for check in CHECKS if check not in asked]:
        return f"verified by fewer checks than there are: without {', '.join(lacking)}"
    return None


def _differences(kind: str, cells: Sequence[EntryCell], expected: Sequence[RunSpec]) -> list[str]:
    asked = list(dict.fromkeys(spec.cell for spec in expected))
    others = [cell.spec for cell in cells if cell.spec not in asked]
    if others and asked:
        reasons = dict.fromkeys(difference(spec, asked) for spec in others)
        return [f"{kind} runs: {reason}" for reason in list(reasons)[:_NAMED_CELLS]]
    there, wanted = {run.spec for cell in cells for run in cell.runs}, set(expected)
    if surplus := len(there - wanted):
        return [f"{surplus} {kind} runs have seeds that are not the suite's"]
    missing = [spec for spec in expected if spec not in there]
    if missing:
        return [f"{len(missing)} of {len(expected)} {kind} runs are missing: {listed(missing)}"]
    return []


def listed(specs: Sequence[RunSpec]) -> str:
    """Runs by cell, in few words: `linear_map, state_size 8, learning_rate 0.001: seeds 3, 4`."""
    cells: dict[CellSpec, list[int]] = {}
    for spec in specs:
        cells.setdefault(spec.cell, []).append(spec.seed)
    named = [f"{_place(cell)}: seeds {_span(sorted(seeds))}" for cell, seeds in cells.items()]
    more = [f"and {len(named) - _NAMED_CELLS} more cells"] if len(named) > _NAMED_CELLS else []
    return "; ".join([*named[:_NAMED_CELLS], *more])


def _span(seeds: Sequence[int]) -> str:
    """`3, 5, 9`, or `0 to 15` for all between."""
    first, last = seeds[0], seeds[-1]
    whole = len(seeds) > 2 and list(seeds) == list(range(first, last + 1))
    return f"{first} to {last}" if whole else ", ".join(map(str, seeds))


def _place(cell: CellSpec) -> str:
    knobs = [f"{name} {value}" for name, value in cell.task.knobs]
    return ", ".join([cell.task.name, *knobs, f"learning_rate {cell.optimizer.learning_rate:g}"])


def difference(cell: CellSpec, expected: Sequence[CellSpec]) -> str:
    """How `cell` differs from the nearest of `expected`, at least one, of which it is none."""
    own = _facts(cell)
    apart = (
        {name: (own.get(name), fact) for name, fact in _facts(other).items() if own.get(name) != fact}
        for other in expected
    )
    nearest = min(apart, key=len)
    rule = {f"{field.name} threshold" for field in fields(PlateauRule)}
    kinds = (
        ("another task", {"task", "generator", *dict(cell.task.knobs)}),
        ("another plateau rule", rule),
        ("another budget", {field.name for field in fields(BudgetSpec)}),
        ("another learning rate", {"learning_rate"}),
    )
    word = next((kind for kind, members in kinds if members & nearest.keys()), "other settings")
    return (
        f"{word}: {', '.join(f'{name} {own} instead of {asked}' for name, (own, asked) in nearest.items())}"
    )


def _facts(cell: CellSpec) -> dict[str, object]:
    rule = {f"{name} threshold": value for name, value in asdict(cell.task.plateau).items()}
    return {**cell.flat(), "generator": cell.task.generator, **rule}
