"""What a summary says of hand-made runs, and what it must never say."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from helpers.hand_made import claiming
from helpers.maps import no_maps
from rich.console import Console

from attnsearch.base import Curves, Floats, Heads, Plateaus, Truth
from attnsearch.results import cells as summary
from attnsearch.results.cells import (
    FEWEST_SEEDS,
    LEAK_MARGIN,
    Cell,
    cells,
    constant,
    describe,
    document,
    found_of,
    interventions,
    mastery_of,
    plateau_of,
    table,
    varying,
)
from attnsearch.runs.store import Status, StoredRun
from attnsearch.spec.run import CellSpec, InterventionSpec, MixerSpec, RunSpec, TaskSpec, Value, settings
from attnsearch.stats.survival import Waiting, summarise

BUDGET = 500
MakeRun = Callable[..., StoredRun]


@pytest.fixture
def make_run(spec: RunSpec, truth: Truth) -> MakeRun:
    """A run of two targets: its waiting times, each None where it never came to that."""

    def run(
        seed: int = 0,
        *,
        escape: int | None = 100,
        mastery: int | None = 300,
        found: Sequence[int | None] = (200, 250),
        diverged: bool = False,
        first_query: Sequence[float] = (1, 1, 1, 1),
        last_target: float = 0.2,
        **knobs: Value,
    ) -> StoredRun:
        task = replace(spec.cell.task, knobs=settings({**dict(spec.cell.task.knobs), **knobs}))
        budget = replace(spec.cell.budget, steps=BUDGET)
        loss = np.ones((len(first_query), 3), np.float32)
        loss[:, 0] = first_query
        loss[-1, 1:] = math.nan if diverged else last_target
        status: Status = "diverged" if diverged else "exhausted" if mastery is None else "mastered"
        maps = no_maps(np.zeros(1, np.int32), 2, 4)
        run = StoredRun(
            spec=replace(spec, cell=replace(spec.cell, task=task, budget=budget), seed=seed),
            status=status,
            environment={"devices": ["cpu"]},
            truth=truth,
            curves=Curves(np.arange(1, len(loss) + 1) * 10, loss, loss),
            maps=maps,
            heads=Heads.none(maps),
        )
        return claiming(run, plateau=waits(escape), mastery=waits(mastery), found=waits(*found))

    return run


def waits(*steps: int | None) -> Plateaus:
    """Lengths, each None where the budget was used up in vain."""
    length = [BUDGET if step is None else step for step in steps]
    return Plateaus(np.array(length), np.array([step is not None for step in steps]))


def few(waiting: Waiting) -> tuple[int, int, float | None, int | None, int | None]:
    """What a waiting time had to say before it had intervals."""
    return waiting.runs, waiting.observed, waiting.median, waiting.shortest, waiting.longest


def only(runs: Sequence[StoredRun]) -> Cell:
    (cell,) = cells(runs)
    return cell


def shown(summaries: Sequence[Cell]) -> dict[str, list[str]]:
    """A table as it is printed: the cells of each column, by its heading."""
    drawn = table(summaries)
    return {
        " ".join(str(column.header).split()): [str(entry) for entry in column.cells]
        for column in drawn.columns
    }


def fluctuating(chance: float, noise: float, samples: int, shape: tuple[int, int]) -> Floats:
    """Recorded losses on fair coins of a network that guesses with logits of deviation `noise`."""
    drawn = np.random.default_rng(0).standard_normal(shape)
    # Mean and deviation of log(1 + exp(z)), z normal, to second order in the noise.
    return chance + noise**2 / 8 + noise / 2 / math.sqrt(samples) * drawn


# Cells.


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
    assert few(cell.plateau) == (5, 3, 140, 100, 140)
    assert few(cell.mastery) == (5, 1, None, 400, 400)
    # Over all targets of all runs: four of ten were found.
    assert few(cell.found) == (10, 4, None, 150, 300)
    assert {waiting.horizon for waiting in (cell.plateau, cell.mastery, cell.found)} == {BUDGET}
    # A longer budget for those that never escaped, and nothing of it shows.
    longer = [
        run if run.measures.escaped else claiming(run, plateau=Plateaus(np.array([10**6]), np.array([False])))
        for run in runs
    ]
    assert only(longer).plateau == cell.plateau
    column = shown([cell])
    assert column["plateau length (steps) median (range)"] == ["140 (100 to 140), 2 censored"]
    assert column["escaped / mastered"] == ["3 / 1"]
    assert column["target found (median step)"] == ["not reached"]


def test_diverged_runs_are_counted(make_run: MakeRun) -> None:
    runs = [make_run(0), make_run(1, diverged=True, escape=None, mastery=None), make_run(2)]
    cell = only(runs)
    assert cell.diverged == 1
    assert (cell.plateau.runs, cell.plateau.censored) == (3, 1)
    assert shown([cell])["runs"] == ["3 (1 diverged)"]
    assert shown([only(runs[::2])])["runs"] == ["2"]


def test_a_diverged_run_waits_to_the_end_of_its_budget(make_run: MakeRun) -> None:
    broken = make_run(1, diverged=True, escape=None, mastery=None, found=(50, None))
    never = Plateaus(np.array([40]), np.array([False]))
    broken = claiming(broken, plateau=never, mastery=never)
    assert plateau_of(broken).length.tolist() == [BUDGET]
    assert mastery_of(broken).length.tolist() == [BUDGET]
    assert found_of(broken).length.tolist() == [50, BUDGET]
    # Censored at 40 it would say nothing of the hundred steps after, and the mean would be that of the other.
    mean = only([make_run(0, escape=100), broken]).plateau.restricted_mean
    assert mean == (100 + BUDGET) / 2


def test_the_prediction_loss_is_that_of_the_last_point_over_all_queries(make_run: MakeRun) -> None:
    runs = [make_run(0, last_target=0.2), make_run(1, last_target=0.5)]
    # One unpredictable query at 1, two targets.
    expected = ((1 + 2 * 0.2) / 3 + (1 + 2 * 0.5) / 3) / 2
    assert only(runs).prediction_loss == pytest.approx(expected)
    assert shown([only(runs)])["prediction loss (nats)"] == [f"{expected:.3f}"]
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
    assert "prediction loss (nats)" not in shown(cells([scored]))
    # Beside a task that has one, its place is empty.
    assert shown(cells([scored, make_run(state_size=4)]))["prediction loss (nats)"] == ["", "0.467"]


def test_the_search_space_is_shown_beside_that_of_cheaper_routes(make_run: MakeRun) -> None:
    cell = only([make_run()])
    assert (cell.bits, cell.route_bits) == (1, pytest.approx(math.log2(3) / 2))
    column = shown([cell])
    assert (column["search space (bits)"], column["cheapest route (bits)"]) == (["1.0"], ["0.8"])
    run = make_run()
    isolated = replace(run, truth=run.truth._replace(log2_search_space=np.ones(2)))
    assert "cheapest route (bits)" not in shown(cells([isolated]))


# The table.


def test_columns_are_what_differs_and_the_title_says_the_other_knobs(make_run: MakeRun) -> None:
    runs = [make_run(), make_run(state_size=4)]
    assert varying(cells(runs)) == ["state_size"]
    assert constant(cells(runs)) == "loss all, support size 1"
    heading = "Plateau length against the size of the search space: "
    assert table(cells(runs)).title == f"{heading}loss all, support size 1"
    assert table(cells(runs[:1])).title == f"{heading}loss all, state size 2, support size 1"
    faster = replace(
        runs[0],
        spec=replace(
            runs[0].spec,
            cell=replace(
                runs[0].spec.cell,
                optimizer=replace(runs[0].spec.cell.optimizer, learning_rate=0.01),
                mixer=MixerSpec("mlp_mixer", settings({"expansion": None})),
            ),
        ),
    )
    # The settings of a mixer that only one cell has do not differ between cells.
    summaries = cells([*runs, faster])
    assert varying(summaries) == ["state_size", "learning_rate"]
    column = shown(summaries)
    assert column["mixer"] == ["attention", "attention", "mlp_mixer"]
    assert column["state size"] == ["2", "4", "2"]
    assert column["learning rate"] == ["0.0003", "0.0003", "0.01"]


def test_a_setting_left_to_the_mixer_reads_derived_and_one_it_lacks_is_empty(make_run: MakeRun) -> None:
    def with_mixer(**chosen: Value) -> StoredRun:
        run = make_run()
        mixer = MixerSpec("attention", settings(chosen))
        return replace(run, spec=replace(run.spec, cell=replace(run.spec.cell, mixer=mixer)))

    runs = [with_mixer(head_width=None), with_mixer(head_width=4), with_mixer()]
    assert shown(cells(runs))["head width"] == ["derived", "4", ""]


def test_a_task_with_other_knobs_leaves_their_places_empty(make_run: MakeRun) -> None:
    run = make_run()
    other = TaskSpec("other", "linear_map", settings({"depth": 3}))
    summaries = cells(
        [make_run(), make_run(state_size=4), replace(run, spec=replace(run.spec, cell=with_task(run, other)))]
    )
    column = shown(summaries)
    assert column["task"] == ["linear_map_autoregressive"] * 2 + ["other"]
    assert column["state size"] == ["2", "4", ""]
    assert "depth" not in column
    assert constant(summaries) == "linear_map_autoregressive: loss all, support size 1; other: depth 3"


def test_what_was_done_to_the_networks_is_said_where_it_is_no_column(make_run: MakeRun) -> None:
    def given(**done: Any) -> StoredRun:
        run = make_run()
        cell = replace(run.spec.cell, intervention=InterventionSpec(**done))
        return replace(run, spec=replace(run.spec, cell=cell))

    biased = given(map_bias=4.0, map_bias_placebo=True)
    knobs = "loss all, state size 2, support size 1"
    assert constant(cells([biased])) == f"{knobs}, map bias 4, map bias placebo yes"
    stronger = cells([biased, given(map_bias=8.0, map_bias_placebo=True)])
    assert varying(stronger) == ["map_bias"]
    assert constant(stronger) == f"{knobs}, map bias placebo yes"
    assert constant(cells([make_run(), biased])) == knobs


def with_task(run: StoredRun, task: TaskSpec) -> CellSpec:
    return replace(run.spec.cell, task=task)


def test_interventions_are_columns_where_cells_differ_in_them(make_run: MakeRun) -> None:
    run = make_run()
    biased = [
        InterventionSpec(),
        InterventionSpec(map_bias=5.0),
        InterventionSpec(5.0, map_bias_placebo=True),
    ]
    specs = [replace(run.spec, cell=replace(run.spec.cell, intervention=one)) for one in biased]
    summaries = cells([replace(run, spec=spec) for spec in specs])
    column = shown(summaries)
    assert column["map bias"] == ["0", "5", "5"]
    assert column["map bias placebo"] == ["no", "no", "yes"]
    assert "map bias layers" not in column
    assert [interventions(spec.cell) for spec in specs] == [
        {},
        {"map_bias": 5.0},
        {"map_bias": 5.0, "map_bias_placebo": True},
    ]


def test_the_in_context_gain_is_that_of_runs_that_escaped(make_run: MakeRun) -> None:
    def gaining(run: StoredRun, *loss: float) -> StoredRun:
        return claiming(run, state_loss=np.array(loss))

    never = gaining(make_run(2, escape=None, mastery=None), 1.0, 1.0, 1.0)
    cell = only([gaining(make_run(0), 1.0, 0.5, 0.25), gaining(make_run(1), 0.5, 0.5, 0.25), never])
    assert cell.state_loss == (0.75, 0.5, 0.25)
    assert cell.in_context_gain == 0.5
    assert shown([cell])["in-context gain of escaped (nats)"] == ["0.500"]
    (found,) = document([cell], "results", [])["cells"]
    assert (found["in_context_gain"], found["state_loss"]) == (0.5, [0.75, 0.5, 0.25])
    # Of one state, of one that has no number, or of none that escaped, there is none.
    lost = gaining(make_run(3), 1.0, math.nan)
    for other in (only([make_run()]), only([lost]), only([never])):
        assert (other.state_loss, other.in_context_gain) == (None, None)
        assert not any("gain" in name for name in shown([other]))


def test_a_table_prints_a_line_for_each_cell(make_run: MakeRun) -> None:
    console = Console(width=200, color_system=None)
    with console.capture() as capture:
        console.print(table(cells([make_run(state_size=size) for size in (4, 8, 16)])))
    assert capture.get().count("linear_map_autoregressive") == 3


@pytest.mark.parametrize(
    ("ended", "censored", "text"),
    [
        ([180, 1210, 1210, 13200], 0, "1,210 (180 to 13,200)"),
        ([180, 200, 210, 210, 320], 3, "210 (180 to 320), 3 censored"),
        ([180, 320], 6, "not reached (180 to 320), 6 censored"),
        ([], 5, "not reached, 5 censored"),
    ],
)
def test_waiting_in_words(ended: list[int], censored: int, text: str) -> None:
    length = np.array([*ended, *[20_000] * censored])
    waiting = summarise(Plateaus(length, np.arange(len(length)) < len(ended)))
    assert describe(waiting) == text


# Warnings.


def test_few_seeds_are_warned_about(make_run: MakeRun) -> None:
    enough = [make_run(seed) for seed in range(FEWEST_SEEDS)]
    assert summary.warnings(cells(enough)) == []
    (warning,) = summary.warnings(cells(enough[:-1]))
    assert warning.startswith(f"{FEWEST_SEEDS - 1} seeds are too few")
    # Once, for the smallest of several.
    many = [*enough, make_run(0, state_size=4), *[make_run(seed, state_size=8) for seed in range(3)]]
    (warning,) = summary.warnings(cells(many))
    assert warning.startswith("1 seed")


def leaks(runs: Sequence[StoredRun]) -> list[str]:
    return [warning for warning in summary.warnings(cells(runs)) if "future" in warning]


def test_predicting_the_unpredictable_is_a_leak(make_run: MakeRun) -> None:
    below = LEAK_MARGIN - 0.01
    leaking = make_run(3, first_query=[1, 1, below, below, below])
    (warning,) = leaks([make_run(2), leaking])
    assert warning == (
        "attention predicts unpredictable tokens of linear_map_autoregressive, seed 3:"
        " it sees the future, and its numbers do not count"
    )
    # Also one that goes away again, and one in a run that diverged.
    assert len(leaks([make_run(first_query=[1, 0.2, 0.1, 0.1, 1, 1])])) == 1
    assert len(leaks([make_run(first_query=[0.2, 0.1, 0.1, math.nan], diverged=True)])) == 1


@pytest.mark.parametrize(
    "first_query",
    [
        [1, 1, 1, 1],
        [LEAK_MARGIN + 0.01] * 5,
        # Three low points in a row, or it was luck.
        [1, 0.5, 0.5, 1, 0.5, 0.5],
        [0.5, 0.5],
        [math.nan] * 5,
        [1, math.inf, math.nan, math.nan],
    ],
)
def test_what_is_not_clearly_below_chance_is_no_leak(make_run: MakeRun, first_query: list[float]) -> None:
    assert leaks([make_run(first_query=first_query, diverged=not np.isfinite(first_query).all())]) == []


def test_low_targets_are_no_leak(make_run: MakeRun) -> None:
    run = make_run(last_target=0.01)
    low = np.where(run.truth.is_target, np.float32(0.01), run.curves.loss)
    assert leaks([replace(run, curves=run.curves._replace(loss=low))]) == []


@pytest.mark.parametrize("sequences", [2, 4, 16, 64])
@pytest.mark.parametrize("noise", [0.05, 0.2, 0.5, 1.0])
def test_a_guess_at_chance_is_no_leak_however_it_fluctuates(
    make_run: MakeRun, sequences: int, noise: float
) -> None:
    run = make_run()
    chance = math.log(2)
    truth = run.truth._replace(
        is_target=np.arange(33) >= 31,
        query_positions=np.arange(33),
        chance_loss=np.array(chance),
    )
    loss = np.full((1000, 33), chance, np.float32)
    loss[:, :31] = fluctuating(chance, noise, 10 * sequences, (1000, 31))
    noisy = replace(run, truth=truth, curves=Curves(np.arange(1, 1001) * 10, loss, loss))
    assert leaks([noisy]) == []
    if (sequences, noise) == (2, 1.0):
        # Single points do fall below: without the three in a row each such run would be accused.
        assert (loss[:, :31] < LEAK_MARGIN * chance).any()


# The document.


def test_the_document_is_strict_json_with_its_censoring_beside_each_length(make_run: MakeRun) -> None:
    runs = [
        make_run(0),
        make_run(1, escape=None, mastery=None, found=(200, None)),
        make_run(2, diverged=True, escape=None, mastery=None, found=(None, None)),
    ]
    summaries = cells([*runs, make_run(3, diverged=True, escape=None, mastery=None, state_size=4)])
    text = json.dumps(document(summaries, "results", ["a.png"]), allow_nan=False)
    found: dict[str, Any] = json.loads(text)
    assert (found["store"], found["pictures"]) == ("results", ["a.png"])
    assert found["warnings"] == summary.warnings(summaries)
    assert found["warnings"]
    first, second = found["cells"]
    assert first["plateau_length"] == asdict(summaries[0].plateau)
    assert (first["plateau_length"]["observed"], first["plateau_length"]["median"]) == (1, None)
    assert (first["runs"], first["escaped"], first["mastered"], first["diverged"]) == (3, 1, 1, 1)
    assert first["found_step"]["runs"] == 6
    assert first["found_step"]["observed"] == 3
    assert second["plateau_length"]["observed"] == 0
    assert second["plateau_length"]["median"] is None
    assert second["prediction_loss"] is None
    # Every setting of a cell is there by its name, and none is hidden by a result.
    for cell, one in zip(found["cells"], summaries, strict=True):
        assert {name: cell[name] for name in one.spec.flat()} == one.spec.flat()
    assert [run["digest"] for run in found["runs"]] == [
        run.spec.digest for cell in summaries for run in cell.runs
    ]
    for run, stored in zip(found["runs"], runs, strict=False):
        assert RunSpec.from_json(run["spec"]) == stored.spec
        assert run["status"] == stored.status
        assert run["environment"] == stored.environment
        assert run["measures"] == stored.measures.to_json()
        assert {"escaped", "mastered", "found"} <= set(run["measures"])
        assert run["log2_search_space_of_targets"] == stored.truth.log2_search_space.tolist()
