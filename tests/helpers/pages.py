"""Pages of docs that are followed by tests: their code, their commands, the errors that they quote."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest

from attnsearch.cli.main import main

DOCS = Path(__file__).parents[2] / "docs"


class Page:
    """A page by its name in docs/."""

    def __init__(self, name: str):
        self.name = name
        self.text = (DOCS / name).read_text(encoding="utf-8")

    def code(self, language: str) -> list[str]:
        """Its blocks of code in a language, in order."""
        return re.findall(rf"```{language}\n(.*?)```", self.text, re.DOTALL)

    @property
    def commands(self) -> list[list[str]]:
        """The arguments of every command that it gives."""
        return [shlex.split(line)[1:] for block in self.code("sh") for line in block.splitlines()]

    @property
    def quoted(self) -> list[tuple[str, str]]:
        """Commands, each with the error that the page quotes."""
        return re.findall(r"^\$ attnsearch (.*)\n(.*)$", self.text, re.MULTILINE)


def status_of(arguments: Sequence[str]) -> int:
    """The exit status of a command that is given in this process."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)
