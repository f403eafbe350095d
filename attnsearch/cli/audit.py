"""`attnsearch audit`: are the curves of an entry what training gives?"""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from attnsearch.base import AttnsearchError
from attnsearch.cli.completing import files, mixer_names
from attnsearch.cli.options import OUT, engine_options, json_option
from attnsearch.cli.output import emit_json, note, program, say
from attnsearch.cli.status import DONE, INTERRUPTED
from attnsearch.cli.values import WholeNumber
from attnsearch.cli.verdicts import REFUSED

if TYPE_CHECKING:
    from attnsearch.backends import Backends
    from attnsearch.leaderboard.entry import Entry
    from attnsearch.spec.run import RunSpec

LARGEST_SEED = 2**32
"""Seeds that are drawn are below this."""


@click.command()
@click.argument("entry", metavar="ENTRY", shell_complete=files)
@click.option(
    "--runs",
    "count",
    type=WholeNumber(1),
    default=3,
    metavar="N",
    help="runs that are trained anew, at most 100; a quarter of them at most were chosen by  [default: 3]",
)
@click.option(
    "--seed",
    type=WholeNumber(0),
    help="by which the runs are drawn; give it again to go on after an interruption  [default: random]",
)
@click.option(
    "--mixer",
    metavar="NAME",
    shell_complete=mixer_names,
    help="the entry's mixer, where it is your own or its sender's: package.module:Class, which is imported",
)
@click.option(
    "--generator",
    metavar="NAME",
    help="the generator of its tasks, where it does not ship: package.module:Class, which is imported",
)
@engine_options
@click.option(
    "--out",
    type=OUT,
    default=Path("results/audits"),
    help="the folder for the runs, in one of its own for each audit  [default: results/audits]",
)
@json_option
@click.option("--quiet", is_flag=True, help="show no progress, only warnings and errors")
def audit(
    entry: str,
    count: int,
    seed: int | None,
    mixer: str | None,
    generator: str | None,
    lanes: int | None,
    checkpoint_every: float,
    out: Path,
    as_json: bool,
    quiet: bool,
) -> int:
    """Train some runs of an entry anew, and say whether its curves are what training gives.

    ENTRY is a file that `attnsearch submit` made. A random seed draws the runs, so that its sender cannot
    know which they will be. Where the environment is the same, curves must be equal bit for bit. Elsewhere
    they must lie within the scatter of their cell; an honest entry fails that test one time in twenty at
    most. The mixer is verified again. The result is stored beside the entry, where leaderboards look for it.
    Exit status 0 where it agrees, 1 where it does not.
    """
    from attnsearch.backends import Backends
    from attnsearch.cli.console import console
    from attnsearch.cli.progress import progress_for
    from attnsearch.leaderboard import audit_file
    from attnsearch.leaderboard.audit import audited, digest_of, sample
    from attnsearch.leaderboard.audit_tables import conclusion, table
    from attnsearch.leaderboard.entry_file import LARGEST_FILE, parsed
    from attnsearch.runs.store import Store
    from attnsearch.spec.reading import content_of, placed
    from attnsearch.training.backend import TrainingSettings
    from attnsearch.training.jax.devices import use_every_core
    from attnsearch.training.runner import run

    if count > audit_file.MOST_RUNS:
        raise AttnsearchError(f"--runs {count} is more than {audit_file.MOST_RUNS}: audit fewer")
    path = Path(entry)
    content = content_of(path, LARGEST_FILE)
    with placed(entry):
        told = parsed(content)
    backend = Backends()
    _require_named(told, backend, mixer, generator)
    use_every_core()
    seed = secrets.randbelow(LARGEST_SEED) if seed is None else seed
    specs = sample(told, count, seed)
    backend.cohorts(specs)
    # What its sender has stored is not trained anew.
    store = Store.open(out / f"{digest_of(content)[:16]}-{seed}")
    note(f"Seed {seed} draws {len(specs)} of the entry's runs; they are stored in {store.root}.")
    settings = TrainingSettings(lanes or _lanes(told), checkpoint_every)
    try:
        with progress_for(quiet, store) as observer:
            trained = run(specs, store, backend, observer, settings)
    except KeyboardInterrupt:
        words = ["audit", entry, "--runs", str(count), "--seed", str(seed), "--out", str(out)]
        words += ["--mixer", mixer] if mixer else []
        words += ["--generator", generator] if generator else []
        done = sum(store.holds(spec) for spec in specs)
        note(
            f"Interrupted: {done} of {len(specs)} runs are stored. To go on: {program()} {shlex.join(words)}"
        )
        return INTERRUPTED
    found = audited(told, content, seed, trained, sound=_sound(told, specs, backend, quiet))
    file = audit_file.save(found, path)
    if as_json:
        reasons = {"p_value_of_all": found.p_value, "reasons": found.reasons, "audit": str(file)}
        verdicts = [found.verdict(one) for one in found.runs]
        emit_json({**audit_file.values(found), "verdicts": verdicts, **reasons})
    else:
        console(stderr=False).print(table(found, specs))
        for line in conclusion(found):
            say(line)
        say(f"Audit: {file}")
    return DONE if found.agrees else REFUSED


def _require_named(entry: Entry, backend: Backends, mixer: str | None, generator: str | None) -> None:
    """Errors: AttnsearchError for code of others that the user has not named, since it would be run."""
    from attnsearch.generators import Generator
    from attnsearch.spec import plugins

    if entry.mixer.name != mixer:
        backend.require_named(entry.mixer.name)
    for name in {cell.spec.task.generator for cell in (*entry.scored, *entry.selection)} - {generator}:
        plugins.require_named(name, backend.jax.generators, Generator)


def _lanes(entry: Entry) -> int | None:
    """As many lanes as its runs were trained in, where it tells one number: other numbers round otherwise."""
    told = entry.environment.get("lanes", "")
    return int(told) if told.isdecimal() and 0 < int(told) < 2**16 else None


def _sound(entry: Entry, specs: Sequence[RunSpec], backend: Backends, quiet: bool) -> bool:
    """Whether the mixer is sound, as it is installed here. Errors: AttnsearchError."""
    from attnsearch.probing.verify import verify
    from attnsearch.runs.verification import CHECKS, Finding
    from attnsearch.spec.task_file import find_task, shipped_tasks

    said = 0

    def tell(finding: Finding) -> None:
        nonlocal said
        said += 1
        if not quiet:
            note(f"[{said}/{len(CHECKS)}] {finding.check}: {finding.verdict}")

    record = entry.verification
    task = record.task if record is not None and record.task in shipped_tasks() else "linear_map"
    width = record.width if record is not None else specs[0].cell.network.width
    return verify(entry.mixer, find_task(task), backend=backend, width=width, found=tell).sound
