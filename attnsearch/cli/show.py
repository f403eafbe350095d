"""`attnsearch show`: an example of a task, drawn."""

from __future__ import annotations

from pathlib import Path

import click

from attnsearch.base import AttnsearchError
from attnsearch.cli.completing import task_names
from attnsearch.cli.flags import TaskCommand, single
from attnsearch.cli.options import OUT, json_option
from attnsearch.cli.output import emit_json, say
from attnsearch.cli.values import WholeNumber


@click.command(cls=TaskCommand)
@click.option(
    "--task",
    "task",
    required=True,
    metavar="NAME",
    shell_complete=task_names,
    help="a task, by name or as path of a task file",
)
@click.option("--seed", type=WholeNumber(0), default=0, help="of the rule and the sequence  [default: 0]")
@click.option(
    "--target",
    type=WholeNumber(0),
    help="the target to highlight  [default: one that shows the task well]",
)
@click.option(
    "--out", type=OUT, default=Path("results"), help="the picture goes to its pictures/  [default: results]"
)
@click.option("--no-plots", is_flag=True, help="no picture, only the drawing in the terminal")
@json_option
@click.pass_context
def show(
    ctx: click.Context,
    task: str,
    seed: int,
    target: int | None,
    out: Path,
    no_plots: bool,
    as_json: bool,
) -> None:
    """Draw an example of a task: what one of its targets is made of, and the attention map."""
    from attnsearch.cli.console import console
    from attnsearch.examples.example import draw
    from attnsearch.spec.names import file_stem, in_words, joined
    from attnsearch.training.jax.backend import JaxBackend

    file, values = single(ctx, "show draws one example")
    spec = file.resolve(values)
    example = draw(spec, seed, JaxBackend())
    target = example.telling if target is None else target
    if target >= example.targets:
        raise AttnsearchError(f"target {target} is outside 0 to {example.targets - 1}")
    del task
    if not as_json:
        console(stderr=False).print(example.terminal(target), soft_wrap=True)
    picture = None
    if not no_plots:
        words = ["example", spec.name, *(in_words(name, value) for name, value in spec.knobs)]
        stem = file_stem(joined(*words), f"-seed-{seed}-target-{target}")
        path = out / "pictures" / f"{stem}.png"
        picture = str(example.picture(path, target, f"{spec.name}, seed {seed}"))
    if as_json:
        asked = {"task": spec.name, "knobs": dict(spec.knobs), "seed": seed, "target": target}
        emit_json({**asked, "drawing": example.terminal(target).plain.splitlines(), "picture": picture})
    elif picture is not None:
        say(f"Picture: {picture}")
