"""Bounds that an installation must meet: what meets them, what does not, and the page that tells them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest
from helpers.hand_made import run_of, spec_of
from helpers.pages import DOCS
from helpers.terminal import Outcome, attnsearch

from attnsearch.backends import specify
from attnsearch.cli.main import cli
from attnsearch.probing import installation
from attnsearch.probing.installation import BOUNDS, COMMAND, SEEDS, faults, specs
from attnsearch.runs.store import StoredRun


def run(seed: int, found: Sequence[int | None], diverges: int | None = None) -> StoredRun:
    return run_of(spec_of(seed=seed, state_size=8, support_size=4, steps=2_000), found, diverges=diverges)


SOUND = [run(seed, [200, 210, 230, 240, 260, 280, 300, 320]) for seed in range(SEEDS)]


def test_a_sound_installation_has_no_faults() -> None:
    assert faults(SOUND) == []
    # The last target may be found late or never.
    assert faults([run(0, [200, 210, 230, 240, 260, 280, 1_900, None])]) == []


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        ([None] * 8, "plateau length not reached, and 80 to 1,000 is right"),
        ([20] * 8, "plateau length 20, and 80 to 1,000 is right"),
        ([200] * 3 + [None] * 5, "half of the targets found not reached, and 90 to 2,000 is right"),
    ],
)
def test_what_is_out_of_bounds_is_told(found: list[int | None], fault: str) -> None:
    assert f"seed 5: {fault}" in faults([*SOUND, run(5, found)])


def test_a_map_that_is_not_read_and_a_loss_that_breaks_are_faults() -> None:
    low = SOUND[0].maps._replace(mass=np.full_like(SOUND[0].maps.mass, 0.5))
    assert faults([replace(SOUND[0], maps=low)]) == [
        "seed 0: map mass of what was found 0.50, and 0.85 to 1.00 is right"
    ]
    assert faults([run(1, [None] * 8, diverges=300)]) == ["seed 1 diverged"]


def test_the_runs_are_the_first_of_the_command() -> None:
    command = specify(["linear_map"], ["attention"], {"sparsity": [0.5]})
    for mine, theirs in zip(specs(), command, strict=False):
        budget = theirs.cell.budget
        assert mine.cell.budget.steps <= budget.steps
        assert replace(mine, cell=replace(mine.cell, budget=budget)) == theirs
    makefile = (DOCS.parent / "Makefile").read_text()
    assert f"$(BIN)/{COMMAND} $(ARGS)" in makefile


def test_the_page_has_the_bounds_and_the_command() -> None:
    page = (DOCS / "check-an-installation.md").read_text(encoding="utf-8")
    for bound in BOUNDS:
        assert f"| {bound.measure} | {bound} |\n" in page
    assert f"`{COMMAND}`" in page
    rows = [line for line in page.partition("| measure | bounds |")[2].splitlines() if line.startswith("| ")]
    assert (
        len(rows[: rows.index("| instructions | plateau length | half found | mastery | steps in all |")])
        == 3
    )


# The command.


def examined(monkeypatch: pytest.MonkeyPatch, runs: list[StoredRun], *arguments: str) -> Outcome:
    monkeypatch.setattr(installation, "train", lambda observer: [described(one) for one in runs])
    return attnsearch("doctor", *arguments)


def described(one: StoredRun) -> StoredRun:
    versions = {"attnsearch": "0.1.0", "jax": "0.8.0"}
    environment = {"versions": versions, "python": "3.11", "platform": "Linux x86_64", "processor": "EPYC"}
    return replace(one, environment={**environment, "devices": 2, "device": "cpu"})


def test_the_command_says_sound(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_max_isa=AVX2")
    done = examined(monkeypatch, SOUND)
    assert (done.status, done.err) == (0, "")
    assert "Versions:  attnsearch 0.1.0, jax 0.8.0; Python 3.11" in done.out
    assert "Devices:   2 x cpu" in done.out
    assert "XLA_FLAGS: --xla_cpu_max_isa=AVX2" in done.out
    (line,) = [line for line in done.out.splitlines() if "bounds" in line and "80 to" in line]
    assert all(str(bound) in line for bound in BOUNDS)
    assert "Sound: 2 runs are within the bounds, in " in done.out
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = [SOUND[0], run(1, [None] * 8)]
    done = examined(monkeypatch, wrong)
    assert done.status == 1
    assert "Not sound: seed 1: plateau length not reached, and 80 to 1,000 is right; seed 1: " in done.out
    document = json.loads(examined(monkeypatch, wrong, "--json").out)
    assert document["sound"] is False
    assert document["faults"] == faults(wrong)
    assert [one["plateau length"] for one in document["runs"]] == [SOUND[0].measures.plateau_length, None]
    assert document["bounds"]["plateau length"] == [80, 1_000]


def test_what_cannot_be_loaded_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "attnsearch.probing.installation", None)
    done = attnsearch("doctor")
    assert done.status == 2
    assert "a part of the installation cannot be loaded: " in done.err
    assert cli.get_command(click.Context(cli), "doctor") is not None
