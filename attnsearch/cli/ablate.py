"""`attnsearch ablate`: what each head of a trained network is worth."""

from __future__ import annotations

from pathlib import Path

import click

from attnsearch.base import AttnsearchError
from attnsearch.cli.options import OUT, plots_option
from attnsearch.cli.output import emit_json, say


@click.command()
@click.argument("run", metavar="RUN")
@click.option(
    "--out",
    type=OUT,
    help="the store in which digits are looked up; the picture goes to its pictures/  [default: results, or"
    " the store that RUN lies in]",
)
@click.option("--json", "as_json", is_flag=True, help="one JSON document on stdout, and nothing else there")
@plots_option
@click.option(
    "--sequences",
    type=click.IntRange(1),
    metavar="N",
    help="over which losses are averaged  [default: 1024, fewer of long contexts]",
)
def ablate(run: str, out: Path | None, as_json: bool, no_plots: bool, sequences: int | None) -> None:
    """Take the heads out of a trained network one by one, and see which target needs which.

    RUN is the folder of a run, the first digits of its digest, or a folder that was given as --out if it
    holds one run; it must have been trained with --save-params.
    """
    from attnsearch.cli.console import console
    from attnsearch.plots.style import require_matplotlib
    from attnsearch.probing.ablation import ablate, require_heads
    from attnsearch.results.head_costs import sentences, table
    from attnsearch.runs import parameters as parameter_files
    from attnsearch.runs.lookup import DEFAULT_STORE, folder_of
    from attnsearch.runs.store import UnreadableRun, read
    from attnsearch.training.jax.backend import JaxBackend

    parameter_files.require_safetensors()
    if not no_plots:
        require_matplotlib()
    folder = folder_of(run, out or DEFAULT_STORE)
    try:
        found = read(folder)
    except UnreadableRun as error:
        raise AttnsearchError(str(error)) from error
    cell, digest = found.spec.cell, found.spec.digest
    require_heads(JaxBackend().trainer(cell).network, cell.mixer.name)
    if not (folder / parameter_files.FILE).exists():
        raise AttnsearchError(
            f"run {digest[:12]} is stored without its parameters: give the command that made it again, with"
            f" --save-params --out {folder.parent.parent}"
        )
    arrays, step = parameter_files.unpacked(folder, digest)
    costs = ablate(found, arrays, step, sequences=sequences)
    picture = None
    if not no_plots:
        from attnsearch.plots.head_costs import head_costs

        name = f"ablation-{cell.task.name}-{cell.mixer.name}-seed-{found.spec.seed}-{digest[:8]}.png"
        path = (out or folder.parent.parent) / "pictures" / name
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
