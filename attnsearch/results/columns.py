"""Every number of a cell, declared once: what it is called, what it means, its value, and how tables show it.

All tables, CSV and JSON are made from the columns here. A new statistic is its function and one `Column`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from attnsearch.results.cells import Cell
from attnsearch.results.column import Column
from attnsearch.results.counting_columns import COUNTING
from attnsearch.results.route_columns import ROUTES_OF_CELL
from attnsearch.results.table import NONE, interval, number, rate, steps
from attnsearch.spec.run import Value
from attnsearch.stats.per_target import FoundStep
from attnsearch.stats.survival import Waiting


def median(waiting: Waiting) -> str:
    """The median over its interval."""
    if waiting.median is None and waiting.median_low is None:
        return steps(None)
    return f"{steps(waiting.median)}\n{interval(waiting.median_low or 0.0, waiting.median_high)}"


def restricted_mean(waiting: Waiting) -> str:
    """The restricted mean and its standard error over its interval; without these where no run escaped, since
    all waited equally long then and nothing is known of how much they differ."""
    if not waiting.observed:
        return f"{waiting.horizon:,}\nnone escaped"
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


_FIELDS = {
    "low": "lower end of its 95 % interval",
    "high": "upper end of its 95 % interval",
    "median_low": "lower end of the 95 % interval of its median; 0 below six runs",
    "median_high": "upper end of the 95 % interval of its median; empty where not reached",
    "restricted_mean": "mean up to the horizon, below the Kaplan-Meier curve; empty where every run diverged",
    "restricted_mean_error": "standard error of its restricted mean (Greenwood); empty where none ended",
    "restricted_mean_low": "lower end of the 95 % interval of its restricted mean; empty where none ended",
    "restricted_mean_high": "upper end of the 95 % interval of its restricted mean; empty where none ended",
    "shortest": "the shortest one that ended; empty where none did",
    "longest": "the longest one that ended; empty where none did",
    "horizon": "last step that is looked at, the budget",
    "spread": "90 % over 10 % quantile of the Kaplan-Meier curve; empty where one is not reached",
}
"""What the numbers beside another say of it, by the ends of their keys."""


def _numbers(
    prefix: str, subject: str, unit: str, of: Callable[[Cell], Any], *fields: str
) -> Iterator[Column[Cell]]:
    """The `fields` of what `of` gives, in CSV and JSON alone; `subject` in words."""

    def field(name: str) -> Column[Cell]:
        def value(cell: Cell) -> Value:
            # Where no run got there, the mean is the budget, and how far off it may be is not known.
            unknown = name in _MEAN and not of(cell).observed
            unknown = unknown or (name.startswith("restricted_mean") and cell.lost)
            return None if unknown else getattr(of(cell), name)

        return Column(
            f"{prefix}_{name}",
            "",
            value,
            unit="ratio" if name == "spread" else unit,
            definition=f"{subject}: {_FIELDS[name]}.",
        )

    return map(field, fields)


def _found(place: int, key: str, heading: str, share: str) -> Iterator[Column[Cell]]:
    """The step by which a share of all targets is found, with its limits."""

    def of(cell: Cell) -> FoundStep:
        return cell.targets.steps[place]

    yield Column(
        key,
        heading,
        lambda cell: of(cell).step,
        lambda cell: _found_at(of(cell)),
        unit="steps",
        definition=f"Step by which {share} of all targets of all runs are found; empty where not reached.",
    )
    yield from _numbers(key, f"Step by which {share} of all targets are found", "steps", of, "low", "high")


_MEDIAN = ("median_low", "median_high")
_MEAN = ("restricted_mean_error", "restricted_mean_low", "restricted_mean_high")
_RANGE = ("shortest", "longest", "horizon")

COLUMNS: tuple[Column[Cell], ...] = (
    Column(
        "log2_search_space",
        "search space\n(bits)",
        lambda c: c.bits,
        lambda c: f"{c.bits:.1f}",
        unit="bits",
        definition="log2 of the number of supports that a target could have had, as the task states it.",
    ),
    Column(
        "log2_search_space_of_cheapest_routes",
        "cheapest route\n(bits)",
        lambda c: c.route_bits,
        lambda c: f"{c.route_bits:.1f}",
        lambda c: c.routed,
        unit="bits",
        definition="The same of each target's cheapest route; mean over targets and runs.",
    ),
    Column("runs", "runs", lambda c: len(c.runs), _runs, unit="runs", definition="Runs of the cell."),
    Column(
        "diverged",
        "diverged",
        lambda c: c.diverged,
        lambda c: str(c.diverged),
        lambda c: c.diverged > 0,
        unit="runs",
        definition="Runs whose loss became not finite. One that had not escaped waits to its budget's end.",
    ),
    *COUNTING,
    # Escape and mastery of runs.
    Column(
        "escaped",
        "",
        lambda c: c.plateau.observed,
        unit="runs",
        definition="Runs whose mean target loss fell below the escape threshold.",
    ),
    Column(
        "escape_rate",
        "escaped",
        lambda c: c.plateau.ended.rate,
        lambda c: rate(c.plateau.ended),
        unit="share",
        definition="Share of the runs that escaped.",
    ),
    *_numbers("escape_rate", "Escape rate", "share", lambda c: c.plateau.ended, "low", "high"),
    Column(
        "mastered",
        "",
        lambda c: c.mastery.observed,
        unit="runs",
        definition="Runs in which every target's loss fell below the mastery threshold, less its Bayes loss.",
    ),
    Column(
        "mastery_rate",
        "mastered",
        lambda c: c.mastery.ended.rate,
        lambda c: rate(c.mastery.ended),
        unit="share",
        definition="Share of the runs that mastered every target.",
    ),
    *_numbers("mastery_rate", "Mastery rate", "share", lambda c: c.mastery.ended, "low", "high"),
    Column(
        "plateau_length_median",
        "plateau length,\nmedian",
        lambda c: c.plateau.median,
        lambda c: median(c.plateau),
        unit="steps",
        definition="Kaplan-Meier median of the steps until escape; empty where not reached.",
    ),
    *_numbers("plateau_length", "Plateau length", "steps", lambda c: c.plateau, *_MEDIAN),
    Column(
        "plateau_length_restricted_mean",
        "restricted mean\nto the budget",
        lambda c: None if c.lost else c.plateau.restricted_mean,
        lambda c: NONE if c.lost else restricted_mean(c.plateau),
        unit="steps",
        definition=f"Plateau length: {_FIELDS['restricted_mean']}.",
    ),
    *_numbers("plateau_length", "Plateau length", "steps", lambda c: c.plateau, *_MEAN, *_RANGE),
    Column(
        "plateau_length_spread",
        "spread,\n90 / 10 %",
        lambda c: c.plateau.spread,
        lambda c: number(c.plateau.spread, ".2f"),
        unit="ratio",
        definition=f"Plateau length: {_FIELDS['spread']}.",
    ),
    Column(
        "mastery_step_median",
        "mastery,\nmedian",
        lambda c: c.mastery.median,
        lambda c: median(c.mastery),
        unit="steps",
        definition="Kaplan-Meier median of the steps until mastery; empty where not reached.",
    ),
    *_numbers(
        *("mastery_step", "Step of mastery", "steps"),
        lambda c: c.mastery,
        *(*_MEDIAN, "restricted_mean", *_MEAN, *_RANGE, "spread"),
    ),
    # Targets, over all runs.
    Column("targets", "", lambda c: c.targets.targets, unit="targets", definition="Targets of all runs."),
    Column(
        "targets_found",
        "found,\nof all targets",
        lambda c: c.targets.found,
        lambda c: f"{c.targets.found} of {c.targets.targets}",
        unit="targets",
        definition="Targets whose own loss fell below the found threshold, of all runs.",
    ),
    Column(
        "found_step_median",
        "target found,\nmedian",
        lambda c: c.found.median,
        lambda c: steps(c.found.median),
        unit="steps",
        definition="Kaplan-Meier median of the steps until a target is found, over the targets of all runs.",
    ),
    *_numbers(
        *("found_step", "Step at which a target is found", "steps"),
        lambda c: c.found,
        *(*_MEDIAN, "restricted_mean", *_MEAN, *_RANGE, "spread"),
    ),
    *_found(0, "found_early", "a tenth\nof them", "10 %"),
    *_found(1, "found_middle", "half", "50 %"),
    *_found(2, "found_late", "nine tenths", "90 %"),
    Column(
        "found_spread_within_runs",
        "last over first\nwithin a run",
        lambda c: c.targets.within,
        lambda c: number(c.targets.within, ".2f"),
        unit="ratio",
        definition="Found step of a run's last target over its first; Kaplan-Meier median over runs.",
    ),
    Column(
        "found_spread_between_runs",
        "90 / 10 %\nbetween runs",
        lambda c: c.targets.between,
        lambda c: number(c.targets.between, ".2f"),
        unit="ratio",
        definition="90 % over 10 % quantile, over runs, of the step by which half of a run's targets are"
        " found.",
    ),
    # What the runs that escaped read, beside the level before anything was learned.
    Column(
        "map_mass",
        "map mass\n(by chance)",
        lambda c: c.alignment.map_mass,
        lambda c: f"{number(c.alignment.map_mass, '.2f')}\n{c.alignment.chance_map_mass:.2f}",
        unit="share",
        definition="Share of the influence on a target that comes from its support, at the end of a run;"
        " mean over targets of the runs that escaped.",
    ),
    Column(
        "chance_map_mass",
        "",
        lambda c: c.alignment.chance_map_mass,
        unit="share",
        definition="The same if every visible replaceable token had equal influence; over all runs.",
    ),
    Column(
        "rises",
        "map risen,\nof found",
        lambda c: c.alignment.rises,
        lambda c: f"{c.alignment.rises} of {c.alignment.found}",
        unit="targets",
        definition="Targets found whose map mass rose halfway from chance to 1, in runs that escaped.",
    ),
    Column(
        "lead",
        "found step /\nrise of map",
        lambda c: c.alignment.lead,
        lambda c: number(c.alignment.lead, ".2f"),
        unit="ratio",
        definition="Step at which a target was found over the step at which its map had risen; median over"
        " these targets.",
    ),
    Column(
        "attention_mass",
        "attention mass,\nbest head\n(untrained)",
        lambda c: c.alignment.attention_mass,
        lambda c: (
            f"{number(c.alignment.attention_mass, '.2f')}"
            f"\n{number(c.alignment.untrained_attention_mass, '.2f')}"
        ),
        lambda c: c.alignment.attention_mass is not None,
        unit="share",
        definition="Share of the best head's softmax weight on the support, at the end; mean over targets"
        " of the runs that escaped. Only of mixers with such weights.",
    ),
    Column(
        "untrained_attention_mass",
        "",
        lambda c: c.alignment.untrained_attention_mass,
        unit="share",
        definition="The same before the first step, of the head that was best then.",
    ),
    Column(
        "entropy",
        "its entropy, nats\n(untrained)",
        lambda c: c.alignment.entropy,
        lambda c: f"{number(c.alignment.entropy, '.2f')}\n{number(c.alignment.untrained_entropy, '.2f')}",
        lambda c: c.alignment.entropy is not None,
        unit="nats",
        definition="Entropy over positions of the weight of the heads that are best at the end; mean.",
    ),
    Column(
        "untrained_entropy",
        "",
        lambda c: c.alignment.untrained_entropy,
        unit="nats",
        definition="The same of these heads before the first step.",
    ),
    Column(
        "prediction_loss",
        "prediction\nloss (nats)",
        lambda c: c.prediction_loss,
        lambda c: number(c.prediction_loss, ".3f"),
        lambda c: c.prediction_loss is not None,
        unit="nats",
        definition="Last recorded loss of all predictions, the unpredictable included; mean over runs that"
        " did not diverge. Empty where every prediction is a target.",
    ),
    Column(
        "in_context_gain",
        "in-context\ngain (nats)",
        lambda c: c.in_context_gain,
        lambda c: number(c.in_context_gain, ".3f"),
        lambda c: c.in_context_gain is not None,
        unit="nats",
        definition="How far the last loss falls from the first predicted state to the last; mean over runs"
        " that escaped. Empty where there is one state.",
    ),
    *ROUTES_OF_CELL,
)
"""In the order of CSV and JSON. The losses of single states follow, see `columns`."""


def columns(cells: Sequence[Cell], *more: Column[Cell]) -> tuple[Column[Cell], ...]:
    """All columns of some cells: `COLUMNS`, one a state whose loss is known, and `more` of your own."""
    states = max((len(cell.state_loss or ()) for cell in cells), default=0)
    return (*COLUMNS, *map(_state_loss, range(states)), *more)


def _state_loss(state: int) -> Column[Cell]:
    def value(cell: Cell) -> float | None:
        return dict(enumerate(cell.state_loss or ())).get(state)

    return Column(
        f"state_loss_{state + 1}",
        "",
        value,
        unit="nats",
        definition=f"Last recorded loss of predicted state {state + 1}; mean over the runs that escaped.",
    )
