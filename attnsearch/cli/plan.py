"""`attnsearch plan`: what a suite would take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from attnsearch.base import plain
from attnsearch.cli.flags import SettingsCommand, given
from attnsearch.cli.options import Assignments, cohorts_of, output_options, suite_of, suite_options
from attnsearch.cli.output import emit_json, say
from attnsearch.spec.names import duration, in_words, joined
from attnsearch.spec.run import FORMAT_VERSION

if TYPE_CHECKING:
    from attnsearch.results.table import Table
    from attnsearch.training.backend import Rate
    from attnsearch.training.forecast import Forecast


@click.command(cls=SettingsCommand)
@suite_options
@output_options
@click.option("--no-measurement", is_flag=True, help="compile nothing and estimate no times")
@click.pass_context
def plan(
    ctx: click.Context,
    suite: str,
    seeds: Sequence[int] | None,
    mixers: str | None,
    mixer_settings: Assignments,
    out: Path,
    as_json: bool,
    quiet: bool,
    no_measurement: bool,
) -> None:
    """Say what `sweep` would do with the same flags, and how long it would take at most.

    A cohort is a group of runs that share one compilation. Each cohort is trained for a few seconds to
    measure its speed. Nothing is stored.
    """
    from attnsearch.cli.console import console
    from attnsearch.cli.live import telling
    from attnsearch.runs.store import Store
    from attnsearch.training.forecast import MEASURED_SECONDS, forecast

    asked, backend = suite_of(suite, seeds, given(ctx), mixers, mixer_settings)
    store = Store(out)
    forecasts = [forecast(cohort, store, backend, 0.0) for cohort in cohorts_of(asked, backend, suite)]
    with telling(quiet) as tell:
        for index, name in enumerate(_common_and_labels(forecasts)[1]):
            row = forecasts[index]
            if row.pending and not no_measurement:
                tell(f"measuring cohort {index + 1} of {len(forecasts)}: {name}")
                forecasts[index] = forecast(row.cohort, store, backend, MEASURED_SECONDS)
    if as_json:
        emit_json(document(forecasts, suite, str(out)))
        return
    console(stderr=False).print(table(forecasts))
    say(summary(forecasts))


def table(forecasts: Sequence[Forecast[Any]]) -> Table:
    """One row a cohort."""
    from attnsearch.results.table import Table

    columns = ("cells", "runs", "already\nstored", "compilations", "steps\nat most", "steps/s")
    columns += ("time\nat most",)
    common, labels = _common_and_labels(forecasts)
    return Table(
        "What `attnsearch sweep` would do" + (f": {common}" if common else ""),
        ("cohort", *columns),
        frozenset(columns),
        tuple(
            (
                name,
                str(row.cells),
                str(len(row.cohort.specs)),
                str(len(row.cohort.specs) - len(row.pending)),
                str(row.compilations),
                f"{row.steps:,}",
                "" if row.rate is None else f"{row.rate.steps_per_second:,.0f}",
                "" if row.seconds is None else duration(row.seconds),
            )
            for row, name in zip(forecasts, labels, strict=True)
        ),
    )


def summary(forecasts: Sequence[Forecast[Any]]) -> str:
    """All cohorts in one line."""
    from attnsearch.results.table import counted

    total = _totals(forecasts)
    cells, runs = counted(total["cells"], "cell"), counted(total["runs"], "run")
    compilations, steps = (
        counted(total["compilations"], "compilation"),
        counted(total["steps_at_most"], "step"),
    )
    seconds = total["seconds_at_most"]
    needed = "" if seconds is None else f", at most {duration(seconds)}"
    return (
        f"Total: {cells}, {runs}, {total['stored']} of them stored; {compilations}, at most {steps}{needed}"
    )


def document(forecasts: Sequence[Forecast[Any]], suite: str, store: str) -> dict[str, Any]:
    """The same as JSON values. Steps and seconds are bounds; null where no time was measured."""
    return {
        "format_version": FORMAT_VERSION,
        "suite": suite,
        "store": store,
        "cohorts": [
            {
                "task": row.task,
                "mixer": row.mixer,
                "static": row.static,
                **_totals([row]),
                **_measured(row.rate),
            }
            for row in forecasts
        ],
        "total": _totals(forecasts),
    }


def _measured(rate: Rate | None) -> dict[str, Any]:
    return {
        "lanes": None if rate is None else rate.lanes,
        "compilation_seconds": None if rate is None else rate.compilation,
        "steps_per_second": None if rate is None else rate.steps_per_second,
        "seconds_per_map": None if rate is None else rate.map,
    }


def _totals(forecasts: Sequence[Forecast[Any]]) -> dict[str, Any]:
    runs = sum(len(row.cohort.specs) for row in forecasts)
    seconds = [row.seconds for row in forecasts]
    return {
        "cells": sum(row.cells for row in forecasts),
        "runs": runs,
        "stored": runs - sum(len(row.pending) for row in forecasts),
        "compilations": sum(row.compilations for row in forecasts),
        "steps_at_most": sum(row.steps for row in forecasts),
        "seconds_at_most": _sum_of_known(seconds),
    }


def _sum_of_known(numbers: Iterable[float | None]) -> float | None:
    """None where one of them is."""
    known = list(numbers)
    return None if None in known else sum(number for number in known if number is not None)


def _common_and_labels(forecasts: Sequence[Forecast[Any]]) -> tuple[str, list[str]]:
    """What all cohorts have in common, and what tells each from the others: task, mixer, knobs, and whatever
    else fixes shapes and differs."""
    parts = []
    for row in forecasts:
        fixed = {name: in_words(name, value) for name, value in row.static.items()}
        parts.append({"task": plain(row.task), "mixer": plain(row.mixer), **fixed})
    names = list(dict.fromkeys(name for part in parts for name in part))
    differing = [name for name in names if len({part[name] for part in parts if name in part}) > 1]

    def labels(shown: Sequence[str]) -> list[str]:
        return [joined(*(part[name] for name in shown if name in part)) for part in parts]

    # The batch size differs wherever contexts do, and says nothing more then.
    short = labels([name for name in differing if name != "batch_size"])
    if len(set(short)) < len(short):
        short = labels(differing)
    knobs = {name for row in forecasts for name, _ in row.cohort.specs[0].cell.task.knobs}
    common = [name for name in names if name in {"task", "mixer", *knobs} and name not in differing]
    return labels(common)[0], short if len(short) > 1 else labels(["task", "mixer"])
