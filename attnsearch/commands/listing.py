"""`attnsearch tasks` and `attnsearch mixers`: what there is."""

from __future__ import annotations

import click


@click.command()
def tasks() -> None:
    """List the tasks, one line each."""
    from attnsearch.taskfiles import shipped_tasks

    known = shipped_tasks()
    width = max(map(len, known))
    for task in known.values():
        click.echo(f"{task.name:<{width}}  {task.title}")


@click.command()
def mixers() -> None:
    """List the mixers, one line each, with their settings."""
    from attnsearch.mixers.base import describe
    from attnsearch.plan import Registries

    known = Registries().mixers
    width = max(map(len, known))
    for name, mixer in known.items():
        click.echo(f"{name:<{width}}  {describe(mixer)}")
