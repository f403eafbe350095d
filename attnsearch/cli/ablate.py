"""`attnsearch ablate`: what each head of a trained network is worth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from attnsearch.base import AttnsearchError
from attnsearch.cli.completing import files
from attnsearch.cli.options import OUT, json_option, plots_option
from attnsearch.cli.output import emit_json, say
from attnsearch.cli.values import WholeNumber

if TYPE_CHECKING:
    from attnsearch.training.jax.backend import JaxBackend


@click.command()
@click.argument("run", metavar="RUN", shell_complete=files)
@click.option(
    "--out",
    type=OUT,
    help="the store in which digits are looked up; the picture goes to its pictures/  [default: results, or"
    " the store that RUN lies in]",
)
@json_option
@plots_option
@click.option(
    "--mixer",
    metavar="NAME",
    help="the mixer of RUN, where it is your own: package.module:Class, which is imported",
)
@click.option(
    "--generator",
    metavar="NAME",
    help="the generator of its task, where it is your own: package.module:Class, which is imported",
)
@click.option(
    "--sequences",
    type=WholeNumber(1),
    metavar="N",
    help="over which losses are averaged  [default: 1024, fewer of long contexts]",
)
def ablate(
    run: str,
    out: Path | None,
    as_json: bool,
    no_plots: bool,
    mixer: str | None,
    generator: str | None,
    sequences: int | None,
) -> None:
    """Take the heads out of a trained network one by one, and see which target needs which.

    RUN is the folder of a run, or the first digits of its digest. A folder that was given as --out stands for
    its run where it holds one. The run must have been trained with --save-params.
    """
    from attnsearch.cli.console import console
    from attnsearch.plots.style import require_matplotlib
    from attnsearch.probing.ablation import ablate, trainer_of
    from attnsearch.results.head_costs import sentences, table
    from attnsearch.runs import parameters as parameter_files
    from attnsearch.runs.lookup import DEFAULT_STORE, folder_of
    from attnsearch.runs.run_files import UnreadableRun
    from attnsearch.runs.store import read
    from attnsearch.spec.names import Names

    parameter_files.require_safetensors()
    if not no_plots:
        require_matplotlib()
    folder = folder_of(run, out or DEFAULT_STORE)
    try:
        found = read(folder)
    except UnreadableRun as error:
        raise AttnsearchError(str(error)) from error
    cell, digest = found.spec.cell, found.spec.digest
    backend = _backend(mixer, generator)
    trainer_of(found, backend)
    if not (folder / parameter_files.FILE).exists():
        raise AttnsearchError(
            f"run {digest[:12]} is stored without its parameters: give the command that made it again, with"
            f" --save-params --out {folder.parent.parent}"
        )
    arrays, step = parameter_files.unpacked(folder, digest)
    costs = ablate(found, arrays, step, sequences=sequences, backend=backend)
    picture = None
    if not no_plots:
        from attnsearch.plots.head_costs import head_costs

        name = Names([cell]).stem(found.spec, "heads")
        path = (out or folder.parent.parent) / "pictures" / f"{name}.png"
        title = f"Heads: {cell.task.name}, {cell.mixer.name}, seed {found.spec.seed}"
        picture = str(head_costs(path, costs, title))
    if as_json:
        emit_json({**costs.to_json(), "picture": picture})
        return
    screen = console(stderr=False)
    screen.print(table(costs))
    for sentence in sentences(costs):
        screen.print(sentence, markup=False, highlight=False)
    if picture is not None:
        say(f"Picture: {picture}")


def _backend(mixer: str | None, generator: str | None) -> JaxBackend:
    """One that knows what ships, and the user's own code where it is named."""
    from attnsearch.generators import GENERATORS, Generator
    from attnsearch.mixers import MIXERS, Mixer
    from attnsearch.spec.plugins import find
    from attnsearch.training.jax.backend import JaxBackend

    return JaxBackend(
        mixers=MIXERS | ({} if mixer is None else {mixer: find(mixer, MIXERS, Mixer)}),
        generators=GENERATORS
        | ({} if generator is None else {generator: find(generator, GENERATORS, Generator)}),
    )
