"""Which cells make one series: those that differ in the search space, and no others."""

from __future__ import annotations

from dataclasses import replace

import pytest
from helpers.hand_made import KNOWN_MIXERS, changed, renamed, run_of, spec_of

from attnsearch.results.cells import cells
from attnsearch.results.series import series
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import (
    BudgetSpec,
    InterventionSpec,
    MixerSpec,
    OptimizerSpec,
    PlateauRule,
    Value,
    settings,
)


def at(state_size: int, support_size: int = 2, mixer: str = "attention", **values: Value) -> StoredRun:
    spec = spec_of(mixer, 0, state_size=state_size, support_size=support_size, **values)
    return run_of(spec, [50] * state_size)


def names(*runs: StoredRun) -> list[str]:
    return [one.name for one in series(cells(runs))]


def test_the_numbers_of_the_task_make_the_search_space() -> None:
    found = series(cells([at(8), at(4), at(4, 1), at(4, mixer="mlp_mixer")]))
    assert [one.name for one in found] == ["attention", "mlp_mixer"]
    assert [cell.spec.task for cell in found[0].cells] == [
        spec_of(state_size=size, support_size=support).cell.task for size, support in ((4, 1), (4, 2), (8, 2))
    ]
    assert [cell.bits for cell in found[0].cells] == sorted(cell.bits for cell in found[0].cells)
    assert series([]) == ()


def test_words_and_switches_of_the_task_do_not() -> None:
    def with_knob(name: str, value: Value) -> StoredRun:
        task = at(4).spec.cell.task
        return changed(at(4), task=replace(task, knobs=settings({**dict(task.knobs), name: value})))

    assert names(with_knob("loss", "all"), with_knob("loss", "targets")) == [
        "attention, loss all",
        "attention, loss targets",
    ]
    assert names(with_knob("hard", True), with_knob("hard", False)) == [
        "attention, hard yes",
        "attention, hard no",
    ]


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"optimizer": OptimizerSpec(learning_rate=3e-4)}, ["learning rate 0.001", "learning rate 0.0003"]),
        ({"budget": BudgetSpec(steps=500)}, ["steps 1000", "steps 500"]),
        (
            {"mixer": MixerSpec("attention", settings({**KNOWN_MIXERS["attention"], "head_width": 4}))},
            ["head width derived", "head width 4"],
        ),
    ],
)
def test_other_training_is_another_series(parts: dict[str, object], said: list[str]) -> None:
    # The other search space changes nothing: had they been mixed, its law would be of both.
    runs = [at(4), changed(at(8), **parts)]
    assert names(*runs) == [f"attention, {words}" for words in said]


def test_what_is_no_setting_parts_series_too() -> None:
    # The same task by name, but measured by other thresholds, or made by another generator.
    task = at(4).spec.cell.task
    stricter = changed(at(4), task=replace(task, plateau=PlateauRule(escape=0.5)))
    assert names(at(4), stricter) == ["attention, escape threshold 0.938", "attention, escape threshold 0.5"]
    other = changed(at(4), task=replace(task, generator="mine"))
    assert names(at(4), other) == ["attention, generator linear_map", "attention, generator mine"]


def test_a_setting_that_only_one_of_two_versions_has_tells_them_apart() -> None:
    newer = settings({**dict(at(4).spec.cell.mixer.settings), "gated": False})
    assert names(at(4), changed(at(8), mixer=MixerSpec("attention", newer))) == [
        "attention",
        "attention, gated no",
    ]
    # Of different mixers it goes without saying.
    assert names(at(4), at(4, mixer="mlp_mixer")) == ["attention", "mlp_mixer"]


def test_plain_biased_and_placebo_runs_are_never_of_one_series() -> None:
    given = [InterventionSpec(), InterventionSpec(map_bias=5.0), InterventionSpec(5.0, map_bias_placebo=True)]
    runs = [changed(at(size), intervention=one) for size in (4, 8) for one in given]
    assert names(*runs) == [
        "attention, map bias 0, map bias placebo no",
        "attention, map bias 5, map bias placebo no",
        "attention, map bias 5, map bias placebo yes",
    ]
    assert [len(one.cells) for one in series(cells(runs))] == [2, 2, 2]


def test_a_number_that_moves_no_search_space_parts_series() -> None:
    def with_pool(run: StoredRun, pool: Value) -> StoredRun:
        task = run.spec.cell.task
        return changed(run, task=replace(task, knobs=settings({**dict(task.knobs), "pool": pool})))

    runs = [with_pool(at(size), pool) for size in (4, 8) for pool in (16, 256)]
    assert names(*runs) == ["attention, pool 16", "attention, pool 256"]
    # In one search space alone, too; and where it is the same everywhere, there is nothing to part.
    assert names(*runs[:2]) == ["attention, pool 16", "attention, pool 256"]
    assert names(*runs[::2]) == ["attention"]
    # Two supports that happen to have one size are of one series, as long as others differ.
    assert names(at(4, 1), at(4, 2), at(4, 3)) == ["attention"]


def test_several_tasks_are_named() -> None:
    assert names(at(4), renamed(at(4), "mine", "attention")) == ["linear_map, attention", "mine, attention"]
    assert names(at(4), renamed(at(4), "linear_map", "mine")) == ["attention", "mine"]


def test_a_title_says_the_task_once() -> None:
    runs = [at(4), renamed(at(4), "mine", "attention")]
    assert [one.title for one in series(cells(runs))] == ["linear_map, attention", "mine, attention"]
    assert [one.title for one in series(cells(runs[:1]))] == ["linear_map, attention"]


def test_near_learning_rates_are_two_series_and_no_cell_is_lost() -> None:
    rates = (1e-3, 1.0000001e-3)
    runs = [
        changed(at(size), optimizer=OptimizerSpec(learning_rate=rate)) for rate in rates for size in (4, 8)
    ]
    found = series(cells(runs))
    assert [one.name for one in found] == [
        "attention, learning rate 0.001",
        "attention, learning rate 0.0010000001",
    ]
    assert [len(one.cells) for one in found] == [2, 2]
