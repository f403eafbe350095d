"""What `--help`, `tasks` and `mixers` list."""

import re

import click
import pytest
from helpers.terminal import attnsearch

from attnsearch.cli.main import COMMANDS, cli
from attnsearch.mixers import MIXERS
from attnsearch.spec.task_file import shipped_tasks
from attnsearch.training.torch.names import PREFIX, TORCH_MIXERS


def text(*arguments: str) -> str:
    done = attnsearch(*arguments, "--help")
    assert done.status == 0, done.err
    return " ".join(done.out.split())


def test_a_task_s_own_flags_are_listed_with_range_and_default():
    found = text("run", "--task", "linear_map")
    assert "--state-size LIST cells of a state, S; with two states the context is 2S tokens" in found
    assert "[at least 2; default: 8]" in found
    assert "[1 to state_size; default: sparsity 0.5]" in found
    for flag in (
        *("--task", "--mixer", "--seeds", "--steps", "--learning-rate", "--weight-decay", "--warmup-steps"),
        *("--tokens-per-step", "--width", "--num-heads", "--num-layers", "--mlp-width", "--out", "--json"),
        *("--quiet", "--no-plots", "--sparsity", "--support-size", "--rule-seed", "--no-early-stopping"),
    ):
        assert f"{flag} " in found, flag
    assert "blocks of the network [at least 1; default: 1]" in found
    assert "[at least 1, or times the width, as in 4x; default: 512]" in found


def test_a_task_s_own_defaults_of_training_and_mixers_are_listed():
    found = text("run", "--task", "cellular_automaton,linear_map")
    assert "blocks of the network [at least 1; default: 4 or 1]" in found
    assert "--num-heads LIST of attention [default: 8 or 16]" in found
    assert "--head-width LIST of attention [default: derived]" in found


@pytest.mark.parametrize("command", ["sweep", "plan"])
def test_a_suite_s_commands_list_every_training_setting(command: str):
    found = text(command)
    assert (
        "--steps LIST budget of a run, in steps [at least 10, a multiple of 10; default: the suite's]"
        in found
    )
    for flag in (
        *("--seeds", "--learning-rate", "--weight-decay", "--warmup-steps", "--tokens-per-step", "--width"),
        *("--num-layers", "--mlp-width", "--no-early-stopping", "--out", "--json", "--quiet"),
    ):
        assert f"{flag} " in found, flag


def test_commands_are_listed_in_sections_with_their_first_sentences():
    lines = attnsearch("-h").out.splitlines()
    sections = [line for line in lines if re.fullmatch(r"[A-Z][a-z]+:", line)]
    assert sections == ["Options:", "Run:", "Look:", "Compare:", "Share:", "Check:", "Shell:"]
    listed = [line.split()[0] for line in lines[lines.index("Run:") :] if re.match("  [a-z]", line)]
    assert listed == [name for homes in COMMANDS.values() for name in homes]
    assert not any(line.endswith("...") for line in lines[lines.index("Run:") :])


@pytest.mark.parametrize("command", [name for homes in COMMANDS.values() for name in homes])
def test_each_command_has_the_short_flag_of_help(command: str, monkeypatch: pytest.MonkeyPatch):
    # click keeps the flags of help of the first call, which another test may have made without the program.
    monkeypatch.setattr(cli.get_command(click.Context(cli), command), "_help_option", None)
    done = attnsearch(command, "-h")
    assert done.status == 0
    assert done.out.startswith(f"Usage: attnsearch {command} ")
    assert "-h, --help" in done.out


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("tasks", tuple(shipped_tasks())),
        ("mixers", (*MIXERS, *(PREFIX + name for name in TORCH_MIXERS))),
    ],
)
def test_tasks_and_mixers_are_listed_one_line_each(command: str, names: tuple[str, ...]):
    done = attnsearch(command)
    assert done.status == 0
    lines = done.out.splitlines()
    assert len(lines) == len(names)
    for name in names:
        assert sum(line.split()[0] == name for line in lines) == 1
