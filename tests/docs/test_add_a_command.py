"""docs/add-a-command.md does what it says: a file and a line are a command."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import made_runs
from helpers.hand_made import run_of, spec_of
from helpers.pages import Page

from attnsearch.cli.main import COMMANDS, Commands

PAGE = Page("add-a-command.md")
FILE, LINE, PROGRAM = PAGE.code("python")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Commands]:
    """A program with the command, which lies in a module of one's own."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_commands", raising=False)
    (tmp_path / "my_commands.py").write_text(FILE)
    namespace: dict[str, Any] = {}
    exec(compile(PROGRAM, PAGE.name, "exec"), namespace)
    yield namespace["program"]
    sys.modules.pop("my_commands", None)


def called(program: Commands, *arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        program.main(arguments)
    return int(ended.value.code or 0)


def test_the_line_is_one_of_the_registry() -> None:
    ((name, home),) = eval(f"{{{LINE}}}").items()
    module, _, command = home.partition(":")
    assert (name, command) == ("seeds", "seeds")
    assert module.startswith("attnsearch.cli.")
    assert all(place.startswith("attnsearch.cli.") for homes in COMMANDS.values() for place in homes.values())


def test_the_command_is_listed_explained_and_obeyed(
    program: Commands, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(program, "--help") == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("  seeds "))
    assert line.endswith("List the seeds of each stored cell, one line each.")
    assert called(program, "seeds", "--help") == 0
    assert "RUNS..." in capsys.readouterr().out
    runs = [run_of(spec_of(seed=seed), [100] * 4) for seed in range(3)]
    folder = made_runs.stored(tmp_path / "results", runs)
    assert called(program, "seeds", str(folder)) == 0
    assert capsys.readouterr().out.splitlines() == ["attention: 0, 1, 2"]


def test_its_errors_are_lines_and_statuses(
    program: Commands, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(program, "seeds", str(tmp_path / "nowhere")) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("attnsearch: ")
