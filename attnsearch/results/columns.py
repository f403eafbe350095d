"""Cells with every number and its interval: as tables to read, as CSV, as JSON values. Never imports jax."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any

from rich.table import Table

from attnsearch.results.alignment import Alignment, align
from attnsearch.results.cells import Cell, constant, found_of, named, titled, varying
from attnsearch.spec.run import Value
from attnsearch.stats.per_target import FoundStep, TargetSpread, target_spread
from attnsearch.stats.survival import Proportion, Waiting

Number = Callable[[Cell], str]


def tables(cells: Sequence[Cell]) -> list[Table]:
    """For a terminal: how long the runs of each cell waited, and what they found."""
    waited = _table("Plateau length in steps, with 95 % intervals", cells, _WAITED)
    found = _table("Steps at which targets are found, with 95 % intervals over runs", cells, _targets(cells))
    read = "What the runs that escaped read at their ends, and by chance"
    return [waited, found, _table(read, cells, found_columns(cells))]


def _table(title: str, cells: Sequence[Cell], columns: Sequence[tuple[str, Number]]) -> Table:
    names = ["task", "mixer", *varying(cells)]
    settings = [named(cell, names[2:]) for cell in cells]
    # What all cells have in common is said once, for the numbers need the room.
    common = [len(set(values)) == 1 for values in zip(*settings, strict=True)]
    said = [value for value, alike in zip(settings[0], common, strict=True) if alike]
    shown = Table(title=titled(title, *said, constant(cells)), title_justify="left")
    for name, alike in zip(names, common, strict=True):
        if not alike:
            shown.add_column(name.replace("_", " "), overflow="fold")
    for name, _ in columns:
        shown.add_column(name, justify="right")
    for cell, values in zip(cells, settings, strict=True):
        differing = [value for value, alike in zip(values, common, strict=True) if not alike]
        shown.add_row(*differing, *(text(cell) for _, text in columns))
    return shown


def rate(proportion: Proportion) -> str:
    """`7 of 8` over its interval."""
    return f"{proportion.count} of {proportion.of}\n{proportion.low:.0%} to {proportion.high:.0%}"


def median(waiting: Waiting) -> str:
    """The median over its interval."""
    if waiting.median is None and waiting.median_low is None:
        return "not reached"
    shown = "not reached" if waiting.median is None else f"{waiting.median:,.0f}"
    low = 0.0 if waiting.median_low is None else waiting.median_low
    high = "not reached" if waiting.median_high is None else f"{waiting.median_high:,.0f}"
    return f"{shown}\n{low:,.0f} to {high}"


def restricted_mean(waiting: Waiting) -> str:
    """The restricted mean and its standard error over its interval."""
    return (
        f"{waiting.restricted_mean:,.0f} ± {waiting.restricted_mean_error:,.0f}\n"
        f"{waiting.restricted_mean_low:,.0f} to {waiting.restricted_mean_high:,.0f}"
    )


_WAITED: tuple[tuple[str, Number], ...] = (
    ("bits", lambda cell: f"{cell.bits:.1f}"),
    ("escaped", lambda cell: rate(cell.plateau.ended)),
    ("mastered", lambda cell: rate(cell.mastery.ended)),
    ("median", lambda cell: median(cell.plateau)),
    ("restricted mean\nto the budget", lambda cell: restricted_mean(cell.plateau)),
    ("spread\n90/10 %", lambda cell: _number(cell.plateau.spread, ".2f")),
    ("target found,\nmedian", lambda cell: _number(cell.found.median, ",.0f")),
    ("mastery,\nmedian", lambda cell: _number(cell.mastery.median, ",.0f")),
)


def _targets(cells: Sequence[Cell]) -> list[tuple[str, Number]]:
    spreads = {cell.spec: _spread(cell) for cell in cells}

    def column(text: Callable[[TargetSpread], str]) -> Number:
        return lambda cell: text(spreads[cell.spec])

    def at(place: int) -> Number:
        return column(lambda spread: _found_step(spread.steps[place]))

    return [
        ("found,\nof all targets", column(lambda spread: f"{spread.found} of {spread.targets}")),
        ("a tenth\nof them", at(0)),
        ("half", at(1)),
        ("nine tenths", at(2)),
        ("last over first\nwithin a run", column(lambda spread: _number(spread.within, ".2f"))),
        ("90/10 %\nbetween runs", column(lambda spread: _number(spread.between, ".2f"))),
    ]


def _spread(cell: Cell) -> TargetSpread:
    return target_spread([found_of(run) for run in cell.runs])


def _found_step(found: FoundStep) -> str:
    if found.step is None and found.low is None:
        return "not reached"
    steps = (found.step, found.low, found.high)
    shown, low, high = ("not reached" if step is None else f"{step:,.0f}" for step in steps)
    return f"{shown}\n{low} to {high}"


def found_columns(cells: Sequence[Cell]) -> list[tuple[str, Number]]:
    """What the runs of each cell found: headings, and the texts under them."""
    alignments = {cell.spec: align(cell.runs) for cell in cells}

    def column(text: Callable[[Alignment], str]) -> Number:
        return lambda cell: text(alignments[cell.spec])

    columns = [
        ("map mass\nby chance", lambda one: f"{_number(one.map_mass, '.2f')}\n{one.chance_map_mass:.2f}"),
        ("map risen,\nof found", lambda one: f"{one.rises} of {one.found}"),
        ("found step /\nrise of map", lambda one: _number(one.lead, ".2f")),
    ]
    if any(one.attention_mass is not None for one in alignments.values()):
        columns += [
            (
                "attention mass,\nbest head\nuntrained",
                lambda one: (
                    f"{_number(one.attention_mass, '.2f')}\n{_number(one.untrained_attention_mass, '.2f')}"
                ),
            ),
            (
                "its entropy\n(nats)\nuntrained",
                lambda one: f"{_number(one.entropy, '.2f')}\n{_number(one.untrained_entropy, '.2f')}",
            ),
        ]
    shown = [(name, column(text)) for name, text in columns]
    if any(cell.in_context_gain is not None for cell in cells):
        shown.append(("in-context\ngain (nats)", lambda cell: _number(cell.in_context_gain, ".2f")))
    return shown


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else f"{value:{form}}"


def records(cells: Sequence[Cell]) -> list[dict[str, Value]]:
    """One flat mapping a cell: its settings by their names, then its numbers; None where there is none."""
    return [
        {
            **cell.spec.flat(),
            "log2_search_space": cell.bits,
            "log2_search_space_of_cheapest_routes": cell.route_bits,
            "runs": len(cell.runs),
            "diverged": cell.diverged,
            **_of_rate("escape_rate", cell.plateau.ended),
            **_of_rate("mastery_rate", cell.mastery.ended),
            **_of_waiting("plateau_length", cell.plateau),
            **_of_waiting("mastery_step", cell.mastery),
            **_of_waiting("found_step", cell.found),
            **_of_targets(_spread(cell)),
            "prediction_loss": cell.prediction_loss,
            "in_context_gain": cell.in_context_gain,
            **{f"state_loss_{state}": loss for state, loss in enumerate(cell.state_loss or (), start=1)},
            **_of_alignment(align(cell.runs)),
        }
        for cell in cells
    ]


def _of_rate(name: str, proportion: Proportion) -> dict[str, Value]:
    return {name: proportion.rate, f"{name}_low": proportion.low, f"{name}_high": proportion.high}


def _of_waiting(name: str, waiting: Waiting) -> dict[str, Value]:
    numbers: dict[str, Any] = {
        "median": waiting.median,
        "median_low": waiting.median_low,
        "median_high": waiting.median_high,
        "restricted_mean": waiting.restricted_mean,
        "restricted_mean_error": waiting.restricted_mean_error,
        "restricted_mean_low": waiting.restricted_mean_low,
        "restricted_mean_high": waiting.restricted_mean_high,
        "horizon": waiting.horizon,
        "spread": waiting.spread,
    }
    return {f"{name}_{number}": value for number, value in numbers.items()}


def _of_targets(spread: TargetSpread) -> dict[str, Value]:
    numbers: dict[str, Value] = {}
    for name, found in zip(("early", "middle", "late"), spread.steps, strict=True):
        limits = {f"found_{name}_low": found.low, f"found_{name}_high": found.high}
        numbers |= {f"found_{name}": found.step, **limits}
    return {
        **numbers,
        "found_spread_within_runs": spread.within,
        "found_spread_between_runs": spread.between,
    }


def _of_alignment(alignment: Alignment) -> dict[str, Value]:
    names = ("map_mass", "chance_map_mass", "attention_mass", "untrained_attention_mass", "entropy")
    names += ("untrained_entropy", "rises", "lead")
    return {name: getattr(alignment, name) for name in names}


def as_csv(cells: Sequence[Cell]) -> str:
    """`records` with a header; columns of all cells, empty where a cell has none."""
    listed = records(cells)
    columns = list(dict.fromkeys(name for record in listed for name in record))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(listed)
    return buffer.getvalue()
