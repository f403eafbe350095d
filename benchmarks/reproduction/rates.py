"""The learning rate of each mixer, chosen on runs that are not scored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from attnsearch.base import AttnsearchError, Plateaus
from attnsearch.results.cells import Cell, cells
from attnsearch.results.learning_rates import Choice, choose
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import CellSpec, RunSpec
from attnsearch.spec.suite import Suite
from attnsearch.training.jax.backend import JaxBackend
from benchmarks.reproduction.archive import Archive, knob, waits
from benchmarks.reproduction.commands import LADDER, VISIBLE, VISIBLE_RATES
from benchmarks.reproduction.writing import table


def chosen(runs: Sequence[StoredRun], steps: Callable[[Cell], Plateaus]) -> dict[str, Choice]:
    """Each mixer's learning rate by `steps` of its runs: most that ended, then the lowest restricted mean.
    These pages were made by this rule. Empty where runs are missing."""
    tried: dict[str, dict[CellSpec, Plateaus]] = {}
    for cell in cells(runs):
        tried.setdefault(cell.spec.mixer.name, {})[cell.spec] = steps(cell)
    try:
        made = {name: _most_ended(choose(members)) for name, members in sorted(tried.items())}
    except AttnsearchError:
        return {}
    return made if len(made) > 1 else {}


def _most_ended(choice: Choice) -> Choice:
    best = min(choice.tried, key=lambda one: (-one.found, one.restricted_mean, one.learning_rate))
    return Choice(best.learning_rate, choice.tried)


def at_best(members: Iterable[Cell], rates: Mapping[str, Choice]) -> list[Cell]:
    """The members at the learning rate that was chosen for their mixer."""
    return [
        cell
        for cell in members
        if rates and cell.spec.optimizer.learning_rate == rates[cell.spec.mixer.name].learning_rate
    ]


def ladder_specs(archive: Archive) -> tuple[list[RunSpec], list[RunSpec]]:
    """The selection runs of `LADDER`; and its scored runs, none where rates cannot be chosen."""
    ladder = Suite.read(LADDER, JaxBackend().known_mixers)
    made = chosen(archive.among(ladder.selection()), waits)
    rates = {mixer: made[mixer.name].learning_rate for mixer in ladder.mixers} if made else {}
    return ladder.selection(), ladder.scored(rates) if rates else []


def tried_table(family: str, made: Mapping[str, Choice]) -> str:
    """One row a mixer: runs that ended and their restricted mean at each rate, and the rate chosen."""
    told = {
        name: {one.learning_rate: f"{one.found:.0%}, {one.restricted_mean:,.0f}"
               for one in choice.tried}
        for name, choice in made.items()
    }  # fmt: skip
    rates = sorted({rate for members in told.values() for rate in members})
    rows = [
        [
            name,
            *(told[name].get(rate, "") for rate in rates),
            ", ".join([f"{choice.learning_rate:g}", *([choice.note] if choice.note else [])]),
        ]
        for name, choice in made.items()
    ]
    return table([family, *(f"{rate:g}" for rate in rates), "chosen"], rows)


def by_cell(members: Sequence[Cell]) -> str:
    """Restricted means of selection runs of single cells, rate by rate: the rule takes one rate for all cells
    and counts escapes first, so it passes over them."""
    rates = sorted({cell.spec.optimizer.learning_rate for cell in members})
    rows = []
    for s in (2, 3):
        for mixer in ("attention", "mlp_mixer"):
            means = {
                cell.spec.optimizer.learning_rate: f"{cell.plateau.restricted_mean:,.0f}"
                for cell in members
                if knob(cell, "support_size") == s and cell.spec.mixer.name == mixer
            }
            rows.append([f"s = {s}, {mixer}", *(means.get(rate, "") for rate in rates)])
    heading = ["S = 16, two runs each", *(f"{rate:g}" for rate in rates)]
    return table(heading, rows) if members else ""


def by_escape(archive: Archive, made: Mapping[str, Choice]) -> str:
    """The rates that the escape of one target of 16 would have chosen as published, and what attention makes
    of its rate."""
    soonest = chosen(archive.runs(VISIBLE_RATES), waits)
    if not soonest or not made:
        return ""
    rates = " and ".join(f"{name} {choice.learning_rate:g}" for name, choice in soonest.items())
    mastered = []
    for choice in (soonest, made):
        at = [c for c in at_best(archive.cells(VISIBLE), choice) if c.spec.mixer.name == "attention"]
        count, runs = sum(c.mastery.observed for c in at), sum(len(c.runs) for c in at)
        mastered.append(f"{count} of {runs} at {choice['attention'].learning_rate:g}")
    return f"""Escape needs one target of 16. It would choose {rates}. Runs that attention masters:
    {", ".join(mastered)}."""
