"""`attnsearch tasks` and `attnsearch mixers`: what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from attnsearch.base import AttnsearchError
from attnsearch.cli.options import json_option
from attnsearch.cli.output import emit_json, say

if TYPE_CHECKING:
    from attnsearch.spec.task_file import TaskFile


@click.command()
@json_option
def tasks(as_json: bool) -> None:
    """List the tasks, one line each."""
    from attnsearch.spec.task_file import shipped_tasks

    known = shipped_tasks()
    if as_json:
        emit_json({"tasks": [_task(file) for file in known.values()]})
        return
    width = max(map(len, known))
    for task in known.values():
        say(f"{task.name:<{width}}  {task.title}")


def _task(file: TaskFile) -> dict[str, Any]:
    knobs = [
        {
            "name": knob.name,
            "meaning": knob.meaning,
            "range": knob.describe_range(),
            "default": knob.default,
            "ratio": knob.ratio,
            "default_ratio": knob.default_ratio,
        }
        for knob in file.knobs
    ]
    words = {"name": file.name, "title": file.title, "generator": file.generator, "source": file.source}
    return {**words, "knobs": knobs, "defaults": dict(file.defaults)}


@click.command()
@json_option
def mixers(as_json: bool) -> None:
    """List the mixers that ship and the mixers of other packages, one line each, with their settings."""
    from attnsearch.mixers import MIXERS
    from attnsearch.mixers.base import Mixer, default_settings, describe
    from attnsearch.spec import plugins

    names = list(dict.fromkeys([*MIXERS, *plugins.installed(Mixer)]))
    width = max(map(len, names))
    found: list[dict[str, Any]] = []
    for name in names:
        try:
            mixer = plugins.find(name, MIXERS, Mixer)
            line = describe(mixer)
            known = {"description": line, "settings": dict(default_settings(mixer)), "error": None}
        except AttnsearchError as error:
            line = f"cannot be used: {error}"
            known = {"description": None, "settings": None, "error": str(error)}
        found.append({"name": name, **known})
        if not as_json:
            say(f"{name:<{width}}  {line}")
    if as_json:
        emit_json({"mixers": found})
