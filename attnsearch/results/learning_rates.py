"""Each mixer's best learning rate, chosen on runs that are not scored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from attnsearch.base import AttnsearchError, Floats, Plateaus
from attnsearch.results import table
from attnsearch.results.cells import found_of
from attnsearch.runs.store import StoredRun
from attnsearch.spec.names import told_apart
from attnsearch.spec.run import CellSpec, MixerSpec
from attnsearch.stats.survival import pool


@dataclass(frozen=True)
class Tried:
    """What a mixer did at one learning rate.

    found:            share of the targets of all its runs that were found
    restricted_mean:  steps until a target is found; the geometric mean, over cells, of the restricted mean at
                      the budget, so that the hardest cell, whose targets may wait a hundred times as long,
                      does not decide alone
    """

    learning_rate: float
    found: float
    restricted_mean: float


@dataclass(frozen=True)
class Choice:
    """A mixer's learning rate, and everything that was `tried`, in rising order of the rates."""

    learning_rate: float
    tried: tuple[Tried, ...]

    @property
    def note(self) -> str | None:
        """Where it lies at an end of its grid, which end: a better one may lie beyond."""
        rates = [tried.learning_rate for tried in self.tried]
        if len(rates) < 2 or self.learning_rate not in (rates[0], rates[-1]):
            return None
        end = "smallest" if self.learning_rate == rates[0] else "largest"
        return f"the {end} of its grid"


def waited(waiting: Plateaus, budget: int) -> Floats:
    """`f64[N]`: steps waited within the budget, of which a run without the event used up all, also if it
    diverged. Their mean is the restricted mean."""
    return np.where(waiting.observed, waiting.length, budget).astype(np.float64)


def choose(cells: Mapping[CellSpec, Plateaus]) -> Choice:
    """The best learning rate of one mixer, by the steps until each target of its cells is found.

    The lowest restricted mean wins; of equal ones, the smallest rate.
    Errors: AttnsearchError without runs, or where two rates have other tasks or numbers of runs: other
    questions would judge them.
    """
    rates = sorted({spec.optimizer.learning_rate for spec in cells})
    if not rates:
        raise AttnsearchError("no runs to choose a learning rate by")
    at = {rate: {s: w for s, w in cells.items() if s.optimizer.learning_rate == rate} for rate in rates}
    asked = [
        {_without_rate(spec): len(waiting.length) for spec, waiting in at[rate].items()} for rate in rates
    ]
    for rate, questions in zip(rates, asked, strict=True):
        if questions != asked[0]:
            raise AttnsearchError(
                f"learning rates {rates[0]:g} and {rate:g} have runs of different cells or numbers"
            )
    tried = tuple(_tried(rate, at[rate]) for rate in rates)
    best = min(tried, key=lambda one: (one.restricted_mean, one.learning_rate))
    return Choice(best.learning_rate, tried)


def _without_rate(spec: CellSpec) -> CellSpec:
    return replace(spec, optimizer=replace(spec.optimizer, learning_rate=0.0))


def _tried(learning_rate: float, cells: Mapping[CellSpec, Plateaus]) -> Tried:
    means = [waited(waiting, spec.budget.steps).mean() for spec, waiting in cells.items()]
    return Tried(
        learning_rate,
        float(pool(cells.values()).observed.mean()),
        # The order of a sum must not decide between equals.
        round(float(np.exp(np.mean(np.log(means)))), 6),
    )


def choices(runs: Sequence[StoredRun]) -> dict[MixerSpec, Choice]:
    """The choice of each mixer of `runs`, all of which are taken to be selection runs."""
    mixers = dict.fromkeys(run.spec.cell.mixer for run in runs)
    return {mixer: choose(found(run for run in runs if run.spec.cell.mixer == mixer)) for mixer in mixers}


def choice_table(chosen: Mapping[str, Choice]) -> table.Table:
    """What each mixer, by its name in tables, did at each learning rate."""
    numbers = ("learning rate", "targets\nfound", "a target waits,\nmean (steps)")
    return table.Table(
        "Learning rates, on the selection seeds: targets of all runs, and the geometric mean over cells of"
        " the restricted mean of their steps until found",
        ("mixer", *numbers, "chosen"),
        frozenset(numbers),
        tuple(row for name, choice in chosen.items() for row in _rows(name, choice)),
    )


def _rows(name: str, choice: Choice) -> Iterator[tuple[str, ...]]:
    rates = told_apart(tried.learning_rate for tried in choice.tried)
    for tried in choice.tried:
        mean = f"{tried.restricted_mean:,.0f}"
        yield name, rates[tried.learning_rate], f"{tried.found:.0%}", mean, _mark(choice, tried)


def _mark(choice: Choice, tried: Tried) -> str:
    if tried.learning_rate != choice.learning_rate:
        return ""
    return f"chosen\n⚠ {choice.note}" if choice.note else "chosen"


def found(runs: Iterable[StoredRun]) -> dict[CellSpec, Plateaus]:
    """The steps until each target of each cell's runs is found."""
    cells: dict[CellSpec, list[Plateaus]] = {}
    for run in runs:
        cells.setdefault(run.spec.cell, []).append(found_of(run))
    return {spec: pool(steps) for spec, steps in cells.items()}
