"""The learning rate of each mixer: what decides, what breaks ties, and what is too little to choose by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.made_runs import ATTENTION, MINE, run, runs, suite

from attnsearch.base import AttnsearchError, Plateaus
from attnsearch.results.learning_rates import Choice, Tried, choice_table, choices, choose, found, waited
from attnsearch.spec.names import mixer_names
from attnsearch.spec.run import CellSpec, RunSpec


def at(spec: RunSpec, learning_rate: float, steps: int = 80) -> CellSpec:
    cell = spec.cell
    optimizer = replace(cell.optimizer, learning_rate=learning_rate)
    return replace(cell, optimizer=optimizer, budget=replace(cell.budget, steps=steps))


def waits(*lengths: int, censored: int = 0) -> Plateaus:
    """Targets that were found at `lengths`, and some that were not by step 80."""
    return Plateaus(
        np.array([*lengths, *[80] * censored]), np.array([True] * len(lengths) + [False] * censored)
    )


def test_one_quick_target_does_not_outweigh_the_others(spec: RunSpec) -> None:
    # Each rate finds one target soon. Only the smaller one finds the rest.
    choice = choose({at(spec, 1e-3): waits(20, 30, 40), at(spec, 3e-3): waits(10, censored=2)})
    assert choice.learning_rate == 1e-3
    assert [tried.found for tried in choice.tried] == [1, pytest.approx(1 / 3)]


def test_the_lowest_mean_wins_in_which_a_target_never_found_has_waited_the_budget(spec: RunSpec) -> None:
    choice = choose({at(spec, 3e-3): waits(30, censored=1), at(spec, 1e-3): waits(50, censored=1)})
    assert choice.learning_rate == 3e-3
    assert [(tried.learning_rate, tried.restricted_mean) for tried in choice.tried] == [
        (1e-3, pytest.approx(65)),
        (3e-3, pytest.approx(55)),
    ]


def test_of_equals_the_smallest(spec: RunSpec) -> None:
    same = waits(20, 30)
    assert choose({at(spec, rate): same for rate in (3e-3, 1e-3, 3e-4)}).learning_rate == 3e-4


def test_cells_weigh_alike_however_long_their_plateaus_are(spec: RunSpec) -> None:
    # A tenth as long in the short cell outweighs half as long again in the long one.
    short, long = (
        {
            at(spec, 1e-3, 80): waits(10, 10),
            at(spec, 3e-3, 80): waits(40, 40),
        },
        {
            at(spec, 1e-3, 8_000): waits(6_000, 6_000),
            at(spec, 3e-3, 8_000): waits(4_000, 4_000),
        },
    )
    choice = choose({**short, **long})
    assert choice.learning_rate == 1e-3
    assert choice.tried[0].restricted_mean == pytest.approx(np.sqrt(10 * 6_000))


def test_targets_of_a_run_that_diverged_have_waited_the_whole_budget(tmp_path: Path) -> None:
    spec = suite(tmp_path).reduced(None, {}, [ATTENTION]).selection()[0]
    steps = found([run(spec, 50, 50), run(replace(spec, seed=99), 390, diverged=70)])[spec.cell]
    targets = len(steps.length) // 2
    assert waited(steps, spec.cell.budget.steps).tolist() == [50] * targets + [400] * targets


@pytest.mark.parametrize(
    ("best", "note"), [(1e-4, "the smallest of its grid"), (1e-3, None), (1e-2, "the largest of its grid")]
)
def test_a_choice_at_an_end_of_the_grid_says_so(spec: RunSpec, best: float, note: str | None) -> None:
    cells = {at(spec, rate): waits(20 if rate == best else 40) for rate in (1e-4, 1e-3, 1e-2)}
    assert choose(cells).note == note


def test_where_there_is_one_rate_there_is_no_end(spec: RunSpec) -> None:
    assert choose({at(spec, 1e-3): waits(20)}) == Choice(1e-3, (Tried(1e-3, 1.0, 20.0),))
    assert choose({at(spec, 1e-3): waits(20)}).note is None


def test_rates_that_were_asked_different_questions_are_not_compared(spec: RunSpec) -> None:
    with pytest.raises(AttnsearchError, match="no runs to choose a learning rate by"):
        choose({})
    for other in ({at(spec, 3e-3): waits(20)}, {at(spec, 3e-3, 8_000): waits(20, 30)}):
        with pytest.raises(
            AttnsearchError, match=r"^learning rates 0\.001 and 0\.003 have runs of different"
        ):
            choose({at(spec, 1e-3): waits(20, 30), **other})


def test_each_mixer_has_a_choice_of_its_own(tmp_path: Path) -> None:
    asked = suite(tmp_path)
    slow, fast = runs(asked, ATTENTION, best=3e-3), runs(asked, MINE, best=1e-3)
    selection = [one for one in [*slow, *fast] if one.spec.seed in asked.selection_seeds]
    chosen = choices(selection)
    assert {mixer: choice.learning_rate for mixer, choice in chosen.items()} == {ATTENTION: 3e-3, MINE: 1e-3}
    assert {len(choice.tried) for choice in chosen.values()} == {2}

    names = mixer_names(list(chosen))
    table = choice_table({names[mixer]: choice for mixer, choice in chosen.items()})
    assert [row[:2] for row in table.rows if row[-1]] == [
        ("attention", "0.003"),
        ("mypackage.mixers:Mine", "0.001"),
    ]
    assert [row[-1] for row in table.rows if row[-1]] == [
        "chosen\n⚠ the largest of its grid",
        "chosen\n⚠ the smallest of its grid",
    ]
