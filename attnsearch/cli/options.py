"""Flags that several commands share, and what commands make of their values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from attnsearch.base import AttnsearchError, nearest
from attnsearch.cli.completing import files, mixer_names, suite_names
from attnsearch.cli.flags import given, switch
from attnsearch.cli.output import complain
from attnsearch.cli.values import Assignment, Seeds, WholeNumber
from attnsearch.training.tracking.names import TRACKERS

if TYPE_CHECKING:
    from attnsearch.backends import Assigned, Backends
    from attnsearch.runs.store import StoredRun
    from attnsearch.spec.grid import KnownMixers, Lists
    from attnsearch.spec.run import MixerSpec, Value
    from attnsearch.spec.suite import Suite
    from attnsearch.training.backend import Trains
    from attnsearch.training.ray.settings import ClusterSettings

OUT = click.Path(path_type=Path, file_okay=False)

DEFAULT_SUITE = "mixers"
DEFAULT_MIXER = "attention"

Assignments = Sequence[tuple[str, "tuple[Value, ...]"]]
"""The values of `--mixer-set`: each setting with its list."""

_Command = TypeVar("_Command", bound=Callable[..., object])


def with_options(*options: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    """Several options as one decorator. The help lists them in this order."""

    def decorated(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorated


def _added(lists: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Each number of the lists, once."""
    return tuple(dict.fromkeys(number for listed in lists for number in listed))


def seeds_option(text: str) -> Callable[[_Command], _Command]:
    """`--seeds`, whose lists add up; None where none is given."""

    def callback(
        ctx: click.Context, param: click.Parameter, lists: Sequence[Sequence[int]]
    ) -> Sequence[int] | None:
        # One list is kept as it is: its numbers are checked later.
        return None if not lists else lists[0] if len(lists) == 1 else _added(lists)

    return click.option("--seeds", type=Seeds(), multiple=True, callback=callback, help=text)


def mixers_option(default: str) -> Callable[[_Command], _Command]:
    """`--mixer`, whose lists add up to one list of names; None where none is given."""

    def callback(ctx: click.Context, param: click.Parameter, lists: Sequence[str]) -> str | None:
        return ",".join(lists) or None

    return click.option(
        "--mixer",
        "mixers",
        multiple=True,
        callback=callback,
        metavar="LIST",
        shell_complete=mixer_names,
        help=f"mixers, by name or as package.module:Class  [default: {default}]",
    )


switch_options = with_options(
    switch("--no-early-stopping", "early_stopping", False, "train to the full budget"),
    switch(
        "--map-bias-placebo",
        "map_bias_placebo",
        True,
        "give --map-bias a wrong map: a control that must not help",
    ),
)
json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="print one JSON document on standard output, and nothing else there",
)
output_options = with_options(
    click.option(
        "--out",
        type=OUT,
        default=Path("results"),
        help="the folder for runs and pictures  [default: results]",
    ),
    json_option,
    click.option("--quiet", is_flag=True, help="show no progress, only warnings and errors"),
)
engine_options = with_options(
    click.option(
        "--lanes",
        type=WholeNumber(1),
        help="runs that each device trains at once  [default: chosen for the device]",
    ),
    click.option(
        "--checkpoint-every",
        type=click.FloatRange(0),
        default=30.0,
        metavar="SECONDS",
        help="training time that a killed process may lose  [default: 30]",
    ),
)
_cluster_flags = with_options(
    click.option(
        "--engine",
        type=click.Choice(["local", "ray"]),
        default="local",
        help="ray: train on a Ray cluster  [default: local]",
    ),
    click.option("--address", help="the Ray cluster  [default: RAY_ADDRESS, else one on this machine]"),
    click.option(
        "--worker-cpus", type=WholeNumber(1), help="cores of each worker of the cluster  [default: 1]"
    ),
    click.option(
        "--worker-gpus",
        type=WholeNumber(0),
        help="GPUs of each worker of the cluster  [default: 1 where it has GPUs]",
    ),
)


def cluster_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--engine` and the flags of a cluster, as one argument `cluster: ClusterSettings | None`."""

    @wraps(command)
    def called(
        *arguments: Any,
        engine: str,
        address: str | None,
        worker_cpus: int | None,
        worker_gpus: int | None,
        **others: Any,
    ) -> Any:
        from attnsearch.training.ray.settings import ClusterSettings

        if engine == "ray":
            cluster = ClusterSettings(address, worker_cpus or 1, worker_gpus)
        elif (address, worker_cpus, worker_gpus) == (None, None, None):
            cluster = None
        else:
            raise AttnsearchError("--address and --worker-... are for a cluster: give --engine ray as well")
        return command(*arguments, cluster=cluster, **others)

    return _cluster_flags(called)


def trainer_of(backend: Backends, cluster: ClusterSettings | None) -> Trains[Any]:
    """What trains: `backend` here, or the cluster. Errors: AttnsearchError where ray is not installed."""
    from attnsearch.backends import on_cluster

    return backend if cluster is None else on_cluster(cluster)


save_parameters_option = click.option(
    "--save-params",
    "save_parameters",
    is_flag=True,
    help="keep each trained network beside its run, for `attnsearch ablate`",
)
track_option = click.option(
    "--track",
    type=click.Choice(TRACKERS),
    multiple=True,
    help="show runs in this tool while they train; may be repeated",
)
mixer_set_option = click.option(
    "--mixer-set",
    "mixer_settings",
    type=Assignment(),
    multiple=True,
    metavar="NAME=LIST",
    help="a setting of the mixers that has no flag of its own; may be repeated",
)


def output_option(
    text: str, default: str | None = None, *, required: bool = False
) -> Callable[[_Command], _Command]:
    """`-o`, the file to write."""
    return click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path, dir_okay=False),
        default=default and Path(default),
        required=required,
        help=f"{text}  [default: {default}]" if default else text,
    )


def format_option(forms: Sequence[str], text: str) -> Callable[[_Command], _Command]:
    """`--format`, one of `forms`; None where it is not given."""
    return click.option("--format", "form", type=click.Choice(forms), help=text)


runs_argument = click.argument("runs", metavar="RUNS...", nargs=-1, required=True, shell_complete=files)
suite_option = click.option(
    "--suite",
    default=DEFAULT_SUITE,
    shell_complete=suite_names,
    metavar="SUITE",
    help=f"the suite that the mixers answer, by name or path  [default: {DEFAULT_SUITE}]",
)
plots_option = click.option("--no-plots", is_flag=True, help="draw no pictures")
suite_options = with_options(
    click.argument("suite", metavar="SUITE", shell_complete=suite_names),
    seeds_option("a count (8), a range without its end (8:16) or a list (3,5,9)  [default: the suite's]"),
    switch_options,
    mixers_option("the suite's"),
    mixer_set_option,
)


def mixer_lists(mixers: Sequence[str], given: Assignments, known_mixers: KnownMixers) -> Lists:
    """The lists of `--mixer-set` by setting. Errors: AttnsearchError for a setting that no mixer has."""
    known = {name for mixer in mixers for name in known_mixers[mixer]}
    lists: dict[str, tuple[Value, ...]] = {}
    for name, listed in given:
        if name not in known:
            hint = (
                nearest(name, known) if known else " It has none." if len(mixers) == 1 else " They have none."
            )
            raise AttnsearchError(f"no setting {name!r} in mixer {', '.join(mixers)}.{hint}")
        lists[name] = (*lists.get(name, ()), *listed)
    return lists


def mixers_in_place(
    mixers: str | None, given: Assignments, known_mixers: KnownMixers
) -> list[MixerSpec] | None:
    """The mixers of `--mixer`, with every combination of their settings; None where the suite's are meant.

    Errors: AttnsearchError for an unknown mixer or setting.
    """
    from attnsearch.spec.grid import mixer_specs

    if mixers is None:
        if given:
            raise AttnsearchError("--mixer-set needs --mixer: it sets the mixers that are named there")
        return None
    names = names_in(mixers)
    lists = mixer_lists(names, given, known_mixers)
    return [spec for name in names for spec in mixer_specs(name, known_mixers[name], lists)]


def names_in(listed: str) -> list[str]:
    """The names of a comma-separated list."""
    return [name.strip() for name in listed.split(",")]


def suite_of(
    name: str,
    seeds: Sequence[int] | None,
    training: Lists,
    mixers: str | None = None,
    mixer_settings: Assignments = (),
) -> tuple[Suite, Backends]:
    """A suite with the values of flags in place of its own, and the backend that knows its mixers.

    Errors: AttnsearchError for a suite, a mixer or a setting that cannot be used.
    """
    from attnsearch.backends import Backends
    from attnsearch.spec.suite import Suite, find_suite
    from attnsearch.training.jax.devices import use_every_core

    path, backend = find_suite(name), Backends()
    replaced = mixers_in_place(mixers, mixer_settings, backend.known_mixers)
    suite = Suite.read(path, backend.known_mixers).reduced(seeds, training, replaced)
    use_every_core()
    return suite, backend


def stored_in_place(ctx: click.Context, suite: str) -> list[StoredRun] | None:
    """The stored runs of the folder that is named in place of a suite; None for a suite.

    Errors: AttnsearchError for a flag that says what to train, or how.
    """
    from attnsearch.runs.lookup import collect, store_at
    from attnsearch.runs.opened import Opener
    from attnsearch.spec.suite import shipped_suites

    if suite in shipped_suites() or store_at(Path(suite)) is None:
        return None
    of_training = ("seeds", "mixers", "mixer_settings", "lanes", "checkpoint_every", "out")
    of_training += ("engine", "address", "worker_cpus", "worker_gpus")
    sources = [ctx.get_parameter_source(name) for name in of_training]
    if given(ctx) or click.core.ParameterSource.COMMANDLINE in sources:
        raise AttnsearchError(
            f"{suite} is a folder of stored runs, and nothing is trained: leave out the flags of training"
        )
    return collect([suite], complain, Opener())


def cohorts_of(suite: Suite, backend: Backends, name: str) -> list[Assigned]:
    """The cohorts of all runs that a suite plans. Errors: AttnsearchError, with the suite's `name`, for a run
    that the backend cannot train."""
    from attnsearch.spec.reading import placed
    from attnsearch.spec.suite import find_suite

    with placed(str(find_suite(name))):
        return backend.cohorts(suite.planned())
