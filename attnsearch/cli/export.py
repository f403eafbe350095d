"""`attnsearch export`: the sequences of a task as a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from attnsearch.base import AttnsearchError
from attnsearch.cli.completing import task_names
from attnsearch.cli.flags import TaskCommand, single
from attnsearch.cli.options import json_option
from attnsearch.cli.output import emit_json, say
from attnsearch.cli.values import WholeNumber

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnsearch.spec.run import RunSpec, Value
    from attnsearch.spec.task_file import TaskFile

FORMS = (".parquet", ".npz")
"""What is written, by the ending of a file's name."""


@click.command(cls=TaskCommand)
@click.option(
    "--task",
    "task",
    required=True,
    metavar="NAME",
    shell_complete=task_names,
    help="a task, by name or as path of a task file",
)
@click.option("--sequences", type=WholeNumber(1), required=True, help="how many, 100_000 say")
@click.option("--seed", type=WholeNumber(0), default=0, help="of the run that sees them  [default: 0]")
@click.option("--rule-seed", type=WholeNumber(0), help="of the hidden rule  [default: the seed]")
@click.option(
    "--tokens-per-step", type=WholeNumber(1), help="of the run that sees them  [default: as for `run`]"
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="the file to write: .parquet or .npz",
)
@json_option
@click.option("--quiet", is_flag=True, help="show no progress, only warnings and errors")
@click.pass_context
def export(
    ctx: click.Context,
    task: str,
    sequences: int,
    seed: int,
    rule_seed: int | None,
    tokens_per_step: int | None,
    output: Path,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write the sequences of a task to a file: tokens, answers, supports and the hidden rule.

    They are the first that a run of this task and seed is trained on, in the same order. Another seed with
    the --rule-seed of the first gives fresh sequences of its rule. Sequences are drawn and written part by
    part, so that size does not matter.
    """
    from attnsearch.sequences.npz import write_npz
    from attnsearch.sequences.parquet import write_parquet
    from attnsearch.sequences.source import Source
    from attnsearch.training.jax.backend import JaxBackend

    write = {".parquet": write_parquet, ".npz": write_npz}.get(output.suffix.lower())
    if write is None:
        raise AttnsearchError(f"{output}: its ending says no form: use {' or '.join(FORMS)}")
    del task
    file, values = single(ctx, "export writes one task")
    spec = _run(file, values, seed, rule_seed, tokens_per_step)
    source = Source(JaxBackend().generator(spec.cell.task), spec, sequences)
    with _progress(sequences, quiet) as told:
        write(source, output, told)
    size, differ = output.stat().st_size, source.maps_differ
    if as_json:
        asked = {"task": spec.cell.task.name, "knobs": dict(spec.cell.task.knobs)}
        seeds = {"seed": spec.seed, "rule_seed": spec.rule_seed}
        shapes = {"context_length": source.made.context_length, "queries": len(source.made.query_positions)}
        counts = {"sequences": sequences, **shapes, "supports_differ": differ, "bytes": size}
        emit_json({"file": str(output), **asked, **seeds, **counts})
        return
    kept = "each with its supports" if differ else "supports once, for all"
    shape = f"{sequences:,} sequences of {source.made.context_length} tokens"
    say(f"{output}: {shape}, {kept}; {size / 1e6:.2f} MB")


def _run(
    file: TaskFile, values: dict[str, Value], seed: int, rule_seed: int | None, tokens_per_step: int | None
) -> RunSpec:
    """A run that sees the sequences; of its network, which plays no part, nothing is meant."""
    from attnsearch.spec.grid import product, training_specs
    from attnsearch.spec.run import MixerSpec
    from attnsearch.spec.settings import SETTINGS

    training = {name: [value] for name, value in file.defaults if name in SETTINGS}
    if tokens_per_step is not None:
        training["tokens_per_step"] = [tokens_per_step]
    nothing = MixerSpec("", ())
    (run,) = product([file.resolve(values)], training_specs(training), [nothing], [seed], rule_seed)
    return run


@contextmanager
def _progress(sequences: int, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Told how many sequences are written; shows them on a terminal."""
    from rich.progress import Progress

    from attnsearch.cli.console import console

    screen = console(stderr=True)
    with Progress(console=screen, transient=True, disable=quiet or not screen.is_interactive) as shown:
        bar = shown.add_task("sequences", total=sequences)
        yield lambda count: shown.advance(bar, count)
