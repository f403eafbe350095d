"""Flags that take lists and whole numbers: what is given again adds up, and `1e4` is ten thousand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from helpers.terminal import attnsearch, complaint
from helpers.tiny import RUN

from attnsearch.cli.values import Values, WholeNumber, whole
from attnsearch.spec.run import RunSpec


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[RunSpec]:
    """The runs that `attnsearch run` would train."""
    specs: list[RunSpec] = []

    def noted(given: Sequence[RunSpec], *_: Any) -> bool:
        specs.extend(given)
        return True

    monkeypatch.setattr("attnsearch.cli.train.sweep", noted)
    return specs


def test_lists_of_a_flag_that_is_given_again_add_up(asked: list[RunSpec]) -> None:
    start = ["run", "--task", "linear_map", "--support-size", "2"]
    lists = ["--mixer", "attention", "--mixer", "mlp_mixer", "--state-size", "4", "--state-size", "8"]
    seeds = ["--seeds", "2", "--seeds", "1:3", "--mixer-set", "expansion=2", "--mixer-set", "expansion=4"]
    assert attnsearch(*start, *lists, *seeds).status == 0
    cells = {run.cell for run in asked}
    found = {
        (cell.mixer.name, dict(cell.task.knobs)["state_size"], dict(cell.mixer.settings).get("expansion"))
        for cell in cells
    }
    assert found == {
        (mixer, size, expansion)
        for mixer, expansions in (("attention", (None,)), ("mlp_mixer", (2, 4)))
        for size in (4, 8)
        for expansion in expansions
    }
    assert sorted({run.seed for run in asked}) == [0, 1, 2]


def test_a_list_may_mix_numbers_and_multiples_of_the_width(asked: list[RunSpec]) -> None:
    widths = ["--width", "16,32", "--mlp-width", "256,4x", "--seeds", "1"]
    assert attnsearch("run", "--task", "linear_map", *widths).status == 0
    found = {(run.cell.network.width, run.cell.network.mlp_width) for run in asked}
    assert found == {(16, 256), (16, 64), (32, 256), (32, 128)}


def test_tasks_that_are_given_again_add_up(asked: list[RunSpec]) -> None:
    tasks = ["--task", "linear_map", "--task=linear_map_autoregressive", "--seeds", "1"]
    assert attnsearch("run", *tasks).status == 0
    assert [run.cell.task.name for run in asked] == ["linear_map", "linear_map_autoregressive"]


@pytest.mark.parametrize(
    ("text", "value"), [("1e4", 10_000), ("12", 12), ("2.5e1", 25), ("1E+2", 100), (" 1e2 ", 100)]
)
def test_whole_numbers_may_have_a_power_of_ten(text: str, value: int) -> None:
    assert whole(text) == value
    assert Values().convert(text, None, None) == (value,)
    assert isinstance(Values().convert(text, None, None)[0], int)
    assert WholeNumber(0).convert(text, None, None) == value


@pytest.mark.parametrize("text", ["1e-3", "0.5", "1e400", "1.25e1", "nan", "10.0"])
def test_other_numbers_stay_what_they_are(text: str) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        whole(text)
    (value,) = Values().convert(text, None, None)
    assert isinstance(value, float)


def test_whole_numbers_are_taken_wherever_a_flag_asks_for_one(asked: list[RunSpec]) -> None:
    flags = ["--steps", "1e3", "--tokens-per-step", "1e3", "--seeds", "1e1", "--rule-seed", "1e2"]
    assert attnsearch("run", "--task", "linear_map", *flags, "--lanes", "1e0").status == 0
    assert [run.seed for run in asked] == list(range(10))
    assert {(run.rule_seed, run.cell.budget.steps, run.cell.budget.tokens_per_step) for run in asked} == {
        (100, 1_000, 1_000)
    }


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--lanes", "0"], "0 must be at least 1"),
        (["--lanes", "1.5"], "'1.5' is not a whole number"),
        (["--rule-seed", "1e-1"], "'1e-1' is not a whole number"),
        (["--steps", "1e10"], "must be at most 2147483647"),
    ],
)
def test_what_is_not_a_whole_number_is_said(flags: list[str], said: str) -> None:
    assert said in complaint(*RUN, *flags)
