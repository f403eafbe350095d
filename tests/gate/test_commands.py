"""`attnsearch baseline` and `check`, once on runs that are trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
import pytest
from helpers.checks import made, specs

from attnsearch.base import AttnsearchError
from attnsearch.cli.baseline import baseline as baseline_command
from attnsearch.cli.check import check as check_command
from attnsearch.cli.main import main
from attnsearch.gate.baseline import Baseline
from attnsearch.gate.baseline_file import write
from attnsearch.gate.decision import TOLERANCE
from attnsearch.runs.store import StoredRun
from attnsearch.training import runner

SUITE = """\
name = "tiny"
title = "Tiny"
source = "nowhere"
seeds = 4

[[tasks]]
task = "linear_map"
state_size = 4
support_size = 1

[[mixers]]
mixer = "gate_mixers:Mine"

[training]
steps = 100
tokens_per_step = 256
width = 32
mlp_width = 32
learning_rate = 1e-2
"""

MIXER = """\
import jax.numpy as jnp
from flax import nnx
from attnsearch.mixers import Mixer

GAIN = 1.0

class Mine(Mixer):
    def __init__(self, width, context_length, *, rngs):
        self.mix = nnx.Param(rngs.params.normal((context_length, context_length)) * 0.1)

    def __call__(self, x):
        return GAIN * (jnp.tril(self.mix[...]) @ x)
"""


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a suite and a mixer of one's own, in which one is."""
    (tmp_path / "tiny.toml").write_text(SUITE)
    (tmp_path / "gate_mixers.py").write_text(MIXER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    return tmp_path


def call(command: Any, *arguments: str) -> int:
    return command.main(arguments, prog_name="attnsearch", standalone_mode=False) or 0


def test_a_mixer_is_recorded_checked_slowed_and_broken(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import gate_mixers  # pyright: ignore[reportMissingImports]

    assert call(baseline_command, "tiny.toml", "-o", "b/tiny.json", "--seeds", "12", "--quiet") == 0
    out = capsys.readouterr().out
    assert out.startswith("b/tiny.json: 12 runs of 1 cells, ")
    assert "where nothing has changed, it says: " in out
    arguments = ["tiny.toml", "--baseline", "b/tiny.json", "--quiet"]

    # The same again, although the store of the recording is at hand.
    assert call(check_command, *arguments, "--junit", "j.xml", "--trend", "t.json") == 0
    out, err = capsys.readouterr()
    assert "pass: the curves of all 4 runs equal the recorded ones bit for bit" in out
    assert "::" not in out
    assert err == ""
    assert ElementTree.parse(tiny / "j.xml").getroot().get("failures") == "0"
    assert len(json.loads((tiny / "t.json").read_text())) == 1

    # A change that no specification shows.
    monkeypatch.setattr(gate_mixers, "GAIN", 0.02)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    Path("summary.md").write_text("before\n")
    assert call(check_command, *arguments) == 1
    out, err = capsys.readouterr()
    title = "regression%3A linear_map%2C state size 4%2C support size 1%2C gate_mixers%3AMine"
    assert f"\n::error title={title}::" in out
    summary = Path("summary.md").read_text()
    assert summary.startswith("before\n### attnsearch check tiny\n")
    assert r"| regression\: " in summary
    assert call(check_command, *arguments, "--json", "--out", "kept") == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["verdict"] == "regression"
    assert len(list(Path("kept/runs").iterdir())) == 4

    def broken(*arguments: object) -> list[StoredRun]:
        raise RuntimeError("broken")

    monkeypatch.setattr(runner, "run", broken)
    assert call(check_command, *arguments, "--junit", "j.xml") == 4
    out, err = capsys.readouterr()
    assert "failed: RuntimeError: broken\n" in out
    assert "::error title=attnsearch check tiny::failed: RuntimeError: broken" in out
    assert "Traceback" in err
    assert ElementTree.parse("j.xml").getroot().get("errors") == "1"


def test_an_error_that_nobody_foresaw_does_not_end_as_a_regression(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(Baseline.of("tiny", [made(spec) for spec in specs(range(2))]), tiny / "tiny.json")

    def surprised(*arguments: object) -> None:
        raise ZeroDivisionError("surprise")

    monkeypatch.setattr("attnsearch.cli.check.suite_of", surprised)
    assert call(check_command, "tiny.toml", "--baseline", "tiny.json", "--json") == 4
    out, err = capsys.readouterr()
    assert json.loads(out)["failure"] == "ZeroDivisionError: surprise"
    assert "in surprised" in err


def test_help_knows_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        check_command.main(["--help"], prog_name="attnsearch check")
    assert f"[default: {TOLERANCE:g}]" in " ".join(capsys.readouterr().out.split())


def test_a_baseline_has_to_be_named_and_there(tiny: Path) -> None:
    with pytest.raises(click.UsageError) as caught:
        call(check_command, "tiny.toml")
    assert "--baseline" in caught.value.format_message()
    with pytest.raises(AttnsearchError, match=r"baseline none\.json does not exist"):
        call(check_command, "tiny.toml", "--baseline", "none.json")


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"format_version": 2, "cells": 1' + b"0" * 30 + b"}"])
def test_a_file_that_is_not_a_baseline_is_wrong_usage(
    tiny: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    (tiny / "odd.json").write_bytes(content)
    with pytest.raises(SystemExit) as stopped:
        main(["check", "tiny.toml", "--baseline", "odd.json"])
    out, err = capsys.readouterr()
    assert (stopped.value.code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("attnsearch: odd.json: ")
