"""Flags for the knobs and settings that there are. Each takes a list."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

import click
from click.shell_completion import CompletionItem

from attnsearch.base import AttnsearchError, nearest, plain
from attnsearch.cli.completing import words
from attnsearch.cli.values import Values
from attnsearch.spec.grid import KnownMixers
from attnsearch.spec.names import written
from attnsearch.spec.run import Value, of_mixer
from attnsearch.spec.settings import SETTINGS
from attnsearch.spec.task_file import TaskFile, find_task, shipped_tasks

_TASKS = "attnsearch.tasks"
_VALUES = "attnsearch.values"
_COMPLETED = "attnsearch.completed"
_OWN = "Options"

_Command = TypeVar("_Command", bound=Callable[..., object])


class _SettingOption(click.Option):
    """A flag for a setting: a list of values, kept apart from the command's own parameters."""

    def __init__(self, name: str, section: str, text: str, choices: Sequence[str] = ()):
        super().__init__(
            [flag_of(name)],
            type=Values(),
            multiple=True,
            metavar="LIST",
            help=text,
            expose_value=False,
            callback=_keep,
            shell_complete=words(choices),
        )
        self.section = section
        self.setting = name


def flag_of(setting: str) -> str:
    """The flag of a setting: `--state-size`, or `--mixer-state-size` for `mixer.state_size`."""
    return f"--{re.sub('[_.]', '-', setting)}"


def names_taken(tasks: Sequence[TaskFile]) -> set[str]:
    """Names that mean a knob of `tasks` or a setting of every run, before they mean a mixer's setting."""
    return {name for task in tasks for name in task.setting_names} | SETTINGS.keys()


def _keep(ctx: click.Context, param: click.Parameter, lists: Sequence[tuple[Value, ...]]) -> None:
    if lists and isinstance(param, _SettingOption):
        ctx.meta.setdefault(_VALUES, {})[param.setting] = tuple(value for values in lists for value in values)


def switch(flag: str, setting: str, value: bool, text: str) -> Callable[[_Command], _Command]:
    """An option without a value. It gives `setting` this one."""

    def keep(ctx: click.Context, param: click.Parameter, given: bool) -> None:
        if given:
            ctx.meta.setdefault(_VALUES, {})[setting] = (value,)

    return click.option(flag, is_flag=True, expose_value=False, help=text, callback=keep)


class SettingsCommand(click.Command):
    """A command with flags of settings beside its own. Its help lists them in sections."""

    def added(self, ctx: click.Context) -> list[_SettingOption]:
        """The flags of settings: here, each replaces what a suite says."""
        return _setting_options("the suite's")

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        # Tasks that share a knob share its flag.
        added = {option.name: option for option in reversed(self.added(ctx))}
        return [*super().get_params(ctx), *added.values()]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            # Arguments stand in the line of usage.
            if record is not None and isinstance(param, click.Option):
                section = param.section if isinstance(param, _SettingOption) else _OWN
                sections.setdefault(section, []).append((plain(record[0]), plain(record[1])))
        own = sections.pop(_OWN)
        for section, records in reversed(sections.items()):
            with formatter.section(section):
                formatter.write_dl(records[::-1])
        with formatter.section(_OWN):
            formatter.write_dl(own)


class TaskCommand(SettingsCommand):
    """A command with a flag for every knob of the tasks that it is given."""

    def known_mixers(self) -> KnownMixers | None:
        """The mixers whose settings are flags too, beside `SETTINGS`; None for a command without either."""
        return None

    def without_task(self) -> None:
        """Called where no task is given. Errors: AttnsearchError for a command that needs one."""
        raise AttnsearchError(f"which task? Give --task.{nearest('', shipped_tasks())}")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        tasks = _named_tasks(args)
        if ctx.resilient_parsing:
            ctx.meta[_TASKS] = list(_found(tasks))
            return super().parse_args(ctx, args)
        if not tasks and not any(flag in args for flag in ctx.help_option_names):
            self.without_task()
        ctx.meta[_TASKS] = [find_task(name) for name in tasks]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        ctx.meta[_COMPLETED] = incomplete.startswith("-")
        return super().shell_complete(ctx, incomplete)

    def added(self, ctx: click.Context) -> list[_SettingOption]:
        tasks = ctx.meta.get(_TASKS, [])
        added = _knob_options(tasks)
        # Whoever only completes a value need not wait until mixers are loaded.
        known_mixers = self.known_mixers() if ctx.meta.get(_COMPLETED, not ctx.resilient_parsing) else None
        if known_mixers is not None:
            defaults = [dict(task.defaults) for task in tasks]
            added += _mixer_options(known_mixers, defaults, names_taken(tasks))
            added += _setting_options(defaults=defaults)
        return added


def given(ctx: click.Context) -> dict[str, tuple[Value, ...]]:
    """The settings given as flags, each with its values."""
    return ctx.meta.get(_VALUES, {})


def single(ctx: click.Context, verb: str) -> tuple[TaskFile, dict[str, Value]]:
    """The one task named on the command line and its knobs, with one value each.

    Errors: AttnsearchError for several, with the `verb`: "show draws one example".
    """
    files, values = tasks_of(ctx), given(ctx)
    lists = [name for name, listed in values.items() if len(listed) > 1]
    if len(files) > 1 or lists:
        raise AttnsearchError(f"{verb}: give {lists[0] if lists else 'task'} one value")
    return files[0], {name: listed[0] for name, listed in values.items()}


def tasks_of(ctx: click.Context) -> list[TaskFile]:
    """The task files named on the command line."""
    return ctx.meta[_TASKS]


def _knob_options(tasks: Sequence[TaskFile]) -> list[_SettingOption]:
    options = []
    for task in tasks:
        for knob in task.knobs:
            default = f"default: {knob.default}"
            if knob.default_ratio is not None:
                default = f"default: {knob.ratio} {knob.default_ratio:g}"
            text = f"{knob.meaning}  [{knob.describe_range()}; {default}]"
            options.append(_SettingOption(knob.name, "Task", text, knob.choices))
            if knob.ratio is not None:
                share = f"the same as a share of {knob.maximum}  [above 0, up to 1]"
                options.append(_SettingOption(knob.ratio, "Task", share))
    return options


_Defaults = Sequence[Mapping[str, Value]]
"""For each task named, the defaults that it changes."""


def _default(name: str, own: Value | None, defaults: _Defaults) -> str:
    """The value where a flag is not given; of several tasks, each that may hold."""
    values = dict.fromkeys(one.get(name, own) for one in defaults) or {own: None}
    return " or ".join(map(written, values))


def _setting_options(default: str | None = None, defaults: _Defaults = ()) -> list[_SettingOption]:
    """One for each of `SETTINGS` but the switches. `default`: the value where the flag is not given."""
    return [
        _SettingOption(
            name,
            "Training and network",
            f"{setting.meaning}  [{setting.describe()}; default: "
            f"{default or _default(name, setting.default, defaults)}]",
            setting.choices,
        )
        for name, setting in SETTINGS.items()
        if not isinstance(setting.default, bool)
    ]


def _mixer_options(
    known_mixers: KnownMixers, defaults: _Defaults, taken: Collection[str]
) -> list[_SettingOption]:
    return [
        _SettingOption(
            of_mixer(name, taken), "Mixer", f"of {mixer}  [default: {_default(name, default, defaults)}]"
        )
        for mixer, has in known_mixers.items()
        for name, default in has.items()
    ]


def _found(names: Iterable[str]) -> Iterator[TaskFile]:
    """The tasks among `names`, which may not be typed to their ends."""
    for name in names:
        with suppress(AttnsearchError):
            yield find_task(name)


def _named_tasks(args: Sequence[str]) -> list[str]:
    """The names after `--task`, before click has parsed anything: the flags depend on them."""
    names: list[str] = []
    for index, argument in enumerate(args):
        if argument.startswith("--task="):
            names += argument.removeprefix("--task=").split(",")
        elif argument == "--task" and index + 1 < len(args):
            names += args[index + 1].split(",")
    return [name.strip() for name in names]
