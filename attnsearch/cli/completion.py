"""`attnsearch completion`: the script by which a shell completes what is typed."""

from __future__ import annotations

import click

from attnsearch.cli.completing import VARIABLE
from attnsearch.cli.output import emit
from attnsearch.cli.shells import SHELLS


@click.command()
@click.argument("shell", metavar="|".join(SHELLS), type=click.Choice(list(SHELLS)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script by which a shell completes commands, flags, tasks, mixers and suites.

    \b
    bash   add to ~/.bashrc:  eval "$(attnsearch completion bash)"
    zsh    add to ~/.zshrc:   eval "$(attnsearch completion zsh)"
    fish   attnsearch completion fish > ~/.config/fish/completions/attnsearch.fish
    """
    made = SHELLS[shell](ctx.find_root().command, {}, "attnsearch", VARIABLE)
    emit(made.source_template % made.source_vars())
