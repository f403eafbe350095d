"""What the tab key finds: commands, flags, tasks, mixers, suites and knobs, and no error in the prompt."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.terminal import attnsearch, complaint

from attnsearch.cli import completing
from attnsearch.cli.main import COMMANDS, cli
from attnsearch.spec.suite import shipped_suites
from attnsearch.spec.task_file import shipped_tasks


def completed(line: str) -> list[str]:
    """What bash is offered at the end of `line`; "file" where it completes files itself."""
    words = shlex.split(line)
    if line.endswith(" "):
        words.append("")
    environment = {
        completing.VARIABLE: "bash_complete",
        "COMP_WORDS": "\n".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    done = CliRunner().invoke(cli, [], env=environment)
    assert done.exit_code == 0
    assert done.stderr == ""
    items = [item.partition(",") for item in done.stdout.splitlines() if item]
    return ["file" if kind == "file" else value for kind, _, value in items]


def test_commands() -> None:
    assert set(completed("attnsearch ")) >= {name for homes in COMMANDS.values() for name in homes}
    assert completed("attnsearch le") == ["leaderboard"]


@pytest.mark.parametrize("command", ["run", "show"])
def test_tasks(command: str) -> None:
    line = f"attnsearch {command} --task"
    assert completed(f"{line} cell") == ["file", "cellular_automaton"]
    others = [name for name in shipped_tasks() if name != "linear_map"]
    assert completed(f"{line} linear_map,") == ["file", *(f"linear_map,{name}" for name in others)]
    assert completed(f"{line} nowhere") == ["file"]


def test_mixers() -> None:
    assert completed("attnsearch run --task linear_map --mixer a") == ["attention"]
    assert completed("attnsearch sweep mixers --mixer attention,mlp") == ["attention,mlp_mixer"]
    assert completed("attnsearch verify mlp") == ["mlp_mixer"]
    assert completed("attnsearch submit results/ --mixer mlp") == ["mlp_mixer"]


def test_suites_and_runs() -> None:
    for command in ("sweep", "plan", "baseline", "check"):
        assert completed(f"attnsearch {command} ") == ["file", *shipped_suites()]
    beginning = [name for name in shipped_suites() if name.startswith("mi")]
    assert "mixers" in beginning
    assert completed("attnsearch leaderboard entries/ --suite mi") == ["file", *beginning]
    for command in ("results", "law", "report", "leaderboard", "ablate"):
        assert completed(f"attnsearch {command} res") == ["file"]


def test_knobs_are_those_of_the_task() -> None:
    assert completed("attnsearch run --task linear_map --state-s") == ["--state-size"]
    assert completed("attnsearch show --task linear_map --spars") == ["--sparsity"]
    assert completed("attnsearch run --spars") == []
    # Settings of training and of mixers are flags too.
    assert completed("attnsearch run --task linear_map --num-") == [
        "--num-layers",
        "--num-heads",
        "--num-states",
    ]
    assert completed("attnsearch run --task linear_map_autoregressive --loss a") == ["all"]
    assert completed("attnsearch run --task=linear_map --state-s") == ["--state-size"]
    assert completed("attnsearch verify --task linear_map --state-s") == ["--state-size"]
    # As bash divides the line.
    assert completed("attnsearch run --task = linear_map --state-s") == ["--state-size"]
    assert completed("attnsearch run --task = linear_map_") == ["file", "linear_map_autoregressive"]
    assert completed("attnsearch run --task =") == completed("attnsearch run --task ")


@pytest.mark.parametrize(
    "line",
    [
        "attnsearch rum ",
        "attnsearch rum --ta",
        "attnsearch run --task no_such_task --st",
        "attnsearch run --task no_such_task --state-size ",
        "attnsearch run --task linear_map --state-size x,, --num-heads ",
        "attnsearch run --task",
        "attnsearch run --task= --st",
        "attnsearch run --task = --st",
        "attnsearch = = =",
        "attnsearch run --no-such-flag 3 --task linear_map --seeds many ",
        "attnsearch run --task linear_map --seeds 99999999999 --mix",
        "attnsearch sweep nowhere.toml --",
        "attnsearch show --task linear_map --target -1 ",
        "attnsearch completion po",
    ],
)
def test_a_line_that_cannot_be_used_prints_nothing_wrong(line: str) -> None:
    for found in completed(line):
        assert "\n" not in found
        assert "rror" not in found


def test_a_failure_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(completing, "_listed", fail)
    assert completed("attnsearch run --task lin") == []


def test_a_broken_task_file_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("= [")
    assert "--seeds" in completed(f"attnsearch run --task {tmp_path / 'mine.toml'} --see")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell(shell: str) -> None:
    done = attnsearch("completion", shell)
    assert done.status == 0
    assert f"{completing.VARIABLE}={shell}_complete" in done.out
    assert "attnsearch" in done.out


def test_of_another_shell_the_known_ones_are_named() -> None:
    assert "'bash', 'zsh', 'fish'" in complaint("completion", "tcsh")


def test_bash_takes_its_script() -> None:
    script = attnsearch("completion", "bash").out
    done = subprocess.run(
        ["bash", "--norc", "-c", f"{script}\ncomplete -p attnsearch"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout.endswith("attnsearch\n")
