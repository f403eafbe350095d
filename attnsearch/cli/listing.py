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
    """List the mixers that ship and the mixers of other packages, one line each, with their settings.

    A mixer that is called torch:... is written in PyTorch, and needs the extra `torch`.
    """
    from attnsearch.mixers import MIXERS
    from attnsearch.mixers.base import Mixer
    from attnsearch.spec import plugins
    from attnsearch.training.torch.names import PREFIX, TORCH_MIXERS

    found = [_mixer(name) for name in dict.fromkeys([*MIXERS, *plugins.installed(Mixer)])]
    found += [_torch_mixer(PREFIX, name) for name in TORCH_MIXERS]
    if as_json:
        emit_json({"mixers": found})
        return
    width = max(len(one["name"]) for one in found)
    for one in found:
        line = f"cannot be used: {one['error']}" if one["error"] else one["description"]
        say(f"{one['name']:<{width}}  {line}")


def _mixer(name: str) -> dict[str, Any]:
    from attnsearch.mixers import MIXERS
    from attnsearch.mixers.base import Mixer, default_settings, describe
    from attnsearch.spec import plugins

    try:
        mixer = plugins.find(name, MIXERS, Mixer)
        known = {"description": describe(mixer), "settings": dict(default_settings(mixer)), "error": None}
    except AttnsearchError as error:
        known = {"description": None, "settings": None, "error": str(error)}
    return {"name": name, **known}


def _torch_mixer(prefix: str, name: str) -> dict[str, Any]:
    from attnsearch.spec.names import written
    from attnsearch.training.torch.names import described

    summary, settings = described(name)
    listed = ", ".join(f"{setting}={written(value)}" for setting, value in settings.items())
    line = f"{summary}  [{listed}]" if listed else summary
    return {"name": prefix + name, "description": line, "settings": dict(settings), "error": None}
