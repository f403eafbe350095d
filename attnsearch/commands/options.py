"""Flags that several commands have, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from attnsearch.flags import Seeds, given

if TYPE_CHECKING:
    from attnsearch.grid import Lists
    from attnsearch.plan import Cohort
    from attnsearch.specs import RunSpec

DONE, USAGE_ERROR, INTERRUPTED = 0, 2, 130
"""Exit statuses that every command shares."""

OUT = click.Path(path_type=Path, file_okay=False)

_Command = TypeVar("_Command", bound=Callable[..., object])


def with_options(*options: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    """Several options as one decorator, listed in the help in this order."""

    def decorated(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorated


early_stopping_option = click.option("--no-early-stopping", is_flag=True, help="train to the full budget")
output_options = with_options(
    click.option(
        "--out",
        type=OUT,
        default=Path("results"),
        help="where runs and pictures are stored  [default: results]",
    ),
    click.option(
        "--json", "as_json", is_flag=True, help="one JSON document on stdout, and nothing else there"
    ),
    click.option("--quiet", is_flag=True, help="no progress"),
)
engine_options = with_options(
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
plots_option = click.option("--no-plots", is_flag=True, help="no pictures")
suite_options = with_options(
    click.argument("suite", metavar="SUITE.toml"),
    click.option(
        "--seeds",
        type=Seeds(),
        help="a count (8), a range without its end (8:16) or a list (3,5,9)  [default: the suite's]",
    ),
    early_stopping_option,
)


def values(ctx: click.Context, no_early_stopping: bool) -> Lists:
    """The settings given as flags."""
    return {**given(ctx), "early_stopping": (False,)} if no_early_stopping else given(ctx)


def runs_of(name: str, seeds: Sequence[int] | None, training: Lists) -> tuple[list[RunSpec], list[Cohort]]:
    """The runs of a suite, of which none is refused, and how they are grouped."""
    from attnsearch.devices import use_every_core
    from attnsearch.plan import Registries, cohorts
    from attnsearch.suites import Suite, find_suite, placed

    path, registries = find_suite(name), Registries()
    specs = Suite.read(path, registries.known_mixers()).reduced(seeds, training).runs()
    use_every_core()
    with placed(str(path)):
        return specs, cohorts(specs, registries)
