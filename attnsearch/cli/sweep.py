"""`attnsearch sweep`: the runs of a suite."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from attnsearch.cli.flags import SettingsCommand, given
from attnsearch.cli.options import (
    Assignments,
    cluster_options,
    cohorts_of,
    engine_options,
    output_options,
    plots_option,
    save_parameters_option,
    suite_of,
    suite_options,
    track_option,
    trainer_of,
)
from attnsearch.cli.status import INTERRUPTED

if TYPE_CHECKING:
    from attnsearch.training.ray.settings import ClusterSettings


@click.command(cls=SettingsCommand)
@suite_options
@engine_options
@cluster_options
@save_parameters_option
@track_option
@output_options
@plots_option
@click.pass_context
def sweep(
    ctx: click.Context,
    suite: str,
    seeds: Sequence[int] | None,
    mixers: str | None,
    mixer_settings: Assignments,
    lanes: int | None,
    checkpoint_every: float,
    cluster: ClusterSettings | None,
    save_parameters: bool,
    track: Sequence[str],
    out: Path,
    as_json: bool,
    quiet: bool,
    no_plots: bool,
) -> int:
    """Run a suite: a TOML file that crosses tasks, mixers, seeds and training settings.

    A flag replaces what the suite says of that setting: `--seeds 2 --steps 100` is a quick look. Every LIST
    is comma-separated, and a flag that is given again adds to its list. Runs that are already stored are not
    trained again.

    A suite may have selection seeds and several learning rates. Then each mixer first tries every rate on
    those seeds. Its other runs are trained at the rate that was best.
    """
    from attnsearch.cli.train import Output, sweep_suite
    from attnsearch.training.backend import TrainingSettings

    found, backend = suite_of(suite, seeds, given(ctx), mixers, mixer_settings)
    cohorts_of(found, backend, suite)
    output = Output(out, as_json, quiet, no_plots, tuple(track))
    training = TrainingSettings(lanes, checkpoint_every, save_parameters)
    return 0 if sweep_suite(found, output, trainer_of(backend, cluster), training) else INTERRUPTED
