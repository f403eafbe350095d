"""Below which loss a run has escaped: chance, or a shortcut that takes no search."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.hand_made import CHANCE, run_of, spec_of

from attnsearch.base import RECORDING_INTERVAL, Curves
from attnsearch.leaderboard.entry import cells_of
from attnsearch.results.cells import plateau_of
from attnsearch.runs.escape import MARGIN, EscapeThreshold, escape_threshold
from attnsearch.runs.recorder import Recording, is_map_step
from attnsearch.spec.run import PlateauRule, Value
from attnsearch.spec.suite import Suite, shipped_suites
from attnsearch.spec.task_file import find_task, shipped_tasks

BAGS = {(4, 1): 0.7806, (4, 2): 0.8444, (8, 1): 0.9024, (8, 2): 0.9715, (12, 1): 0.9370, (16, 1): 0.9534}
"""The loss of a bag of S inputs where s matter, as shares of chance: sums over the binomial distribution,
computed by another script."""


@pytest.mark.parametrize(("sizes", "share"), BAGS.items())
def test_a_linear_map_escapes_below_its_bag_of_inputs(sizes: tuple[int, int], share: float) -> None:
    task = find_task("linear_map").resolve(dict(zip(("state_size", "support_size"), sizes, strict=True)))
    assert escape_threshold(task) == (pytest.approx(MARGIN * share, abs=1e-4), "bag of inputs")


@pytest.mark.parametrize(
    ("task", "given"),
    [
        # Its row reads every input.
        ("linear_map", {"state_size": 8, "support_size": 8}),
        # A bag of so many tells little.
        ("linear_map", {"state_size": 8, "support_size": 3}),
        ("linear_map", {"state_size": 32, "support_size": 16}),
        ("single_location", {}),
        ("associative_recall", {}),
    ],
)
def test_where_no_shortcut_without_a_search_tells_anything_chance_holds(
    task: str, given: dict[str, Value]
) -> None:
    assert escape_threshold(find_task(task).resolve(given)) == EscapeThreshold(0.938, "chance")


def test_a_lower_fraction_of_the_task_holds_and_one_of_a_generator_that_does_not_ship() -> None:
    task = find_task("linear_map").resolve({"state_size": 8, "support_size": 1})
    low = replace(task, plateau=PlateauRule(escape=0.5))
    assert escape_threshold(low) == EscapeThreshold(0.5, "chance")
    assert escape_threshold(replace(task, generator="mine:Made")) == EscapeThreshold(0.938, "chance")


def test_every_task_and_every_suite_that_ships_escapes_below_its_shortcuts_without_a_search() -> None:
    tasks = [file.resolve({}) for file in shipped_tasks().values()]
    for path in shipped_suites().values():
        tasks += Suite.read(path, None).tasks
    for task in dict.fromkeys(tasks):
        share, held_by = escape_threshold(task)
        assert 0.4 < share <= task.plateau.escape
        assert (held_by == "chance") == (share == task.plateau.escape)


def test_a_run_that_knows_a_bag_alone_escapes_nowhere() -> None:
    """In training, stored, and as an entry of a leaderboard."""
    spec = spec_of(state_size=8, support_size=1)
    made, points = run_of(spec, [None] * 8), spec.cell.budget.steps // RECORDING_INTERVAL
    # Below 0.938 of chance, and where a bag is, with what drawing leaves open.
    loss = CHANCE * np.random.default_rng(0).uniform(0.87, 0.93, (points, 8)).astype(np.float32)
    steps = RECORDING_INTERVAL * np.arange(1, points + 1, dtype=np.int32)
    run = replace(made, curves=Curves(steps, loss, loss))
    assert not run.measures.escaped
    assert not plateau_of(run).observed.any()
    (kept,) = cells_of([run])
    assert not kept.plateau.observed.any()
    recording = Recording(spec, run.truth)
    measured = [recording.add(point, point) for point in loss]
    assert measured == [is_map_step(int(step)) or step == steps[-1] for step in steps]
    # One target of eight is found: that is beyond a bag.
    found = loss.copy()
    found[-1, 0] = 0.01
    assert replace(run, curves=Curves(steps, found, found)).measures.escaped
