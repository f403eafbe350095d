"""What a shell may complete: names of tasks, mixers and suites, files, and words that a knob takes.

Each function here is a `shell_complete` of click. It gets the typed part of a value, and returns the values
that begin so. In a list, the last name is completed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, suppress
from pathlib import Path

import click
from click.shell_completion import CompletionItem

VARIABLE = "_ATTNSEARCH_COMPLETE"
"""The environment variable by which a shell asks for completions. Click makes it of the program's name."""

_Items = list[CompletionItem]


def quietly(command: Callable[[], object]) -> int:
    """Call `command`, which completes. An error is not printed: it would stand in the prompt."""
    with (
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        redirect_stderr(nowhere),
        suppress(Exception, SystemExit),
    ):
        command()
    return 0


def task_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> _Items:
    """The tasks that ship, and files."""
    from attnsearch.spec.task_file import shipped_tasks

    return [*_files(incomplete), *_listed(shipped_tasks(), incomplete)]


def mixer_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> _Items:
    """The mixers that ship, and the mixers of other packages."""
    from attnsearch.mixers import MIXERS, Mixer
    from attnsearch.spec import plugins
    from attnsearch.training.torch.names import PREFIX, TORCH_MIXERS

    in_torch = (PREFIX + name for name in TORCH_MIXERS)
    return _listed([*MIXERS, *plugins.installed(Mixer), *in_torch], incomplete)


def suite_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> _Items:
    """The suites that ship, and files."""
    from attnsearch.spec.suite import shipped_suites

    return [*_files(incomplete), *_listed(shipped_suites(), incomplete)]


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> _Items:
    """Files and folders."""
    return _files(incomplete)


def words(choices: Iterable[str]) -> Callable[[click.Context, click.Parameter, str], _Items]:
    """These words."""

    def completed(ctx: click.Context, param: click.Parameter, incomplete: str) -> _Items:
        return _listed(choices, incomplete)

    return completed


def _files(incomplete: str) -> _Items:
    """What has the shell complete files. It stands first: shells forget what was before it."""
    return [CompletionItem(incomplete, type="file")]


def _listed(names: Iterable[str], incomplete: str) -> _Items:
    before, comma, last = incomplete.rpartition(",")
    given = before.split(",")
    return [
        CompletionItem(before + comma + name)
        for name in dict.fromkeys(names)
        if name.startswith(last) and name not in given
    ]
