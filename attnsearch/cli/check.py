"""`attnsearch check`: whether the plateaus of a suite have got longer than they were."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from attnsearch.base import AttnsearchError
from attnsearch.cli.flags import SettingsCommand, given
from attnsearch.cli.options import (
    OUT,
    Assignments,
    cluster_options,
    engine_options,
    json_option,
    stored_in_place,
    suite_of,
    suite_options,
    trainer_of,
)
from attnsearch.cli.output import emit_json, note_lines, say

if TYPE_CHECKING:
    from attnsearch.gate.baseline import Baseline
    from attnsearch.gate.verdict import Report
    from attnsearch.runs.store import Store, StoredRun
    from attnsearch.spec.run import RunSpec
    from attnsearch.training.backend import TrainingSettings, Trains
    from attnsearch.training.observer import Observer
    from attnsearch.training.ray.settings import ClusterSettings

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(cls=SettingsCommand)
@suite_options
@click.option("--baseline", type=FILE, required=True, help="the file of `attnsearch baseline`")
@click.option(
    "--tolerance",
    type=float,
    metavar="FACTOR",
    help="the factor by which a plateau may grow before it is a regression  [default: 1.25]",
)
@click.option("--junit", type=FILE, help="write the verdicts as JUnit XML")
@click.option("--trend", type=FILE, help="write the plateaus as JSON for benchmark-tracking actions")
@engine_options
@cluster_options
@click.option("--out", type=OUT, help="the folder that keeps the new runs  [default: none]")
@json_option
@click.option("--quiet", is_flag=True, help="show no progress, only warnings and errors")
@click.pass_context
def check(
    ctx: click.Context,
    suite: str,
    seeds: Sequence[int] | None,
    mixers: str | None,
    mixer_settings: Assignments,
    baseline: Path,
    tolerance: float | None,
    junit: Path | None,
    trend: Path | None,
    lanes: int | None,
    checkpoint_every: float,
    cluster: ClusterSettings | None,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Say whether the plateaus of a suite have got longer than the baseline recorded.

    Every run is trained anew, first half of them. If their curves equal the recorded ones bit for bit,
    nothing has changed. Otherwise their plateaus are compared with the recorded ones. If that does not tell,
    the other half is trained and all are compared. A workflow of GitHub also gets annotations and a job
    summary.

    In place of SUITE, a folder of stored runs is judged as it is, and nothing is trained. So it is done for
    runs that a loop of one's own has trained.

    \b
    Exit status: 0 pass   1 regression   2 something given cannot be used
                 3 too few data to tell  4 nothing measured, or a run failed
    """
    from attnsearch.cli.progress import progress_for
    from attnsearch.gate import baseline_file
    from attnsearch.gate.check import check as judge
    from attnsearch.gate.decision import TOLERANCE
    from attnsearch.gate.verdict import Failure, Report
    from attnsearch.runs.store import Store
    from attnsearch.training.backend import TrainingSettings

    recorded, tolerated = baseline_file.read(baseline), TOLERANCE if tolerance is None else tolerance
    if (stored := stored_in_place(ctx, suite)) is not None:
        by_spec = {run.spec: run for run in stored}
        report = judge(
            list(by_spec),
            recorded,
            lambda specs: [by_spec[spec] for spec in specs],
            name=str(baseline),
            tolerance=tolerated,
        )
        return _told(report, junit, trend, as_json)
    try:
        asked, backend = suite_of(suite, seeds, given(ctx), mixers, mixer_settings)
        with ExitStack() as held:
            folder = out or Path(held.enter_context(tempfile.TemporaryDirectory(prefix="attnsearch-")))
            report = check_anew(
                asked.runs(),
                recorded,
                Store.open(folder),
                trainer_of(backend, cluster),
                name=str(baseline),
                tolerance=tolerated,
                observer=held.enter_context(progress_for(quiet)),
                settings=TrainingSettings(lanes, checkpoint_every),
            )
    except AttnsearchError:
        raise
    except Exception as error:
        # Whoever asked for files is told in them as well.
        report = Report(recorded.suite, str(baseline), tolerated, 0, failure=Failure.of(error))
    return _told(report, junit, trend, as_json)


def _told(report: Report, junit: Path | None, trend: Path | None, as_json: bool) -> int:
    try:
        _write(report, junit, trend)
    finally:
        _print(report, as_json)
    return report.exit_status


def check_anew(
    specs: Sequence[RunSpec],
    recorded: Baseline,
    store: Store,
    backend: Trains[Any],
    *,
    name: str,
    tolerance: float,
    observer: Observer | None = None,
    settings: TrainingSettings | None = None,
) -> Report:
    """Train `specs` in `store` and judge them against the baseline `recorded`, called `name`.

    Unless `settings` name a number of lanes, there are as many as the baseline had on such a device.
    Errors: AttnsearchError where the baseline did not record `specs`, or where the store holds some of them.
    What goes wrong in training is the report's `failure`, and so is a mixer that raises when it is called.
    """
    from attnsearch.gate.check import check, recorded_lanes
    from attnsearch.training.backend import TrainingSettings
    from attnsearch.training.jax.devices import describe
    from attnsearch.training.runner import run

    if any(store.path(spec).exists() for spec in specs):
        raise AttnsearchError(
            f"{store.root} holds runs of this suite, and a check trains them anew: give another folder"
        )
    settings = settings or TrainingSettings()
    if settings.lanes is None:
        settings = replace(settings, lanes=recorded_lanes(recorded, describe(1)["device"]))

    def train(missing: Sequence[RunSpec]) -> list[StoredRun]:
        return run(missing, store, backend, observer, settings)

    return check(specs, recorded, train, name=name, tolerance=tolerance)


def _write(report: Report, junit: Path | None, trend: Path | None) -> None:
    from attnsearch import files
    from attnsearch.gate import ci

    if junit:
        files.write_whole(junit, ci.junit(report))
    if trend:
        files.write_whole(trend, ci.trend(report))
    ci.append_summary(report, os.environ)


def _print(report: Report, as_json: bool) -> None:
    from attnsearch.cli.console import console
    from attnsearch.gate import ci, tables
    from attnsearch.gate.verdict import sentences

    if report.failure:
        note_lines(report.failure.trace)
    if as_json:
        emit_json(tables.document(report))
        return
    if report.pairs:
        console(stderr=False).print(tables.table(report))
    for line in sentences(report):
        say(line)
    if ci.on_github(os.environ):
        for command in ci.commands(report):
            say(command)
