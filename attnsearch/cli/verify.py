"""`attnsearch verify`: may a mixer's numbers count? Does a task do what it says?"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from attnsearch.base import AttnsearchError
from attnsearch.cli.completing import mixer_names, task_names
from attnsearch.cli.flags import TaskCommand, flag_of, given, single
from attnsearch.cli.options import Assignments, mixer_lists, mixer_set_option, output_options
from attnsearch.cli.output import emit_json, note, say
from attnsearch.cli.status import DONE
from attnsearch.cli.values import WholeNumber
from attnsearch.cli.verdicts import REFUSED, check_table
from attnsearch.cli.verify_task import verify_task
from attnsearch.runs.verification import CHECKS, MAX_CONTEXT, MAX_LAYERS, Finding, Verification
from attnsearch.spec.names import DERIVED

if TYPE_CHECKING:
    from attnsearch.results.table import Table


class _VerifyCommand(TaskCommand):
    def without_task(self) -> None:
        pass


@click.command(cls=_VerifyCommand)
@click.argument("mixer", metavar="[MIXER]", required=False, shell_complete=mixer_names)
@mixer_set_option
@click.option(
    "--task",
    metavar="NAME",
    shell_complete=task_names,
    help="the task to verify; with MIXER, whose contexts are tried and whose easiest form is to be learned"
    "  [default: linear_map]",
)
@click.option("--width", type=WholeNumber(1), help="features of a token, D  [default: 128]")
@click.option(
    "--max-layers",
    type=WholeNumber(MAX_LAYERS),
    help=f"of the deepest network that is tried  [default: {MAX_LAYERS}]",
)
@click.option(
    "--max-context",
    type=WholeNumber(MAX_CONTEXT),
    help=f"tokens of the longest sequence that is tried  [default: {MAX_CONTEXT}]",
)
@output_options
@click.pass_context
def verify(
    ctx: click.Context,
    mixer: str | None,
    mixer_settings: Assignments,
    task: str | None,
    width: int | None,
    max_layers: int | None,
    max_context: int | None,
    out: Path,
    as_json: bool,
    quiet: bool,
) -> int:
    """Say whether the numbers of a mixer may count, or whether a task does what it says.

    MIXER is a name, or package.module:Class; after torch: where it is written in PyTorch. Without one, --task
    is verified: a name, or the path of a task file. Its knobs are flags then: `attnsearch verify --task NAME
    --help` lists them. Exit status 0 where the numbers may count or the task passes every check, 1 where not.
    A sound mixer may count though it does not learn the easiest task. The record of a mixer is kept in --out,
    where reports and leaderboards look for it.
    """
    if mixer is None:
        if task is None:
            raise AttnsearchError("verify what? Give a mixer, or --task for a task")
        if mixer_settings or width or max_layers or max_context:
            raise AttnsearchError(
                "--mixer-set, --width, --max-layers and --max-context are of a mixer: name one, or leave them"
                " out"
            )
        return verify_task(*single(ctx, "one task is verified at a time"), as_json=as_json)
    if knobs := given(ctx):
        flag = flag_of(next(iter(knobs)))
        raise AttnsearchError(f"{flag} sets a task that is verified alone: leave {mixer} out, or the flag")
    from attnsearch.backends import Backends
    from attnsearch.cli.console import console
    from attnsearch.probing.verify import verify
    from attnsearch.spec.grid import mixer_specs
    from attnsearch.spec.run import NetworkSpec
    from attnsearch.spec.task_file import find_task
    from attnsearch.training.jax.devices import use_every_core

    backend = Backends()
    known = backend.known_mixers
    lists = mixer_lists([mixer], mixer_settings, known)
    for name, values in lists.items():
        if len(values) > 1:
            raise AttnsearchError(
                f"one mixer is verified at a time: give {name} one value, not {len(values)}"
            )
    (spec,) = mixer_specs(mixer, known[mixer], lists)
    use_every_core()
    began, said = time.monotonic(), 0

    def tell(finding: Finding) -> None:
        nonlocal began, said
        seconds, began, said = time.monotonic() - began, time.monotonic(), said + 1
        note(f"[{said}/{len(CHECKS)}] {finding.check}: {finding.verdict}, {seconds:.1f} s")

    def keep_quiet(finding: Finding) -> None:
        del finding

    record = verify(
        spec,
        find_task(task or "linear_map"),
        backend=backend,
        width=width or NetworkSpec.width,
        max_layers=max_layers or MAX_LAYERS,
        max_context=max_context or MAX_CONTEXT,
        found=keep_quiet if quiet else tell,
    )
    file = record.save(out)
    if as_json:
        ability = {"sound": record.sound, "inability": record.inability}
        emit_json({**record.to_json(), **ability, "record": str(file)})
    else:
        console(stderr=False).print(table(record))
        say(conclusion(record))
        say(f"Record: {file}")
    return DONE if record.sound else REFUSED


def table(record: Verification) -> Table:
    """One row a check."""
    given = ", ".join(
        f"{name}={DERIVED if value is None else value}" for name, value in record.mixer.settings
    )
    return check_table(
        f"May the numbers of {record.mixer.name}{given and f' ({given})'} count?", record.findings
    )


def conclusion(record: Verification) -> str:
    """The answer in one line."""
    number = len(record.findings)
    if record.passed:
        return f"Yes: {record.mixer.name} passed all {number} checks"
    if record.sound:
        return f"Yes: {record.mixer.name} is sound; {record.inability}"
    refusing = ", ".join(record.refused_by)
    return f"No: {record.mixer.name} did not pass {len(record.refused_by)} of {number} checks: {refusing}"
