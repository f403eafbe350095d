"""`attnsearch plan`: what a suite would take."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from attnsearch.cli.flags import SettingsCommand, given
from attnsearch.cli.options import Assignments, output_options, suite_of, suite_options


@click.command(cls=SettingsCommand)
@suite_options
@output_options
@click.option("--no-measurement", is_flag=True, help="compile and time nothing, and estimate no times")
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
    """Say what `sweep` would do with the same flags, and about how long it would take at most.

    A cohort is what one compilation trains. Times come from a few seconds of training of each, which is
    thrown away; nothing is stored.
    """
    from attnsearch.cli.console import console
    from attnsearch.runs.store import Store
    from attnsearch.training.jax import forecast as estimate

    _, cohorts = suite_of(suite, seeds, given(ctx), mixers, mixer_settings)
    forecasts = []
    for number, cohort in enumerate(cohorts, start=1):
        if not (quiet or no_measurement):
            label = f"{cohort.specs[0].cell.task.name} {cohort.specs[0].cell.mixer.name}"
            click.echo(f"measuring cohort {number} of {len(cohorts)}: {label}", err=True)
        seconds = 0.0 if no_measurement else estimate.MEASURED_SECONDS
        forecasts.append(estimate.forecast(cohort, Store(out), seconds))
    if as_json:
        click.echo(json.dumps(estimate.document(forecasts, suite, str(out)), allow_nan=False))
        return
    console(stderr=False).print(estimate.table(forecasts))
    click.echo(estimate.summary(forecasts))
