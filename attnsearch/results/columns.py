"""Every number of a cell, declared once: what it is called, its value, and how tables show it.

All tables, CSV and JSON are made from the columns here. A new statistic is its function and one `Column`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from attnsearch.results.cells import Cell
from attnsearch.results.study import Study
from attnsearch.results.table import interval, number, rate, steps
from attnsearch.spec.run import Value
from attnsearch.stats.per_target import FoundStep
from attnsearch.stats.survival import Waiting


@dataclass(frozen=True)
class Column:
    """One number of a cell.

    key:      its name in CSV and JSON
    heading:  its name in tables; "" for one that no table shows, or that is a note of another's text
    value:    None where there is none
    text:     as tables show it; what follows a line break is a smaller note
    shown:    tables leave the column out where this is so of no cell
    """

    key: str
    heading: str
    value: Callable[[Cell], Value]
    text: Callable[[Cell], str] = lambda cell: ""
    shown: Callable[[Cell], bool] = lambda cell: True


def median(waiting: Waiting) -> str:
    """The median over its interval."""
    if waiting.median is None and waiting.median_low is None:
        return steps(None)
    low = 0.0 if waiting.median_low is None else waiting.median_low
    return f"{steps(waiting.median)}\n{interval(low, waiting.median_high)}"


def restricted_mean(waiting: Waiting) -> str:
    """The restricted mean and its standard error over its interval."""
    return (
        f"{waiting.restricted_mean:,.0f} ± {waiting.restricted_mean_error:,.0f}\n"
        f"{waiting.restricted_mean_low:,.0f} to {waiting.restricted_mean_high:,.0f}"
    )


def _runs(cell: Cell) -> str:
    return str(len(cell.runs)) + (f"\n{cell.diverged} diverged" if cell.diverged else "")


def _found_at(found: FoundStep) -> str:
    if found.step is None and found.low is None:
        return steps(None)
    return f"{steps(found.step)}\n{interval(found.low, found.high)}"


def _numbers(prefix: str, of: Callable[[Cell], Any], *fields: str) -> Iterator[Column]:
    """The `fields` of what `of` gives, in CSV and JSON alone."""

    def field(name: str) -> Column:
        return Column(f"{prefix}_{name}", "", lambda cell: getattr(of(cell), name))

    return map(field, fields)


def _found(place: int, key: str, heading: str) -> Iterator[Column]:
    """The step by which a share of all targets is found, with its limits."""

    def of(cell: Cell) -> FoundStep:
        return cell.targets.steps[place]

    yield Column(key, heading, lambda cell: of(cell).step, lambda cell: _found_at(of(cell)))
    yield from _numbers(key, of, "low", "high")


_MEDIAN = ("median_low", "median_high")
_MEAN = ("restricted_mean_error", "restricted_mean_low", "restricted_mean_high")
_RANGE = ("shortest", "longest", "horizon")

COLUMNS: tuple[Column, ...] = (
    Column("log2_search_space", "search space\n(bits)", lambda c: c.bits, lambda c: f"{c.bits:.1f}"),
    Column(
        "log2_search_space_of_cheapest_routes",
        "cheapest route\n(bits)",
        lambda c: c.route_bits,
        lambda c: f"{c.route_bits:.1f}",
        lambda c: c.routed,
    ),
    Column("runs", "runs", lambda c: len(c.runs), _runs),
    Column("diverged", "diverged", lambda c: c.diverged, lambda c: str(c.diverged), lambda c: c.diverged > 0),
    # Escape and mastery of runs.
    Column("escaped", "", lambda c: c.plateau.observed),
    Column("escape_rate", "escaped", lambda c: c.plateau.ended.rate, lambda c: rate(c.plateau.ended)),
    *_numbers("escape_rate", lambda c: c.plateau.ended, "low", "high"),
    Column("mastered", "", lambda c: c.mastery.observed),
    Column("mastery_rate", "mastered", lambda c: c.mastery.ended.rate, lambda c: rate(c.mastery.ended)),
    *_numbers("mastery_rate", lambda c: c.mastery.ended, "low", "high"),
    Column(
        "plateau_length_median",
        "plateau length,\nmedian",
        lambda c: c.plateau.median,
        lambda c: median(c.plateau),
    ),
    *_numbers("plateau_length", lambda c: c.plateau, *_MEDIAN),
    Column(
        "plateau_length_restricted_mean",
        "restricted mean\nto the budget",
        lambda c: c.plateau.restricted_mean,
        lambda c: restricted_mean(c.plateau),
    ),
    *_numbers("plateau_length", lambda c: c.plateau, *_MEAN, *_RANGE),
    Column(
        "plateau_length_spread",
        "spread,\n90 / 10 %",
        lambda c: c.plateau.spread,
        lambda c: number(c.plateau.spread, ".2f"),
    ),
    Column(
        "mastery_step_median", "mastery,\nmedian", lambda c: c.mastery.median, lambda c: median(c.mastery)
    ),
    *_numbers("mastery_step", lambda c: c.mastery, *_MEDIAN, "restricted_mean", *_MEAN, *_RANGE, "spread"),
    # Targets, over all runs.
    Column("targets", "", lambda c: c.targets.targets),
    Column(
        "targets_found",
        "found,\nof all targets",
        lambda c: c.targets.found,
        lambda c: f"{c.targets.found} of {c.targets.targets}",
    ),
    Column(
        "found_step_median",
        "target found,\nmedian",
        lambda c: c.found.median,
        lambda c: steps(c.found.median),
    ),
    *_numbers("found_step", lambda c: c.found, *_MEDIAN, "restricted_mean", *_MEAN, *_RANGE, "spread"),
    *_found(0, "found_early", "a tenth\nof them"),
    *_found(1, "found_middle", "half"),
    *_found(2, "found_late", "nine tenths"),
    Column(
        "found_spread_within_runs",
        "last over first\nwithin a run",
        lambda c: c.targets.within,
        lambda c: number(c.targets.within, ".2f"),
    ),
    Column(
        "found_spread_between_runs",
        "90 / 10 %\nbetween runs",
        lambda c: c.targets.between,
        lambda c: number(c.targets.between, ".2f"),
    ),
    # What the runs that escaped read, beside the level before anything was learned.
    Column(
        "map_mass",
        "map mass\nby chance",
        lambda c: c.alignment.map_mass,
        lambda c: f"{number(c.alignment.map_mass, '.2f')}\n{c.alignment.chance_map_mass:.2f}",
    ),
    Column("chance_map_mass", "", lambda c: c.alignment.chance_map_mass),
    Column(
        "rises",
        "map risen,\nof found",
        lambda c: c.alignment.rises,
        lambda c: f"{c.alignment.rises} of {c.alignment.found}",
    ),
    Column(
        "lead",
        "found step /\nrise of map",
        lambda c: c.alignment.lead,
        lambda c: number(c.alignment.lead, ".2f"),
    ),
    Column(
        "attention_mass",
        "attention mass,\nbest head\nuntrained",
        lambda c: c.alignment.attention_mass,
        lambda c: (
            f"{number(c.alignment.attention_mass, '.2f')}"
            f"\n{number(c.alignment.untrained_attention_mass, '.2f')}"
        ),
        lambda c: c.alignment.attention_mass is not None,
    ),
    Column("untrained_attention_mass", "", lambda c: c.alignment.untrained_attention_mass),
    Column(
        "entropy",
        "its entropy\n(nats)\nuntrained",
        lambda c: c.alignment.entropy,
        lambda c: f"{number(c.alignment.entropy, '.2f')}\n{number(c.alignment.untrained_entropy, '.2f')}",
        lambda c: c.alignment.entropy is not None,
    ),
    Column("untrained_entropy", "", lambda c: c.alignment.untrained_entropy),
    Column(
        "prediction_loss",
        "prediction\nloss (nats)",
        lambda c: c.prediction_loss,
        lambda c: number(c.prediction_loss, ".3f"),
        lambda c: c.prediction_loss is not None,
    ),
    Column(
        "in_context_gain",
        "in-context\ngain (nats)",
        lambda c: c.in_context_gain,
        lambda c: number(c.in_context_gain, ".3f"),
        lambda c: c.in_context_gain is not None,
    ),
)
"""In the order of CSV and JSON. The losses of single states follow, see `columns`."""


def columns(study: Study, *more: Column) -> tuple[Column, ...]:
    """All columns of a study: `COLUMNS`, one for each state whose loss is known, and `more` of your own."""
    states = max((len(cell.state_loss or ()) for cell in study.cells), default=0)
    return (*COLUMNS, *map(_state_loss, range(states)), *more)


def _state_loss(state: int) -> Column:
    def value(cell: Cell) -> float | None:
        losses = cell.state_loss or ()
        return losses[state] if state < len(losses) else None

    return Column(f"state_loss_{state + 1}", "", value)


def records(study: Study, *more: Column) -> list[dict[str, Value]]:
    """One flat mapping a cell: its settings by their names, then every column; None where there is none.

    A setting that is called like a column is found as `setting.NAME`.
    """
    declared = columns(study, *more)
    taken = {column.key for column in declared}
    return [
        {
            **{
                f"setting.{name}" if name in taken else name: value
                for name, value in study.names.facts(cell.spec).items()
            },
            **{column.key: column.value(cell) for column in declared},
        }
        for cell in study.cells
    ]
