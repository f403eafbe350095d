"""`attnsearch run`: a grid from flags."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from attnsearch.base import AttnsearchError
from attnsearch.cli.completing import task_names
from attnsearch.cli.flags import TaskCommand, flag_of, given, names_taken, tasks_of
from attnsearch.cli.options import (
    DEFAULT_MIXER,
    Assignments,
    cluster_options,
    engine_options,
    mixer_lists,
    mixer_set_option,
    mixers_option,
    names_in,
    output_options,
    plots_option,
    save_parameters_option,
    seeds_option,
    switch_options,
    track_option,
    trainer_of,
)
from attnsearch.cli.status import INTERRUPTED
from attnsearch.cli.values import WholeNumber
from attnsearch.spec.run import of_mixer

if TYPE_CHECKING:
    from attnsearch.spec.grid import KnownMixers
    from attnsearch.training.ray.settings import ClusterSettings


class _RunCommand(TaskCommand):
    def known_mixers(self) -> KnownMixers:
        from attnsearch.backends import Backends

        return Backends().known_mixers


@click.command(cls=_RunCommand)
@click.option(
    "--task",
    "tasks",
    required=True,
    multiple=True,
    metavar="LIST",
    shell_complete=task_names,
    help="tasks, by name or as paths of task files",
)
@mixers_option(DEFAULT_MIXER)
@mixer_set_option
@seeds_option(
    "runs of each cell: a count (8), a range without its end (8:16) or a list (3,5,9)  [default: 8]"
)
@click.option(
    "--rule-seed",
    type=WholeNumber(0),
    help="the seed of one hidden rule for all runs  [default: each seed draws its own]",
)
@switch_options
@engine_options
@cluster_options
@save_parameters_option
@track_option
@output_options
@plots_option
@click.pass_context
def run(
    ctx: click.Context,
    tasks: Sequence[str],
    mixers: str | None,
    mixer_settings: Assignments,
    seeds: Sequence[int] | None,
    rule_seed: int | None,
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
    """Train networks on tasks and measure their plateaus.

    Every LIST is comma-separated, and a flag that is given again adds to its list. Several lists make a
    grid. Runs that are already stored are not trained again. `attnsearch run --task NAME --help` lists the
    task's own flags too.
    """
    from attnsearch.backends import Backends, specify
    from attnsearch.cli.train import Output, sweep
    from attnsearch.spec.grid import DEFAULT_SEEDS
    from attnsearch.training.backend import TrainingSettings

    del tasks
    names, flags, backend = names_in(mixers or DEFAULT_MIXER), given(ctx), Backends()
    taken = names_taken(tasks_of(ctx))
    listed = mixer_lists(names, mixer_settings, backend.known_mixers)
    settings = {of_mixer(name, taken): values for name, values in listed.items()}
    for name in settings.keys() & flags.keys():
        raise AttnsearchError(
            f"give {flag_of(name)} or --mixer-set {name.removeprefix('mixer.')}=..., not both"
        )
    specs = specify(
        tasks_of(ctx),
        names,
        {**flags, **settings},
        seeds=range(DEFAULT_SEEDS) if seeds is None else seeds,
        rule_seed=rule_seed,
        backend=backend,
    )
    output = Output(out, as_json, quiet, no_plots, tuple(track))
    training = TrainingSettings(lanes, checkpoint_every, save_parameters)
    trained = sweep(specs, output, trainer_of(backend, cluster), training)
    return 0 if trained else INTERRUPTED
