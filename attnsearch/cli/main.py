"""The command line: every command, and what becomes of its errors."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from attnsearch.base import AttnsearchError, nearest
from attnsearch.cli import (
    ablate,
    baseline,
    check,
    law,
    leaderboard,
    listing,
    plan,
    report,
    results,
    run,
    show,
    submit,
    sweep,
    verify,
)
from attnsearch.cli.options import INTERRUPTED, USAGE_ERROR


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
    attnsearch report results/                                 everything about stored runs, on one page
    """


for _command in (
    run.run,
    sweep.sweep,
    plan.plan,
    results.results,
    law.law,
    report.report,
    verify.verify,
    leaderboard.leaderboard,
    submit.submit,
    baseline.baseline,
    check.check,
    listing.tasks,
    listing.mixers,
    show.show,
    ablate.ablate,
):
    cli.add_command(_command)
