"""What a set of runs says, cell by cell: as a table to read and as a JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rich.table import Table

from attnsearch.base import RECORDING_INTERVAL, Plateaus
from attnsearch.runs.measures import MASTERY_HOLD, held, prediction_loss
from attnsearch.runs.store import StoredRun
from attnsearch.spec.names import written
from attnsearch.spec.run import FORMAT_VERSION, CellSpec, InterventionSpec, PlateauRule, Value
from attnsearch.stats.survival import Waiting, pool, summarise

FEWEST_SEEDS = 8
"""Below this many runs a cell is warned about."""

LEAK_MARGIN = 0.8
"""An unpredictable token whose loss stays below this share of chance for `plateau.MASTERY_HOLD` points
was seen before it was asked. A point is the mean of n losses, those of 10 steps, and luck alone takes it
below chance: by at most k² / 2n nats where it is k deviations lucky, however confidently the network
guesses. With two sequences a step, n = 20, a fifth of chance is 2.4 deviations, three times in a row; with
64, thirteen. What is seen is soon known for certain, so that a real leak crosses any margin."""


@dataclass(frozen=True)
class Measurement:
    """By what rule a number came about.

    interval: steps of which a recorded point is the mean; there is no other smoothing
    rule:     thresholds, as fractions of chance
    """

    interval: int
    rule: PlateauRule

    def __str__(self) -> str:
        return (
            f"Losses are means over {self.interval} steps, not smoothed further. Escape: mean target loss"
            f" below {self.rule.escape:g} of chance; found: a target's below {self.rule.found:g}; mastery:"
            f" every target's, less Bayes' own, below {self.rule.mastery:g}, {MASTERY_HOLD} points in a row."
        )


@dataclass(frozen=True)
class Cell:
    """The runs of one cell in numbers.

    bits:            log2 of the number of supports, nominal
    route_bits:      the same for the cheapest route, mean over targets and runs; equal to `bits`
                     where no target is cheaper than its row
    plateau, mastery: waiting times over runs; found: over all targets of all runs. Restricted means
                     are those up to the budget
    prediction_loss: nats; mean over runs of the last recorded loss of all predictions, the
                     unpredictable included; None where none is. Diverged runs have none
    """

    spec: CellSpec
    runs: tuple[StoredRun, ...]
    bits: float
    route_bits: float
    plateau: Waiting
    mastery: Waiting
    found: Waiting
    prediction_loss: float | None

    @property
    def diverged(self) -> int:
        """Runs that ended with a non-finite loss."""
        return sum(run.status == "diverged" for run in self.runs)

    @property
    def state_loss(self) -> tuple[float, ...] | None:
        """Nats: last recorded loss of each predicted state, mean over the runs that escaped.

        None where there is one state or no such run: runs that have learned nothing would only dilute it.
        """
        escaped = [run.measures for run in self.runs if run.measures.escaped]
        known = [measures.state_loss for measures in escaped if measures.in_context_gain is not None]
        return tuple(np.mean(known, axis=0).tolist()) if known else None

    @property
    def in_context_gain(self) -> float | None:
        """Nats: how far `state_loss` falls from the first predicted state to the last."""
        return self.state_loss[0] - self.state_loss[-1] if self.state_loss else None


def plateau_of(run: StoredRun) -> Plateaus:
    """A run's plateau length with its censoring, `[1]`; a diverged run waits to the end of its budget."""
    return _waiting(run, run.measures.plateau)


def mastery_of(run: StoredRun) -> Plateaus:
    """The same of mastery."""
    return _waiting(run, run.measures.mastery)


def found_of(run: StoredRun) -> Plateaus:
    """The same of each target's being found, `[R]`."""
    return _waiting(run, run.measures.found)


def middle_run(cell: Cell) -> StoredRun:
    """The run of median plateau length, those that never escaped counting as longest."""
    ordered = sorted(cell.runs, key=lambda run: (not run.measures.escaped, run.measures.plateau_length))
    return ordered[(len(ordered) - 1) // 2]


def cells(runs: Sequence[StoredRun]) -> list[Cell]:
    """`runs` grouped by cell, in order of first appearance."""
    grouped: dict[CellSpec, list[StoredRun]] = {}
    for run in runs:
        grouped.setdefault(run.spec.cell, []).append(run)
    return [_cell(spec, tuple(members)) for spec, members in grouped.items()]


def _cell(spec: CellSpec, runs: tuple[StoredRun, ...]) -> Cell:
    last = [
        prediction_loss(run.curves)[-1]
        for run in runs
        if run.status != "diverged" and not run.truth.is_target.all()
    ]
    return Cell(
        spec=spec,
        runs=runs,
        bits=float(np.mean([run.truth.nominal_log2_search_space for run in runs])),
        route_bits=float(np.mean([run.truth.log2_search_space.mean() for run in runs])),
        plateau=summarise(pool(plateau_of(run) for run in runs), spec.budget.steps),
        mastery=summarise(pool(mastery_of(run) for run in runs), spec.budget.steps),
        found=summarise(pool(found_of(run) for run in runs), spec.budget.steps),
        prediction_loss=float(np.mean(last)) if last else None,
    )


def _waiting(run: StoredRun, waited: Plateaus) -> Plateaus:
    if run.status != "diverged":
        return waited
    # It would never have got there: censored where it broke, it would count as one that was about to.
    return waited._replace(length=np.where(waited.observed, waited.length, run.spec.cell.budget.steps))


def measurements(cells: Sequence[Cell]) -> list[Measurement]:
    """The rules behind `cells`, each once; one, unless their tasks differ in it."""
    rules = dict.fromkeys(cell.spec.task.plateau for cell in cells)
    return [Measurement(RECORDING_INTERVAL, rule) for rule in rules]


def varying(summaries: Sequence[Cell]) -> list[str]:
    """Settings beside task and mixer that are worth a column: those that differ where there are any."""
    flats = [cell.spec.flat() for cell in summaries]
    names = list(dict.fromkeys(name for flat in flats for name in flat))
    return [
        name
        for name in names
        if name not in ("task", "mixer") and len({flat[name] for flat in flats if name in flat}) > 1
    ]


def constant(summaries: Sequence[Cell]) -> str:
    """The knobs, and what was done to the networks, that are in no column, in words: `loss all, state size
    8`; where tasks differ in them, by task. Together with `varying`, each is said once."""
    columns = varying(summaries)
    said = {
        cell.spec.task.name: ", ".join(
            in_words(name, value)
            for name, value in [*cell.spec.task.knobs, *interventions(cell.spec).items()]
            if name not in columns
        )
        for cell in summaries
    }
    if len(set(said.values())) == 1:
        return next(iter(said.values()))
    return "; ".join(f"{task}: {words}" for task, words in said.items() if words)


def titled(title: str, *parts: str) -> str:
    """`title: one, other`, without the parts that are empty."""
    said = ", ".join(part for part in parts if part)
    return f"{title}: {said}" if said else title


def in_words(name: str, value: Value) -> str:
    """A setting as titles and labels say it: `state size 8`."""
    return f"{name.replace('_', ' ')} {written(value)}"


def interventions(spec: CellSpec) -> dict[str, Value]:
    """What is done to the networks of a cell, by the names of the settings; empty where nothing is."""
    plain = asdict(InterventionSpec())
    return {name: value for name, value in asdict(spec.intervention).items() if value != plain[name]}


def table(summaries: Sequence[Cell]) -> Table:
    """One row a cell, for a terminal."""
    extra = varying(summaries)
    routed = any(not np.isclose(cell.bits, cell.route_bits) for cell in summaries)
    predicted = any(cell.prediction_loss is not None for cell in summaries)
    gained = any(cell.in_context_gain is not None for cell in summaries)
    title = titled("Plateau length against the size of the search space", constant(summaries))
    shown = Table(title=title, title_justify="left")
    for name in ["task", "mixer", *extra]:
        shown.add_column(name.replace("_", " "), overflow="fold")
    shown.add_column("search space\n(bits)", justify="right")
    if routed:
        shown.add_column("cheapest route\n(bits)", justify="right")
    shown.add_column("runs", justify="right")
    shown.add_column("escaped /\nmastered", justify="right")
    shown.add_column("plateau length (steps)\nmedian (range)", justify="right")
    shown.add_column("target found\n(median step)", justify="right")
    if predicted:
        shown.add_column("prediction\nloss (nats)", justify="right")
    if gained:
        shown.add_column("in-context gain\nof escaped (nats)", justify="right")
    for cell in summaries:
        row = [*named(cell, extra), f"{cell.bits:.1f}"]
        if routed:
            row.append(f"{cell.route_bits:.1f}")
        runs = str(cell.plateau.runs) + (f" ({cell.diverged} diverged)" if cell.diverged else "")
        row += [runs, f"{cell.plateau.observed} / {cell.mastery.observed}"]
        row += [describe(cell.plateau), _median(cell.found)]
        if predicted:
            row.append("" if cell.prediction_loss is None else f"{cell.prediction_loss:.3f}")
        if gained:
            row.append("" if cell.in_context_gain is None else f"{cell.in_context_gain:.3f}")
        shown.add_row(*row)
    return shown


def named(cell: Cell, extra: Sequence[str]) -> list[str]:
    """Task, mixer, and the settings `extra` of a cell, as texts."""
    flat = cell.spec.flat()
    return [cell.spec.task.name, cell.spec.mixer.name, *(written(flat.get(name, "")) for name in extra)]


def describe(waiting: Waiting) -> str:
    """Median, range and censored count: `210 (180 to 320)`, or `not reached, 5 censored`."""
    parts = _median(waiting)
    if waiting.shortest is not None:
        parts += f" ({waiting.shortest:,} to {waiting.longest:,})"
    if waiting.censored:
        parts += f", {waiting.censored} censored"
    return parts


def _median(waiting: Waiting) -> str:
    return "not reached" if waiting.median is None else f"{waiting.median:,.0f}"


def warnings(summaries: Sequence[Cell]) -> list[str]:
    """What stands between these numbers and a claim, one line each."""
    found: list[str] = []
    few = sorted({cell.plateau.runs for cell in summaries if cell.plateau.runs < FEWEST_SEEDS})
    if few:
        seeds = "1 seed is" if few[0] == 1 else f"{few[0]} seeds are"
        found.append(f"{seeds} too few for a distribution: use {FEWEST_SEEDS}, 16 to compare mixers")
    for cell in summaries:
        for run in cell.runs:
            unpredictable = run.curves.loss[:, ~run.truth.is_target]
            if held(unpredictable < LEAK_MARGIN * float(run.truth.chance_loss)).any():
                found.append(
                    f"{cell.spec.mixer.name} predicts unpredictable tokens of {cell.spec.task.name},"
                    f" seed {run.spec.seed}: it sees the future, and its numbers do not count"
                )
    return found


def document(summaries: Sequence[Cell], store: str, pictures: Sequence[str]) -> dict[str, Any]:
    """Cells and runs as JSON values; waiting times keep their censoring beside them."""
    return {
        "format_version": FORMAT_VERSION,
        "store": store,
        "pictures": list(pictures),
        "warnings": warnings(summaries),
        "measurement": list(map(str, measurements(summaries))),
        "cells": [
            {
                **cell.spec.flat(),
                "log2_search_space": cell.bits,
                "log2_search_space_of_cheapest_routes": cell.route_bits,
                "runs": cell.plateau.runs,
                "escaped": cell.plateau.observed,
                "mastered": cell.mastery.observed,
                "diverged": cell.diverged,
                "plateau_length": asdict(cell.plateau),
                "mastery_step": asdict(cell.mastery),
                "found_step": asdict(cell.found),
                "prediction_loss": cell.prediction_loss,
                "state_loss": None if cell.state_loss is None else list(cell.state_loss),
                "in_context_gain": cell.in_context_gain,
            }
            for cell in summaries
        ],
        "runs": [
            {
                "digest": run.spec.digest,
                "spec": run.spec.to_json(),
                "status": run.status,
                "environment": dict(run.environment),
                "measures": run.measures.to_json(),
                "log2_search_space_of_targets": run.truth.log2_search_space.tolist(),
            }
            for cell in summaries
            for run in cell.runs
        ],
    }
