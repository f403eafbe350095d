"""How commands end: one status for each kind of end, whatever raises it, and 1 for an answer that is no."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from attnsearch.base import AttnsearchError
from attnsearch.cli.main import COMMANDS, Commands, cli
from attnsearch.cli.output import note, say

MODULE = "made_commands"
FULL = Path("/dev/full")


def ended(monkeypatch: pytest.MonkeyPatch, callback: Callable[[], int | None]) -> Result:
    """What becomes of a command that does this."""
    module = type(sys)(MODULE)
    module.made = click.command("made")(callback)  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, MODULE, module)
    return CliRunner().invoke(Commands({**COMMANDS, "More": {"made": f"{MODULE}:made"}}), ["made"])


def raising(error: BaseException) -> Callable[[], None]:
    def callback() -> None:
        raise error

    return callback


@pytest.mark.parametrize("status", [None, 0, 1, 3, 130])
def test_the_status_is_the_command_s(monkeypatch: pytest.MonkeyPatch, status: int | None) -> None:
    result = ended(monkeypatch, lambda: status)
    assert (result.exit_code, result.output) == (status or 0, "")


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (AttnsearchError("no such\nthing \x1b[31m"), 2, "attnsearch: no such thing \\x1b[31m\n"),
        (click.UsageError("no such flag"), 2, "attnsearch: no such flag\n"),
        (click.Abort(), 130, ""),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 4, ""),
        (OSError(errno.ENOSPC, "No space"), 4, "attnsearch: cannot write the output: No space\n"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_what_was_foreseen_takes_a_line(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, message: str
) -> None:
    result = ended(monkeypatch, raising(error))
    assert (result.exit_code, result.stdout) == (status, "")
    assert result.stderr.lstrip("\n") == message


@pytest.mark.parametrize(
    "error",
    [
        *(
            ValueError("odd"),
            KeyError("odd"),
            RecursionError("odd"),
            MemoryError("odd"),
            OverflowError("odd"),
        ),
        *(EOFError("odd"), FileNotFoundError(errno.ENOENT, "odd", "x"), OSError(errno.ENOSPC, "odd", "x")),
        *(SystemExit("odd"), SystemExit(1), ExceptionGroup("odd", [ValueError("\x1b]0;title\x07")])),
    ],
    ids=repr,
)
def test_an_unexpected_error_says_what_happened_and_then_where(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    result = ended(monkeypatch, raising(error))
    first, *others = result.stderr.splitlines()
    assert (result.exit_code, result.stdout) == (4, "")
    assert first.startswith("attnsearch: unexpected error: ")
    assert "odd" in first or "sys.exit(1)" in first
    assert others[0] == "Traceback (most recent call last):" or isinstance(error, ExceptionGroup)
    assert any("in callback" in line for line in others)
    assert "\x1b" not in result.stderr
    assert "\x07" not in result.stderr


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("arguments", [["tasks"], ["--help"], ["run", "--help"], ["--version"], []], ids=str)
def test_an_output_that_cannot_be_written(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with FULL.open("w") as full, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as stopped:
            cli.main(arguments)
    assert stopped.value.code == 4
    assert capsys.readouterr().err == "attnsearch: cannot write the output: No space left on device\n"


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
def test_python_s_own_end_changes_no_status() -> None:
    with FULL.open("w") as full:
        command = [sys.executable, "-m", "attnsearch", "tasks"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)


def test_who_cannot_be_told_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(text: str) -> int:
        raise BrokenPipeError

    def callback() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(sys.stderr, "write", broken)
            note("to nobody")
        say("the result")

    result = ended(monkeypatch, callback)
    assert (result.exit_code, result.output) == (0, "the result\n")


def test_the_help_lists_every_status() -> None:
    runner = CliRunner()
    result = runner.invoke(cli, [])
    assert result.exit_code == 0
    assert result.output == runner.invoke(cli, ["--help"]).output
    for status in (0, 1, 2, 3, 4, 130):
        assert f"\n    {status} " in result.output


def test_a_command_is_a_file_and_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "my_commands.py").write_text(
        'import click\n@click.command()\ndef greet():\n    "Greet whoever asks."\n    click.echo("hello")\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    mine = Commands({**COMMANDS, "More": {"greet": "my_commands:greet"}})
    runner = CliRunner()
    assert runner.invoke(mine, ["greet"]).output == "hello\n"
    assert "Greet whoever asks." in runner.invoke(mine, ["--help"]).output
    assert "Did you mean greet or report?" in runner.invoke(mine, ["gret"]).output


def test_what_a_command_needs_is_loaded_for_it_alone() -> None:
    code = """
import sys
from attnsearch.cli.main import cli
for command in ("tasks", "--help"):
    try:
        cli.main([command])
    except SystemExit:
        print("loaded", *sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    after_tasks, after_help = (
        set(line.split()) for line in done.stdout.splitlines() if line.startswith("loaded ")
    )
    assert "attnsearch.cli.listing" in after_tasks
    assert "attnsearch.cli.run" not in after_tasks
    # The help of all commands is there at once.
    assert not {"jax", "scipy", "rich"} & after_help
