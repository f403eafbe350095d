"""`attnsearch baseline`: what the runs of a suite do now, kept in a file for `attnsearch check`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from attnsearch.cli.flags import SettingsCommand, given
from attnsearch.cli.options import (
    OUT,
    Assignments,
    cluster_options,
    cohorts_of,
    engine_options,
    json_option,
    output_option,
    stored_in_place,
    suite_of,
    suite_options,
    trainer_of,
)
from attnsearch.cli.output import emit_json, say

if TYPE_CHECKING:
    from attnsearch.training.ray.settings import ClusterSettings


@click.command(cls=SettingsCommand)
@suite_options
@output_option("the file to write", required=True)
@engine_options
@cluster_options
@click.option("--out", type=OUT, default=Path("results"), help="where runs are stored  [default: results]")
@json_option
@click.option("--quiet", is_flag=True, help="show no progress, only warnings and errors")
@click.pass_context
def baseline(
    ctx: click.Context,
    suite: str,
    seeds: Sequence[int] | None,
    mixers: str | None,
    mixer_settings: Assignments,
    output: Path,
    lanes: int | None,
    checkpoint_every: float,
    cluster: ClusterSettings | None,
    out: Path,
    as_json: bool,
    quiet: bool,
) -> None:
    """Record the runs of a suite as a baseline for `check`.

    In place of SUITE, a folder of stored runs is taken as it is, and nothing is trained. So it is done for
    runs that a loop of one's own has trained.

    Runs that are already stored are not trained again: give an empty --out if the code has changed since. A
    baseline is recorded once and checked often. A check tells more against a baseline with four times as many
    seeds as its own.
    """
    from attnsearch.cli.progress import progress_for
    from attnsearch.gate import baseline_file
    from attnsearch.gate.baseline import Baseline
    from attnsearch.gate.verdict import outlook
    from attnsearch.runs.store import Store
    from attnsearch.spec.grid import DEFAULT_SEEDS
    from attnsearch.training.backend import TrainingSettings
    from attnsearch.training.runner import run

    if (runs := stored_in_place(ctx, suite)) is None:
        asked, backend = suite_of(suite, seeds, given(ctx), mixers, mixer_settings)
        cohorts_of(asked, backend, suite)
        store, name = Store.open(out), asked.name
        with progress_for(quiet, store) as observer:
            training = TrainingSettings(lanes, checkpoint_every)
            runs = run(asked.runs(), store, trainer_of(backend, cluster), observer, training)
    else:
        name = suite
    recorded = Baseline.of(name, runs)
    baseline_file.write(recorded, output)
    cells, size, lines = len(recorded.cells), output.stat().st_size, outlook(recorded, DEFAULT_SEEDS)
    if as_json:
        counts = {"runs": len(runs), "cells": cells, "bytes": size}
        emit_json({"baseline": str(output), **counts, "outlook": list(lines)})
        return
    say(f"{output}: {len(runs)} runs of {cells} cells, {size / 1000:.0f} kB")
    for line in lines:
        say(line)
