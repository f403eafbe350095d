"""`attnsearch check`: whether the plateaus of a suite have got longer than they were."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from attnsearch.base import AttnsearchError
from attnsearch.cli.flags import SettingsCommand, given
from attnsearch.cli.options import (
    OUT,
    Assignments,
    engine_options,
    suite_of,
    suite_options,
)
from attnsearch.cli.output import emit_json, note_lines, say

if TYPE_CHECKING:
    from attnsearch.gate.baseline import Baseline
    from attnsearch.gate.verdict import Report
    from attnsearch.runs.store import Store, StoredRun
    from attnsearch.spec.run import RunSpec
    from attnsearch.training.backend import TrainingSettings
    from attnsearch.training.jax.backend import JaxBackend
    from attnsearch.training.observer import Observer

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(cls=SettingsCommand)
@suite_options
@click.option("--baseline", type=FILE, required=True, help="what `attnsearch baseline` recorded")
@click.option(
    "--tolerance",
    type=float,
    metavar="FACTOR",
    help="by how much a plateau may grow before it is a regression  [default: 1.25]",
)
@click.option("--junit", type=FILE, help="write the verdicts as JUnit's XML")
@click.option("--trend", type=FILE, help="write the plateaus as JSON for benchmark-tracking actions")
@engine_options
@click.option("--out", type=OUT, help="where the new runs are kept  [default: nowhere]")
@click.option("--json", "as_json", is_flag=True, help="one JSON document on stdout, and nothing else there")
@click.option("--quiet", is_flag=True, help="no progress")
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
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Say whether the plateaus of a suite have got longer than BASELINE recorded.

    Every run is trained anew. Where the curves of half of them equal the recorded ones bit for bit, nothing
    has changed; otherwise plateaus are compared, after half of the runs and, where that does not tell, after
    all. In a workflow of GitHub, annotations and a job summary are written too.

    \b
    Exit status: 0 pass   1 regression   2 wrong usage   3 too few data to tell
                 4 nothing measured, or a run failed
    """
    from attnsearch import files
    from attnsearch.cli.progress import progress_for
    from attnsearch.gate import baseline_file, tables
    from attnsearch.gate import ci as notices
    from attnsearch.gate import verdict as verdicts
    from attnsearch.gate.decision import TOLERANCE
    from attnsearch.runs.store import Store
    from attnsearch.training.backend import TrainingSettings

    recorded, tolerated = baseline_file.read(baseline), TOLERANCE if tolerance is None else tolerance
    # Whatever else a mixer raises would end with the status of a regression.
    try:
        asked, backend = suite_of(suite, seeds, given(ctx), mixers, mixer_settings)
        with ExitStack() as held:
            folder = out or Path(held.enter_context(tempfile.TemporaryDirectory(prefix="attnsearch-")))
            report = check_anew(
                asked.runs(),
                recorded,
                Store.open(folder),
                backend,
                name=str(baseline),
                tolerance=tolerated,
                observer=held.enter_context(progress_for(quiet)),
                settings=TrainingSettings(lanes, checkpoint_every),
            )
    except AttnsearchError:
        raise
    except Exception as error:
        failure = verdicts.Failure.of(error)
        report = verdicts.Report(recorded.suite, str(baseline), tolerated, 0, failure=failure)

    if junit:
        files.write_whole(junit, notices.junit(report))
    if trend:
        files.write_whole(trend, notices.trend(report))
    notices.append_summary(report, os.environ)
    if report.failure:
        note_lines(report.failure.trace)
    if as_json:
        emit_json(tables.document(report))
    else:
        _print(report)
    return report.exit_status


def check_anew(
    specs: Sequence[RunSpec],
    recorded: Baseline,
    store: Store,
    backend: JaxBackend,
    *,
    name: str,
    tolerance: float,
    observer: Observer | None = None,
    settings: TrainingSettings | None = None,
) -> Report:
    """Train `specs` in `store` and judge them against the baseline `recorded`, called `name`.

    Unless `settings` name a number of lanes, there are as many as the baseline had on such a device.
    Errors: AttnsearchError for runs that cannot be trained, and for a store that holds some of them already.
    """
    from attnsearch.gate.check import check, recorded_lanes
    from attnsearch.training.backend import TrainingSettings
    from attnsearch.training.jax.devices import describe
    from attnsearch.training.runner import run

    if any(store.path(spec).exists() for spec in specs):
        raise AttnsearchError(
            f"{store.root} holds runs of this suite, and a check trains them anew: give another folder"
        )
    backend.cohorts(specs)
    settings = settings or TrainingSettings()
    if settings.lanes is None:
        settings = replace(settings, lanes=recorded_lanes(recorded, describe(1)["device"]))

    def train(missing: Sequence[RunSpec]) -> list[StoredRun]:
        return run(missing, store, backend, observer, settings)

    return check(specs, recorded, train, name=name, tolerance=tolerance)


def _print(report: Report) -> None:
    from attnsearch.cli.console import console
    from attnsearch.gate import ci as notices
    from attnsearch.gate import tables
    from attnsearch.gate import verdict as verdicts

    if report.pairs:
        console(stderr=False).print(tables.table(report))
    for line in verdicts.sentences(report):
        say(line)
    if notices.on_github(os.environ):
        for command in notices.commands(report):
            say(command)
