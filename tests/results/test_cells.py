"""The numbers of a cell of hand-made runs: censored runs count, and are never averaged in."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from helpers.hand_made import claiming

from attnsearch.base import Plateaus
from attnsearch.results.cells import Cell, cells, found_of, mastery_of, plateau_of
from attnsearch.runs.store import StoredRun
from attnsearch.stats.survival import Waiting

MakeRun = Callable[..., StoredRun]


def few(waiting: Waiting) -> tuple[int, int, float | None, int | None, int | None]:
    """What a waiting time has to say but for its intervals."""
    return waiting.runs, waiting.observed, waiting.median, waiting.shortest, waiting.longest


def only(runs: Sequence[StoredRun]) -> Cell:
    (cell,) = cells(runs)
    return cell


def test_runs_are_grouped_by_cell_in_order_of_appearance(make_run: MakeRun) -> None:
    runs = [make_run(seed, state_size=size) for seed in (0, 1) for size in (8, 4)]
    summaries = cells(runs)
    assert [dict(cell.spec.task.knobs)["state_size"] for cell in summaries] == [8, 4]
    assert [[run.spec.seed for run in cell.runs] for cell in summaries] == [[0, 1], [0, 1]]
    assert cells([]) == []


def test_censored_runs_are_counted_and_never_averaged_in(make_run: MakeRun) -> None:
    runs = [
        make_run(0, escape=100, mastery=400, found=(200, 300)),
        make_run(1, escape=120, mastery=None, found=(150, None)),
        make_run(2, escape=140, mastery=None, found=(160, None)),
        make_run(3, escape=None, mastery=None, found=(None, None)),
        make_run(4, escape=None, mastery=None, found=(None, None)),
    ]
    cell = only(runs)
    budget = cell.spec.budget.steps
    assert few(cell.plateau) == (5, 3, 140, 100, 140)
    assert few(cell.mastery) == (5, 1, None, 400, 400)
    # Over all targets of all runs: four of ten were found.
    assert few(cell.found) == (10, 4, None, 150, 300)
    assert {waiting.horizon for waiting in (cell.plateau, cell.mastery, cell.found)} == {budget}
    # A longer budget for those that never escaped, and nothing of it shows.
    later = Plateaus(np.array([10**6]), np.array([False]))
    longer = [run if run.measures.escaped else claiming(run, plateau=later) for run in runs]
    assert only(longer).plateau == cell.plateau


def test_diverged_runs_are_counted(make_run: MakeRun) -> None:
    cell = only([make_run(0), make_run(1, diverged=True, escape=None, mastery=None), make_run(2)])
    assert cell.diverged == 1
    assert (cell.plateau.runs, cell.plateau.censored) == (3, 1)


def test_a_diverged_run_waits_to_the_end_of_its_budget(make_run: MakeRun) -> None:
    broken = make_run(1, diverged=True, escape=None, mastery=None, found=(50, None))
    budget = broken.spec.cell.budget.steps
    never = Plateaus(np.array([40]), np.array([False]))
    broken = claiming(broken, plateau=never, mastery=never)
    assert plateau_of(broken).length.tolist() == [budget]
    assert mastery_of(broken).length.tolist() == [budget]
    assert found_of(broken).length.tolist() == [50, budget]
    # Censored at 40 it would say nothing of the hundred steps after, and the mean would be that of the other.
    mean = only([make_run(0, escape=100), broken]).plateau.restricted_mean
    assert mean == (100 + budget) / 2


def test_the_prediction_loss_is_the_last_point_of_all_queries(make_run: MakeRun) -> None:
    runs = [make_run(0, last_target=0.2), make_run(1, last_target=0.5)]
    # One unpredictable query at 1, two targets.
    expected = ((1 + 2 * 0.2) / 3 + (1 + 2 * 0.5) / 3) / 2
    assert only(runs).prediction_loss == pytest.approx(expected)
    diverged = make_run(2, diverged=True)
    assert only([*runs, diverged]).prediction_loss == pytest.approx(expected)
    assert only([diverged]).prediction_loss is None


def test_without_unpredictable_queries_there_is_no_prediction_loss(make_run: MakeRun) -> None:
    run = make_run()
    scored = replace(
        run,
        truth=run.truth._replace(is_target=np.ones(2, bool), query_positions=np.array([1, 2])),
        curves=run.curves._replace(loss=run.curves.loss[:, 1:]),
    )
    assert only([scored]).prediction_loss is None


def test_the_search_space_of_cheaper_routes_is_counted_beside_the_nominal_one(make_run: MakeRun) -> None:
    cell = only([make_run()])
    assert (cell.bits, cell.route_bits) == (1, pytest.approx(math.log2(3) / 2))
    assert cell.routed
    run = make_run()
    assert not only([replace(run, truth=run.truth._replace(log2_search_space=np.ones(2)))]).routed


def test_the_in_context_gain_is_taken_over_runs_that_escaped(make_run: MakeRun) -> None:
    def gaining(run: StoredRun, *loss: float) -> StoredRun:
        return claiming(run, state_loss=np.array(loss))

    never = gaining(make_run(2, escape=None, mastery=None), 1.0, 1.0, 1.0)
    cell = only([gaining(make_run(0), 1.0, 0.5, 0.25), gaining(make_run(1), 0.5, 0.5, 0.25), never])
    assert cell.state_loss == (0.75, 0.5, 0.25)
    assert cell.in_context_gain == 0.5
    # Of one state, of one that has no number, or of none that escaped, there is none.
    lost = gaining(make_run(3), 1.0, math.nan)
    for other in (only([make_run()]), only([lost]), only([never])):
        assert (other.state_loss, other.in_context_gain) == (None, None)


def test_the_middle_run_has_the_median_plateau_and_runs_without_escape_are_longest(make_run: MakeRun) -> None:
    escapes = (None, 300, 100, 200)
    cell = only([make_run(seed, escape=escape) for seed, escape in enumerate(escapes)])
    assert cell.middle_run.spec.seed == 3
