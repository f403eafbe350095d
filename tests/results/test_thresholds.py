"""The plateau at other thresholds, from the same hand-made curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from helpers.maps import no_maps

from attnsearch.base import RECORDING_INTERVAL, Curves, Heads, Truth
from attnsearch.results.cells import Measurement, cells, measurements, plateau_of
from attnsearch.results.thresholds import (
    THRESHOLDS,
    plateaus_at,
    sensitivity,
    table,
)
from attnsearch.runs.store import Status, StoredRun
from attnsearch.spec.run import PlateauRule, RunSpec

MakeRun = Callable[..., StoredRun]

FALLING = (1.0, 0.97, 0.96, 0.945, 0.92, 0.85, 0.5, 0.3)
"""Mean target loss at the recorded points, as shares of chance: below 0.98 at step 20, 0.95 at 40, 0.938
at 50 and 0.9 at 60."""


@pytest.fixture
def make_run(spec: RunSpec, truth: Truth) -> MakeRun:
    """A run of two targets that lose the same."""

    def run(loss: Sequence[float] = FALLING, seed: int = 0, status: Status = "exhausted") -> StoredRun:
        losses = np.ones((len(loss), 3), np.float32)
        losses[:, 1:] = np.array(loss, np.float32)[:, None]
        curves = Curves(np.arange(1, len(loss) + 1) * RECORDING_INTERVAL, losses, losses)
        maps = no_maps(np.zeros(1, np.int32), 2, 4)
        return StoredRun(
            spec=replace(spec, seed=seed),
            status=status,
            environment={},
            truth=truth,
            curves=curves,
            maps=maps,
            heads=Heads.none(maps),
        )

    return run


def test_each_threshold_has_its_own_plateau(make_run: MakeRun) -> None:
    (row,) = sensitivity(cells([make_run()]))
    assert [threshold for threshold, _ in row.plateaus] == list(THRESHOLDS)
    assert [waiting.median for _, waiting in row.plateaus] == [60, 50, 40, 20]
    assert [waiting.restricted_mean for _, waiting in row.plateaus] == [60, 50, 40, 20]


def test_at_the_rule_of_the_task_it_is_what_was_stored(make_run: MakeRun) -> None:
    run = make_run()
    assert plateaus_at([run], run.spec.cell.task.plateau.escape) == plateau_of(run)
    (row,) = sensitivity(cells([run, make_run(seed=1)]), [run.spec.cell.task.plateau.escape])
    assert row.plateaus == ((run.spec.cell.task.plateau.escape, row.cell.plateau),)


def test_a_threshold_that_is_not_reached_censors(make_run: MakeRun) -> None:
    runs = [make_run(), make_run((1.0, 0.94) * 4, seed=1), make_run((1.0,) * 8, seed=2)]
    (row,) = sensitivity(cells(runs), [0.2, 0.938, 0.95, 0.98])
    assert [waiting.observed for _, waiting in row.plateaus] == [0, 1, 2, 2]
    assert [waiting.median for _, waiting in row.plateaus] == [None, None, 40, 20]
    # Up to the budget, so that they compare.
    assert {waiting.horizon for _, waiting in row.plateaus} == {80}
    assert row.plateaus[0][1].restricted_mean == 80


def test_a_diverged_run_waits_to_the_end_of_its_budget(make_run: MakeRun) -> None:
    diverged = make_run((1.0, 0.945, float("nan")), status="diverged")
    assert plateaus_at([diverged], 0.938).length.tolist() == [80]
    assert plateaus_at([diverged], 0.95).length.tolist() == [20]
    assert plateaus_at([diverged], 0.95).observed.tolist() == [True]


def test_runs_together_are_as_each_alone(make_run: MakeRun) -> None:
    falls = [FALLING, (1.0,) * 8, FALLING[2:], (), (0.5, 0.99, 0.9, 0.3), (1.0, 0.96, float("nan"))]
    runs = [make_run(fall, seed) for seed, fall in enumerate(falls[:-1])]
    runs.append(make_run(falls[-1], len(runs), "diverged"))
    for threshold in (0.2, 0.9, 0.95, 0.97, 1.5):
        alone = [plateaus_at([run], threshold) for run in runs]
        together = plateaus_at(runs, threshold)
        assert together.length.tolist() == [int(one.length[0]) for one in alone]
        assert together.observed.tolist() == [bool(one.observed[0]) for one in alone]
    assert plateaus_at(runs, 0.95).length.tolist() == [40, 80, 20, 0, 10, 80]


def test_the_table_has_a_row_for_each_cell_and_a_column_for_each_threshold(make_run: MakeRun) -> None:
    never = make_run((1.0,) * 8)
    task = replace(never.spec.cell.task, name="other")
    never = replace(never, spec=replace(never.spec, cell=replace(never.spec.cell, task=task)))
    drawn = table(sensitivity(cells([make_run(), make_run(seed=1), never])))
    columns = {name: [row[index] for row in drawn.rows] for index, name in enumerate(drawn.columns)}
    assert columns["task"] == ["linear_map_autoregressive", "other"]
    assert columns["0.938 of chance"] == ["50\n50 ± 0", "not reached\nnone escaped"]
    assert len([name for name in columns if "of chance" in name]) == len(THRESHOLDS)
    assert table([]).rows == ()


def test_the_rules_behind_cells_are_named_once(make_run: MakeRun) -> None:
    run = make_run()
    strict = replace(run.spec.cell.task, plateau=PlateauRule(escape=0.9, found=0.4, mastery=0.05))
    other = replace(run, spec=replace(run.spec, cell=replace(run.spec.cell, task=strict)))
    named = replace(run.spec.cell.task, name="same rule")
    same = replace(run, spec=replace(run.spec, cell=replace(run.spec.cell, task=named)))
    assert measurements(cells([run, other, same])) == [
        Measurement(RECORDING_INTERVAL, PlateauRule()),
        Measurement(RECORDING_INTERVAL, strict.plateau),
    ]
    assert str(Measurement(10, strict.plateau)) == (
        "Losses are means over 10 steps, not smoothed further. Escape: mean target loss below 0.9 of chance;"
        " found: a target's below 0.4; mastery: every target's, less Bayes' own, below 0.05, 3 points"
        " in a row."
    )
