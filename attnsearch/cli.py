"""The command line. What a command needs is imported inside it, so that help needs no jax."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from attnsearch.base import AttnsearchError, nearest
from attnsearch.flags import Seeds, SettingsCommand, TaskCommand, given, tasks_of

if TYPE_CHECKING:
    from attnsearch.grid import KnownMixers, Lists
    from attnsearch.plan import Cohort
    from attnsearch.specs import RunSpec

USAGE_ERROR, INTERRUPTED = 2, 130

_Command = TypeVar("_Command", bound=Callable[..., object])

_OUT = click.Path(path_type=Path, file_okay=False)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point. Exit status: 0 done; 2 bad input, or a store that cannot be used; 130 interrupted."""
    try:
        status = cli.main(arguments, prog_name="attnsearch", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        status = 0
    except (KeyboardInterrupt, click.exceptions.Abort):
        status = INTERRUPTED
    except click.ClickException as error:
        status = _complain(error.format_message())
    except AttnsearchError as error:
        status = _complain(str(error))
    sys.exit(status)


def _complain(message: str) -> int:
    click.echo(f"attnsearch: {' '.join(message.split())}", err=True)
    return USAGE_ERROR


class _Commands(click.Group):
    """A group whose error about an unknown command names the nearest."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            raise AttnsearchError(f"unknown command {args[0]!r}.{nearest(args[0], self.commands)}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands)
@click.version_option(package_name="attnsearch")
def cli() -> None:
    """Measure how long a sequence mixer searches for the attention pattern that a task needs.

    \b
    attnsearch run --task linear_map --sparsity 0.5            eight networks search, about a minute
    attnsearch run --task linear_map --sparsity 0.25,0.5 --mixer attention,mlp_mixer
    attnsearch plan benchmarks/smoke.toml                      what a suite would take
    attnsearch sweep benchmarks/smoke.toml                     the suite
    attnsearch show --task linear_map                          an example, drawn
    """


def _with(*options: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    """Several options as one decorator, listed in the help in this order."""

    def decorated(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorated


_early_stopping_option = click.option("--no-early-stopping", is_flag=True, help="train to the full budget")
_output_options = _with(
    click.option(
        "--out",
        type=_OUT,
        default=Path("results"),
        help="where runs and pictures are stored  [default: results]",
    ),
    click.option(
        "--json", "as_json", is_flag=True, help="one JSON document on stdout, and nothing else there"
    ),
    click.option("--quiet", is_flag=True, help="no progress"),
)
_engine_options = _with(
    click.option(
        "--lanes",
        type=click.IntRange(1),
        help="runs trained at once on each device  [default: chosen for the device]",
    ),
    click.option(
        "--checkpoint-every",
        type=click.FloatRange(0),
        default=30.0,
        metavar="SECONDS",
        help="how much work a killed process may lose  [default: 30]",
    ),
)
_plots_option = click.option("--no-plots", is_flag=True, help="no pictures")
_suite_options = _with(
    click.argument("suite", metavar="SUITE.toml"),
    click.option(
        "--seeds",
        type=Seeds(),
        help="a count (8), a range without its end (8:16) or a list (3,5,9)  [default: the suite's]",
    ),
    _early_stopping_option,
)


class _RunCommand(TaskCommand):
    def known_mixers(self) -> KnownMixers:
        from attnsearch.plan import Registries

        return Registries().known_mixers()


@cli.command(cls=_RunCommand)
@click.option(
    "--task", "tasks", required=True, metavar="LIST", help="tasks, by name or as paths of task files"
)
@click.option("--mixer", "mixers", default="attention", metavar="LIST", help="mixers  [default: attention]")
@click.option(
    "--seeds",
    type=Seeds(),
    default="8",
    help="runs of each cell: a count (8), a range without its end (8:16) or a list (3,5,9)  [default: 8]",
)
@click.option(
    "--rule-seed", type=int, help="one hidden rule for all runs  [default: each seed draws its own]"
)
@_early_stopping_option
@_engine_options
@_output_options
@_plots_option
@click.pass_context
def run(
    ctx: click.Context,
    tasks: str,
    mixers: str,
    seeds: Sequence[int],
    rule_seed: int | None,
    no_early_stopping: bool,
    lanes: int | None,
    checkpoint_every: float,
    out: Path,
    as_json: bool,
    quiet: bool,
    no_plots: bool,
) -> int:
    """Train networks on tasks and measure their plateaus.

    Every LIST is comma-separated, and lists make a grid. Runs that are already stored are not run
    again. `attnsearch run --task NAME --help` lists the task's own flags too.
    """
    from attnsearch.engine import EngineSettings
    from attnsearch.plan import specify
    from attnsearch.sweeping import Output, sweep

    del tasks
    specs = specify(
        tasks_of(ctx),
        [name.strip() for name in mixers.split(",")],
        _values(ctx, no_early_stopping),
        seeds=seeds,
        rule_seed=rule_seed,
    )
    output = Output(out, as_json, quiet, no_plots)
    return 0 if sweep(specs, output, EngineSettings(lanes, checkpoint_every)) else INTERRUPTED


@cli.command(cls=SettingsCommand)
@_suite_options
@_engine_options
@_output_options
@_plots_option
@click.pass_context
def sweep(
    ctx: click.Context,
    suite: str,
    seeds: Sequence[int] | None,
    no_early_stopping: bool,
    lanes: int | None,
    checkpoint_every: float,
    out: Path,
    as_json: bool,
    quiet: bool,
    no_plots: bool,
) -> int:
    """Run a suite: a TOML file that crosses tasks, mixers, seeds and training settings.

    A flag replaces what the suite says of that setting, so that `--seeds 2 --steps 100` is a quick look.
    Every LIST is comma-separated. Runs that are already stored are not run again.
    """
    from attnsearch.engine import EngineSettings
    from attnsearch.sweeping import Output, sweep

    specs, _ = _runs_of(suite, seeds, _values(ctx, no_early_stopping))
    output = Output(out, as_json, quiet, no_plots)
    return 0 if sweep(specs, output, EngineSettings(lanes, checkpoint_every)) else INTERRUPTED


@cli.command(cls=SettingsCommand)
@_suite_options
@_output_options
@click.option("--no-measurement", is_flag=True, help="compile and time nothing, and estimate no times")
@click.pass_context
def plan(
    ctx: click.Context,
    suite: str,
    seeds: Sequence[int] | None,
    no_early_stopping: bool,
    out: Path,
    as_json: bool,
    quiet: bool,
    no_measurement: bool,
) -> None:
    """Say what `sweep` would do with the same flags, and about how long it would take at most.

    A cohort is what one compilation trains. Times come from a few seconds of training of each, which is
    thrown away; nothing is stored.
    """
    from attnsearch import estimate
    from attnsearch.screen import console
    from attnsearch.store import Store

    _, cohorts = _runs_of(suite, seeds, _values(ctx, no_early_stopping))
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


def _values(ctx: click.Context, no_early_stopping: bool) -> Lists:
    """The settings given as flags."""
    return {**given(ctx), "early_stopping": (False,)} if no_early_stopping else given(ctx)


def _runs_of(name: str, seeds: Sequence[int] | None, training: Lists) -> tuple[list[RunSpec], list[Cohort]]:
    """The runs of a suite, of which none is refused, and how they are grouped."""
    from attnsearch.devices import use_every_core
    from attnsearch.plan import Registries, cohorts
    from attnsearch.suites import Suite, find_suite, placed

    path, registries = find_suite(name), Registries()
    specs = Suite.read(path, registries.known_mixers()).reduced(seeds, training).runs()
    use_every_core()
    with placed(str(path)):
        return specs, cohorts(specs, registries)


@cli.command()
def tasks() -> None:
    """List the tasks, one line each."""
    from attnsearch.taskfiles import shipped_tasks

    known = shipped_tasks()
    width = max(map(len, known))
    for task in known.values():
        click.echo(f"{task.name:<{width}}  {task.title}")


@cli.command()
def mixers() -> None:
    """List the mixers, one line each, with their settings."""
    from attnsearch.mixers.base import describe
    from attnsearch.plan import Registries

    known = Registries().mixers
    width = max(map(len, known))
    for name, mixer in known.items():
        click.echo(f"{name:<{width}}  {describe(mixer)}")


@cli.command(cls=TaskCommand)
@click.option(
    "--task", "task", required=True, metavar="NAME", help="a task, by name or as path of a task file"
)
@click.option("--seed", type=click.IntRange(0), default=0, help="of the rule and the sequence  [default: 0]")
@click.option("--target", type=click.IntRange(0), default=1, help="the row to highlight  [default: 1]")
@click.option(
    "--out", type=_OUT, default=Path("results"), help="the picture goes to its pictures/  [default: results]"
)
@click.option("--no-plots", is_flag=True, help="no picture, only the drawing in the terminal")
@click.pass_context
def show(ctx: click.Context, task: str, seed: int, target: int, out: Path, no_plots: bool) -> None:
    """Draw an example of a task: its matrix, a state, the next state, and the attention map."""
    from attnsearch.plan import Registries
    from attnsearch.screen import console
    from attnsearch.show import LinearMapExample

    files = tasks_of(ctx)
    values = given(ctx)
    lists = [name for name, listed in values.items() if len(listed) > 1]
    if len(files) > 1 or lists:
        raise AttnsearchError(f"show draws one example: give {lists[0] if lists else 'task'} one value")
    spec = files[0].resolve({name: listed[0] for name, listed in values.items()})
    example = LinearMapExample.draw(spec, seed, Registries())
    size = len(example.matrix)
    if target >= size:
        raise AttnsearchError(f"target {target} is outside 0 to {size - 1}")
    del task
    console(stderr=False).print(example.terminal(target), soft_wrap=True)
    if not no_plots:
        knobs = "-".join(f"{name}-{value}" for name, value in spec.knobs)
        path = out / "pictures" / f"example-{spec.name}-{knobs}-seed-{seed}-target-{target}.png"
        click.echo(f"Picture: {example.picture(path, target, f'{spec.name}, seed {seed}')}")
