"""How the record of a verification is told: a table and one line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import pytest
from helpers.terminal import attnsearch, complaint
from rich.console import Console

from attnsearch.cli.verify import conclusion, table
from attnsearch.probing.task import forms
from attnsearch.runs.verification import Finding, Verification
from attnsearch.spec.run import MixerSpec, TaskSpec, Value, settings
from attnsearch.spec.task_file import TaskFile

MIXER = MixerSpec("my.mixers:Mine", settings({"heads": 4, "scale": 1.5, "gated": False, "width": None}))
PASSED = Finding("causality", "no output moves", "passed", "moved by 0")
FAILED = Finding("gradients", "every parameter is reached", "failed", "none reaches [spare]")
NOT_RUN = Finding("learning", "it learns", "not run", "it cannot be built")
SOUND = Verification(MIXER, "linear_map", 128, 4, 256, (PASSED, PASSED), (), "0.1.0")
REFUSED = replace(SOUND, findings=(PASSED, FAILED, NOT_RUN))


def test_the_table_has_a_verdict_a_line() -> None:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(table(REFUSED))
    lines = captured.get().splitlines()
    title = " ".join(" ".join(lines[:3]).split())
    assert "my.mixers:Mine (gated=False, heads=4, scale=1.5, width=derived)" in title
    for finding in REFUSED.findings:
        (line,) = (line for line in lines if finding.check in line)
        assert finding.verdict in line
        assert finding.evidence in line


class Asked(NamedTuple):
    """What a stand-in for `verify_task` was asked, and what it finds."""

    task: TaskFile
    forms: tuple[TaskSpec, ...]
    findings: tuple[Finding, ...] = (PASSED,)
    passed: bool = True


def test_knobs_of_a_task_are_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(task: TaskFile, given: Mapping[str, Value]) -> Asked:
        return Asked(task, tuple(forms(task, given)))

    monkeypatch.setattr("attnsearch.probing.verify_task.verify_task", asked)
    monkeypatch.setattr("attnsearch.training.jax.devices.use_every_core", lambda: None)
    every = ["--modulus", "2", "--num-states", "2", "--row-exponent", "0", "--sparsity", "0.5"]
    told = attnsearch("verify", "--task", "linear_map", "--state-size", "4", *every)
    assert told.out.endswith("Yes: linear_map passed all 1 checks at one size\n")
    assert "at 3 sizes" in attnsearch("verify", "--task", "linear_map", "--state-size", "16").out
    assert "--state-size" in attnsearch("verify", "--task", "linear_map", "--help").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--task", "linear_map", "--state-size", "1"], "state_size 1 must be at least 2"),
        (["--task", "linear_map", "--state-size", "4,8"], "give state_size one value"),
        (["--task", "linear_map,cellular_automaton"], "one task is verified at a time: give task one value"),
        (["attention", "--task", "linear_map", "--state-size", "4"], "leave attention out, or the flag"),
        ([], "verify what? Give a mixer, or --task for a task"),
    ],
)
def test_what_cannot_be_verified_is_said(arguments: list[str], words: str) -> None:
    assert words in complaint("verify", *arguments)


def test_the_answer_in_one_line() -> None:
    assert conclusion(SOUND) == "Yes: my.mixers:Mine passed all 2 checks"
    unable = replace(SOUND, findings=(PASSED, replace(NOT_RUN, verdict="failed")))
    assert conclusion(unable) == "Yes: my.mixers:Mine is sound; it did not learn the easiest task"
    assert conclusion(REFUSED) == "No: my.mixers:Mine did not pass 2 of 3 checks: gradients, learning"
