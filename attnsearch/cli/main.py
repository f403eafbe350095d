"""The command line: every command, and what becomes of its errors."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from attnsearch.base import AttnsearchError, nearest
from attnsearch.cli.completing import VARIABLE, quietly
from attnsearch.cli.status import MEANINGS, past_click, status_of

COMMANDS: Mapping[str, Mapping[str, str]] = {
    "Run": {
        "run": "attnsearch.cli.run:run",
        "sweep": "attnsearch.cli.sweep:sweep",
        "plan": "attnsearch.cli.plan:plan",
    },
    "Look": {
        "tasks": "attnsearch.cli.listing:tasks",
        "mixers": "attnsearch.cli.listing:mixers",
        "show": "attnsearch.cli.show:show",
        "ls": "attnsearch.cli.stored:ls",
        "rm": "attnsearch.cli.stored:rm",
        "gc": "attnsearch.cli.gc:gc",
        "results": "attnsearch.cli.results:results",
        "report": "attnsearch.cli.report:report",
        "watch": "attnsearch.cli.watch:watch",
        "ablate": "attnsearch.cli.ablate:ablate",
    },
    "Compare": {
        "compare": "attnsearch.cli.compare:compare",
        "law": "attnsearch.cli.law:law",
        "leaderboard": "attnsearch.cli.leaderboard:leaderboard",
    },
    "Share": {
        "submit": "attnsearch.cli.submit:submit",
        "audit": "attnsearch.cli.audit:audit",
        "export": "attnsearch.cli.export:export",
    },
    "Check": {
        "doctor": "attnsearch.cli.doctor:doctor",
        "verify": "attnsearch.cli.verify:verify",
        "baseline": "attnsearch.cli.baseline:baseline",
        "check": "attnsearch.cli.check:check",
    },
    "Shell": {
        "completion": "attnsearch.cli.completion:completion",
    },
}
"""Each command by name, and where it is: `package.module:object`. It is imported when it is needed. The help
lists commands in these sections."""

HELP = """\
Measure how long a sequence mixer searches for the attention pattern that a task needs.

\b
attnsearch run --task linear_map --sparsity 0.5            eight networks search, about a minute
attnsearch run --task linear_map --sparsity 0.25,0.5 --mixer attention,mlp_mixer
attnsearch plan smoke                                      what a suite would take
attnsearch sweep smoke                                     the suite
attnsearch show --task linear_map                          an example, drawn
attnsearch report results/                                 everything about stored runs, on one page
"""


_SENTENCE = 200
"""Characters of help that are shown of each command; its first sentence is shorter."""


class Commands(click.Group):
    """The program `attnsearch` with commands by section, as in `COMMANDS`: `Commands({**COMMANDS, ...})`."""

    def __init__(self, sections: Mapping[str, Mapping[str, str]]):
        version = click.version_option(package_name="attnsearch")
        names = {"help_option_names": ["-h", "--help"]}
        super().__init__("attnsearch", help=HELP, epilog=MEANINGS, context_settings=names)
        version(self)
        self._sections = sections
        self._homes = {name: home for homes in sections.values() for name, home in homes.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they are declared."""
        return list(self._homes)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command."""
        if cmd_name not in self._homes:
            return None
        module, _, name = self._homes[cmd_name].partition(":")
        return getattr(import_module(module), name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """In sections, with the first sentence of each command's help."""
        width = max(map(len, self._homes))
        for section, homes in self._sections.items():
            found = [(name.ljust(width), self.get_command(ctx, name)) for name in homes]
            with formatter.section(section):
                formatter.write_dl(
                    [(name, command.get_short_help_str(_SENTENCE)) for name, command in found if command]
                )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As any group does. The error about an unknown command names the nearest."""
        known = not args or args[0].startswith("-") or args[0] in self._homes
        if not known and not ctx.resilient_parsing:
            raise AttnsearchError(f"unknown command {args[0]!r}.{nearest(args[0], self._homes)}")
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Without any argument, the help."""
        return super().parse_args(ctx, args or ["--help"])

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """As any group does, with the errors of printing the help."""
        with past_click():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command, with its errors."""
        with past_click():
            return super().invoke(ctx)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> NoReturn:
        """Run a command and end the process with its exit status, whatever happens (see `MEANINGS`)."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # A name that the terminal's encoding does not have is shown as far as it can be.
                stream.reconfigure(errors="backslashreplace")
        base = super().main

        def call() -> Any:
            return base(
                args,
                prog_name or "attnsearch",
                complete_var,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                **extra,
            )

        if VARIABLE in os.environ:
            from attnsearch.cli.shells import register

            register()
            sys.exit(quietly(call))
        sys.exit(status_of(call))


cli = Commands(COMMANDS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point."""
    cli.main(arguments)
