"""`attnsearch tasks` and `attnsearch mixers`: what there is."""

from __future__ import annotations

import click

from attnsearch.base import AttnsearchError
from attnsearch.cli.output import say


@click.command()
def tasks() -> None:
    """List the tasks, one line each."""
    from attnsearch.spec.task_file import shipped_tasks

    known = shipped_tasks()
    width = max(map(len, known))
    for task in known.values():
        say(f"{task.name:<{width}}  {task.title}")


@click.command()
def mixers() -> None:
    """List the mixers that ship and the mixers of other packages, one line each, with their settings."""
    from attnsearch.mixers import MIXERS
    from attnsearch.mixers.base import Mixer, describe
    from attnsearch.spec import plugins

    names = list(dict.fromkeys([*MIXERS, *plugins.installed(Mixer)]))
    width = max(map(len, names))
    for name in names:
        try:
            line = describe(plugins.find(name, MIXERS, Mixer))
        except AttnsearchError as error:
            line = f"cannot be used: {error}"
        say(f"{name:<{width}}  {line}")
