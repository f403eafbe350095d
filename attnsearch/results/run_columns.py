"""Every number of a run, of a target and of a recorded point, declared once, as `columns` does for cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from attnsearch.base import Floats, Plateaus, Truth
from attnsearch.results.alignment import contradicts_itself
from attnsearch.results.cells import found_of, mastery_of, plateau_of
from attnsearch.results.column import Column
from attnsearch.results.route_columns import ROUTES_OF_RUN
from attnsearch.results.table import NONE, number, steps
from attnsearch.runs.leaks import later_influence
from attnsearch.runs.measures import chance_map_mass, prediction_loss
from attnsearch.runs.standing import Standing
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import Value

DIGITS = 16
"""Of a digest, which name a run."""


@dataclass(frozen=True, eq=False)
class RunRow:
    """A run with what its columns read, each array fetched once.

    settings:     of its cell, by their names
    standing:     of its mixer; None where nobody has looked
    target_loss:  `f32[R]` nats: last recorded; nan where nothing was
    map_mass:     `f32[K]` at the last recorded map; nan where nothing had any influence
    """

    run: StoredRun
    settings: Mapping[str, Value]
    standing: Standing | None
    truth: Truth
    steps_trained: int
    target_loss: Floats
    prediction_loss: float | None
    map_mass: Floats
    chance_map_mass: Floats
    plateau: Plateaus
    mastery: Plateaus
    found: Plateaus

    @classmethod
    def of(cls, run: StoredRun, settings: Mapping[str, Value], standing: Standing | None) -> RunRow:
        """What the columns of `run` read."""
        truth, curves, maps = run.truth, run.curves, run.map_mass
        recorded, predicted = len(curves.step), not truth.is_target.all()
        rows = len(truth.mapped)
        return cls(
            run,
            settings,
            standing,
            truth,
            int(curves.step[-1]) if recorded else 0,
            curves.loss[-1, truth.is_target] if recorded else np.full(truth.is_target.sum(), np.nan),
            float(prediction_loss(curves)[-1]) if recorded and predicted else None,
            maps.mass[-1] if len(maps.step) else np.full(rows, np.nan),
            chance_map_mass(truth),
            plateau_of(run),
            mastery_of(run),
            found_of(run),
        )

    @property
    def name(self) -> str:
        """The first digits of the run's digest."""
        return self.run.digest[:DIGITS]


class TargetRow(NamedTuple):
    """A target of a run: its number from 0, and its place among the mapped targets, None where it is not."""

    of: RunRow
    target: int
    mapped: int | None


def targets(row: RunRow) -> Iterator[TargetRow]:
    """The targets of a run, in their order."""
    places = {int(target): place for place, target in enumerate(row.truth.mapped)}
    return (TargetRow(row, n, places.get(n)) for n in range(len(row.truth.log2_search_space)))


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _mean(values: Floats) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def _waited(waited: Plateaus, place: int = 0) -> str:
    return ("" if waited.observed[place] else "> ") + steps(waited.length[place])


RUN_NAME = "First digits of the run's digest; commands take them in the place of RUNS."
_WATCHED = "where it did not, the steps that it was watched, which for a run that diverged is its budget"

RUN: tuple[Column[RunRow], ...] = (
    Column("run", "run", lambda r: r.name, lambda r: r.name, definition=RUN_NAME),
    Column("digest", "", lambda r: r.run.digest, definition="SHA-256 of the run's specification."),
    Column(
        "seed",
        "seed",
        lambda r: r.run.spec.seed,
        lambda r: str(r.run.spec.seed),
        definition="Seed of initialisation and of the order of data.",
    ),
    Column(
        "rule_seed",
        "rule seed",
        lambda r: r.run.spec.rule_seed,
        lambda r: str(r.run.spec.rule_seed),
        lambda r: r.run.spec.rule_seed != r.run.spec.seed,
        definition="Seed of the hidden rule.",
    ),
)
"""Which run a row is of. The settings follow, then `OF_RUN`."""


def _of_the_run(column: Column[StoredRun]) -> Column[RunRow]:
    return Column(
        column.key,
        column.heading,
        lambda row: column.value(row.run),
        lambda row: column.text(row.run),
        lambda row: column.shown(row.run),
        column.unit,
        column.definition,
    )


OF_RUN: tuple[Column[RunRow], ...] = (
    Column(
        "status",
        "status",
        lambda r: r.run.status,
        lambda r: r.run.status + ("\nleaking" if r.run.leaking else ""),
        definition="How the run ended: mastered, exhausted (its budget was used up), or diverged.",
    ),
    Column(
        "leaking",
        "",
        lambda r: r.run.leaking,
        definition="Whether tokens behind a query moved its answer. Such a run and its cell do not count.",
    ),
    Column(
        "later_influence",
        "",
        lambda r: later_influence(r.run.map_mass),
        unit="distance",
        definition="Largest total variation distance by which tokens behind a query moved its answer, over"
        " all recorded maps; empty where it was not measured.",
    ),
    Column(
        "verification",
        "",
        lambda r: None if r.standing is None else r.standing.state,
        definition="Whether the numbers of the mixer may count: verified, failed or not checked. Empty where"
        " nobody looked.",
    ),
    Column(
        "contradicts_itself",
        "",
        lambda r: contradicts_itself(r.run),
        definition="Whether it mastered the task with a map mass at or below its chance level.",
    ),
    Column(
        "steps_trained", "", lambda r: r.steps_trained, unit="steps", definition="Steps that were recorded."
    ),
    Column(
        "log2_search_space",
        "",
        lambda r: float(r.truth.nominal_log2_search_space),
        unit="bits",
        definition="log2 of the number of supports that a target could have had, as the task states it.",
    ),
    Column(
        "log2_search_space_of_cheapest_routes",
        "",
        lambda r: float(r.truth.log2_search_space.mean()),
        unit="bits",
        definition="The same of each target's cheapest route; mean over targets.",
    ),
    Column(
        "chance_loss",
        "",
        lambda r: float(r.truth.chance_loss),
        unit="nats",
        definition="Loss of the best guess that has not found the support.",
    ),
    Column(
        "escaped",
        "",
        lambda r: bool(r.plateau.observed[0]),
        definition="Whether the mean target loss fell below the escape threshold.",
    ),
    Column(
        "plateau_length",
        "plateau length",
        lambda r: int(r.plateau.length[0]),
        lambda r: _waited(r.plateau),
        unit="steps",
        definition=f"Steps until the run escaped; {_WATCHED}.",
    ),
    Column(
        "mastered",
        "",
        lambda r: bool(r.mastery.observed[0]),
        definition="Whether every target's loss, less the Bayes loss, fell below the mastery threshold.",
    ),
    Column(
        "mastery_step",
        "mastery",
        lambda r: int(r.mastery.length[0]),
        lambda r: _waited(r.mastery),
        unit="steps",
        definition=f"Steps until the run mastered every target; {_WATCHED}.",
    ),
    Column("targets", "", lambda r: len(r.found.observed), unit="targets", definition="Targets of the run."),
    Column(
        "targets_found",
        "targets found",
        lambda r: int(r.found.observed.sum()),
        lambda r: f"{r.found.observed.sum()} of {len(r.found.observed)}",
        unit="targets",
        definition="Targets whose own loss fell below the found threshold.",
    ),
    Column(
        "target_loss",
        "",
        lambda r: _finite(float(r.target_loss.mean())),
        unit="nats",
        definition="Last recorded loss, mean over targets; empty where it is not finite.",
    ),
    Column(
        "prediction_loss",
        "",
        lambda r: None if r.prediction_loss is None else _finite(r.prediction_loss),
        unit="nats",
        definition="Last recorded loss of all predictions, the unpredictable included. Empty where every"
        " prediction is a target.",
    ),
    Column(
        "in_context_gain",
        "",
        lambda r: r.run.measures.in_context_gain,
        unit="nats",
        definition="How far the last loss falls from the first predicted state to the last. Empty where there"
        " is one state.",
    ),
    Column(
        "map_mass",
        "map mass",
        lambda r: _mean(r.map_mass),
        lambda r: number(_mean(r.map_mass), ".2f"),
        unit="share",
        definition="Share of the influence on a target that comes from its support, at the last recorded map;"
        " mean over targets.",
    ),
    Column(
        "chance_map_mass",
        "by chance",
        lambda r: _mean(r.chance_map_mass),
        lambda r: number(_mean(r.chance_map_mass), ".2f"),
        unit="share",
        definition="The same if every visible replaceable token had equal influence.",
    ),
    Column(
        "device",
        "",
        lambda r: str(found) if (found := r.run.environment.get("device")) is not None else None,
        definition="What the run was trained on.",
    ),
    *map(_of_the_run, ROUTES_OF_RUN),
)
"""What a run has come to."""


def _of_its_run(column: Column[RunRow]) -> Column[TargetRow]:
    return Column(
        column.key,
        column.heading,
        lambda t: column.value(t.of),
        lambda t: column.text(t.of),
        definition=column.definition,
    )


TARGET: tuple[Column[TargetRow], ...] = (
    *(_of_its_run(column) for column in RUN if column.key in ("run", "seed")),
    Column("target", "target", lambda t: t.target, lambda t: str(t.target), definition="Its number, from 0."),
)
"""Which target a row is of. The settings follow, then `OF_TARGET`."""

OF_TARGET: tuple[Column[TargetRow], ...] = (
    Column(
        "position",
        "",
        lambda t: int(t.of.truth.query_positions[t.of.truth.is_target][t.target]),
        definition="Position of the sequence whose output answers the target, from 0.",
    ),
    Column(
        "state",
        "",
        lambda t: int(t.of.truth.state[t.target]),
        definition="The state that the target is a cell of; the state that is given is 0.",
    ),
    Column(
        "log2_search_space",
        "search space (bits)",
        lambda t: float(t.of.truth.log2_search_space[t.target]),
        lambda t: f"{t.of.truth.log2_search_space[t.target]:.1f}",
        unit="bits",
        definition="log2 of the number of supports that the target's cheapest route could have had.",
    ),
    Column(
        "bayes_loss",
        "",
        lambda t: float(t.of.truth.bayes_loss[t.target]),
        unit="nats",
        definition="Least mean loss that any predictor has on the target.",
    ),
    Column(
        "found",
        "",
        lambda t: bool(t.of.found.observed[t.target]),
        definition="Whether the target's loss fell below the found threshold.",
    ),
    Column(
        "found_step",
        "found",
        lambda t: int(t.of.found.length[t.target]),
        lambda t: _waited(t.of.found, t.target),
        unit="steps",
        definition=f"Steps until the target was found; {_WATCHED}.",
    ),
    Column(
        "loss",
        "loss (nats)",
        lambda t: _finite(t.of.target_loss[t.target]),
        lambda t: number(_finite(t.of.target_loss[t.target]), ".3f"),
        unit="nats",
        definition="Last recorded loss; empty where it is not finite.",
    ),
    Column(
        "map_mass",
        "map mass",
        lambda t: None if t.mapped is None else _finite(t.of.map_mass[t.mapped]),
        lambda t: NONE if t.mapped is None else number(_finite(t.of.map_mass[t.mapped]), ".2f"),
        unit="share",
        definition="Share of the influence on the target that comes from its support, at the last recorded"
        " map; empty for a target whose map is not kept.",
    ),
    Column(
        "chance_map_mass",
        "by chance",
        lambda t: None if t.mapped is None else _finite(t.of.chance_map_mass[t.mapped]),
        lambda t: NONE if t.mapped is None else number(_finite(t.of.chance_map_mass[t.mapped]), ".2f"),
        unit="share",
        definition="The same if every visible replaceable token had equal influence.",
    ),
)
"""What has become of a target."""
