"""The command line. What a command needs is imported inside it, so that help needs no jax."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from attnsearch.base import AttnsearchError, nearest
from attnsearch.flags import Seeds, TaskCommand, given, tasks_of

if TYPE_CHECKING:
    from rich.console import Console

    from attnsearch.grid import KnownMixers
    from attnsearch.progress import Interruptible

USAGE_ERROR, INTERRUPTED = 2, 130

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
    attnsearch show --task linear_map                          an example, drawn
    """


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
@click.option("--no-early-stopping", is_flag=True, help="train to the full budget")
@click.option(
    "--out", type=_OUT, default=Path("results"), help="where runs and pictures are stored  [default: results]"
)
@click.option("--json", "as_json", is_flag=True, help="one JSON document on stdout, and nothing else there")
@click.option("--quiet", is_flag=True, help="no progress")
@click.option("--no-plots", is_flag=True, help="no pictures")
@click.pass_context
def run(
    ctx: click.Context,
    tasks: str,
    mixers: str,
    seeds: Sequence[int],
    rule_seed: int | None,
    no_early_stopping: bool,
    out: Path,
    as_json: bool,
    quiet: bool,
    no_plots: bool,
) -> int:
    """Train networks on tasks and measure their plateaus.

    Every LIST is comma-separated, and lists make a grid. Runs that are already stored are not run
    again. `attnsearch run --task NAME --help` lists the task's own flags too.
    """
    from attnsearch import report
    from attnsearch.devices import use_every_core
    from attnsearch.plan import specify
    from attnsearch.runner import run as train
    from attnsearch.store import Store

    del tasks
    values = given(ctx)
    if no_early_stopping:
        values = {**values, "early_stopping": (False,)}
    specs = specify(
        tasks_of(ctx),
        [name.strip() for name in mixers.split(",")],
        values,
        seeds=seeds,
        rule_seed=rule_seed,
    )
    if not no_plots:
        from attnsearch.pictures import require_matplotlib

        require_matplotlib()
    store = Store.open(out)
    use_every_core()
    console = _console(stderr=True)
    try:
        with _progress(console, quiet) as observer:
            runs = train(specs, store, observer=observer)
    except KeyboardInterrupt:
        stored = sum(store.path(spec).is_dir() for spec in specs)
        click.echo(
            f"Interrupted: {stored} of {len(specs)} runs are stored in {out};"
            " the same command goes on from there.",
            err=True,
        )
        return INTERRUPTED

    cells = report.cells(runs)
    pictures: list[Path] = []
    if not no_plots:
        from attnsearch import gallery

        pictures = gallery.draw(cells, out / "pictures")
    if as_json:
        click.echo(json.dumps(report.document(cells, str(out), list(map(str, pictures))), allow_nan=False))
        return 0
    output = _console(stderr=False)
    output.print(report.table(cells))
    for warning in report.warnings(cells):
        output.print(f"warning: {warning}", style="yellow", markup=False, highlight=False)
    click.echo(f"Runs:     {out / 'runs'} ({len(runs)} of this command)")
    for number, picture in enumerate(pictures):
        click.echo(f"{'Pictures:' if number == 0 else '':<9} {picture}")
    return 0


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
    _console(stderr=False).print(example.terminal(target), soft_wrap=True)
    if not no_plots:
        knobs = "-".join(f"{name}-{value}" for name, value in spec.knobs)
        path = out / "pictures" / f"example-{spec.name}-{knobs}-seed-{seed}-target-{target}.png"
        click.echo(f"Picture: {example.picture(path, target, f'{spec.name}, seed {seed}')}")


def _console(*, stderr: bool) -> Console:
    """A console that, where nobody looks at it, does not fold a table to 80 columns."""
    from rich.console import Console

    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=200)


def _progress(console: Console, quiet: bool) -> Interruptible:
    from attnsearch.progress import Interruptible, LiveProgress, PlainProgress

    if quiet:
        return Interruptible()
    return LiveProgress(console) if console.is_terminal else PlainProgress(console)
