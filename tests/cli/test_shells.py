"""The scripts of `attnsearch completion` in the shells themselves, where these are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.terminal import attnsearch

import attnsearch as package

ROOT = Path(package.__file__).parent.parent

BASH = """
source script.bash
ask() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _attnsearch_completion attnsearch 2>>errors
    echo "${COMPREPLY[@]}"
}
compopt() { :; }
ask attnsearch run --task linear_map,cell
# bash makes three words of --task=NAME.
ask attnsearch run --task = linear_map_
ask attnsearch run --task = linear_map --spars
ask attnsearch sweep = --su
"""

FISH = """
source script.fish
for line in "--task linear_map,cell" "--task=linear_map_" "--task=linear_map --spars" "--task=my_t"
    complete -C "attnsearch run $line" 2>>errors
end
"""

# A terminal of its own, in which the tab key is pressed. What does not come is waited for until time is up.
ZSH = """
zmodload zsh/zpty
zpty shell "zsh -f -i"
zpty -w shell "PS1='> '; source script.zsh 2>>errors; print REA''DY"
zpty -r shell out "*READY*"
ask() {
    zpty -w -n shell "attnsearch $1"$'\\t'
    zpty -r shell out "*$2*"
    zpty -w -n shell $'\\C-u'
    print -r -- $2
}
ask "run --task linear_map,cell" linear_map,cellular_automaton
ask "run --task=linear_map_" task=linear_map_autoregressive
ask "run --task=linear_map --spars" --sparsity
ask "run --task=my_t" task=my_task.toml
zpty -d shell
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a task file and the scripts; a program `attnsearch` is on the path."""
    program = tmp_path / "bin" / "attnsearch"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nfrom attnsearch.cli.main import main\nmain()\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_task.toml").touch()
    return tmp_path


def answered(shell: str, *flags: str, asking: str) -> list[str]:
    """What `asking` prints in the shell."""
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} on the path: its script is not tried")
    Path(f"script.{shell}").write_text(attnsearch("completion", shell).out)
    command = [shell, *flags, "-c", asking]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    errors = Path("errors")
    assert (done.stderr, errors.read_text() if errors.exists() else "") == ("", "")
    # fish prints descriptions too.
    return [line.partition("\t")[0] for line in done.stdout.splitlines()]


@pytest.mark.usefixtures("here")
def test_bash_completes() -> None:
    assert answered("bash", "--norc", asking=BASH) == [
        "linear_map,cellular_automaton",
        "linear_map_autoregressive",
        "--sparsity",
        "",
    ]


@pytest.mark.usefixtures("here")
def test_fish_completes() -> None:
    assert answered("fish", "--no-config", asking=FISH) == [
        "linear_map,cellular_automaton",
        "--task=linear_map_autoregressive",
        "--sparsity",
        "--task=my_task.toml",
    ]


@pytest.mark.usefixtures("here")
def test_zsh_completes_at_the_tab_key_without_having_been_set_up() -> None:
    assert answered("zsh", "-f", asking=ZSH) == [
        "linear_map,cellular_automaton",
        "task=linear_map_autoregressive",
        "--sparsity",
        "task=my_task.toml",
    ]
