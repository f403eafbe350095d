"""A run seen from the host ends when it should, asks for its maps, and ends as what will be measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from attnsearch.base import RECORDING_INTERVAL, Floats, MapRecord, Truth
from attnsearch.runs.recorder import Recording, is_map_step
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import PlateauRule, RunSpec

# Losses of one unpredictable query and two targets, as shares of chance.
HIGH, LOW, LUCKY = (1, 1, 1), (1, 0.05, 0.06), (1, 0.05, 0.2)
Losses = Sequence[tuple[float, float, float]]
Begin = Callable[..., Recording]


@pytest.fixture
def begin(spec: RunSpec, truth: Truth) -> Begin:
    """A recording of a run whose budget is `points` recorded points."""

    def recording(points: int = 8, *, early_stopping: bool = True) -> Recording:
        budget = replace(spec.cell.budget, steps=points * RECORDING_INTERVAL, early_stopping=early_stopping)
        return Recording(replace(spec, cell=replace(spec.cell, budget=budget)), truth)

    return recording


def train(recording: Recording, losses: Losses | Floats) -> list[int]:
    """Add `losses` until the run ends; the steps at which its map was asked for, and measured."""
    recording.add_map(MapRecord.of(np.zeros((2, 4), np.float32), np.zeros(2, np.float32)))
    asked = []
    for loss in np.asarray(losses, np.float32):
        assert recording.status is None
        if recording.add(loss, np.zeros(3, np.float32)):
            asked.append(recording.step)
            recording.add_map(
                MapRecord.of(np.full((2, 4), recording.step, np.float32), np.zeros(2, np.float32))
            )
        if recording.status is not None:
            break
    return asked


# How a run ends.


def test_a_run_is_mastered_at_the_third_low_point_in_a_row(begin: Begin) -> None:
    recording = begin()
    train(recording, [HIGH, LOW, LOW, LUCKY, LOW, LOW, LOW, HIGH])
    assert (recording.status, recording.step) == ("mastered", 70)
    assert recording.stored({}).measures.mastery_step == 50


def test_two_low_points_do_not_end_a_run(begin: Begin) -> None:
    recording = begin()
    train(recording, [LOW, LOW])
    assert recording.status is None


def test_without_early_stopping_a_run_uses_its_budget(begin: Begin) -> None:
    recording = begin(early_stopping=False)
    train(recording, [LOW, LOW, LOW, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH])
    assert (recording.status, recording.step) == ("mastered", 80)
    assert recording.stored({}).measures.mastery_step == 10


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize(
    ("last", "status"),
    [
        ([HIGH, HIGH, HIGH], "exhausted"),
        ([LOW, LUCKY, LOW], "exhausted"),
        # Mastery that the end of the budget cuts short is not mastery.
        ([HIGH, LOW, LOW], "exhausted"),
        ([LOW, LOW, LOW], "mastered"),
    ],
)
def test_the_end_of_the_budget(begin: Begin, early_stopping: bool, last: Losses, status: str) -> None:
    recording = begin(early_stopping=early_stopping)
    train(recording, [*[HIGH] * 5, *last])
    assert (recording.status, recording.step) == (status, 80)


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("query", range(3))
def test_a_loss_that_is_not_finite_ends_a_run_whichever_query_it_is_of(
    begin: Begin, loss: float, query: int
) -> None:
    recording = begin()
    broken = np.array(HIGH, np.float32)
    broken[query] = loss
    asked = train(recording, [HIGH, HIGH, tuple(broken), HIGH])
    assert (recording.status, recording.step) == ("diverged", 30)
    assert asked[-1] == 30
    stored = recording.stored({})
    assert stored.measures.mastered is False
    np.testing.assert_array_equal(stored.curves.loss[-1], broken)


def test_divergence_at_the_last_point_is_no_mastery(begin: Begin) -> None:
    recording = begin(4, early_stopping=False)
    train(recording, [LOW, LOW, LOW, (1, math.nan, 0)])
    assert recording.status == "diverged"


# What a run looks like on the way.


def test_progress_is_that_of_the_latest_point(begin: Begin) -> None:
    recording = begin()
    assert recording.step == 0
    train(recording, [HIGH, (1, 0.4, 0.6)])
    assert (recording.step, recording.found) == (20, 1)
    np.testing.assert_allclose(recording.target_loss, [0.4, 0.6], rtol=1e-6)


# When a map is measured.


def test_maps_of_every_run_are_at_steps_a_fourth_root_of_two_apart() -> None:
    steps = [step for step in range(0, 10_001, RECORDING_INTERVAL) if is_map_step(step)]
    assert steps[:12] == [0, 50, 60, 70, 80, 100, 120, 140, 170, 200, 240, 280]
    assert steps[12::2] == [340, 480, 670, 950, 1350, 1900, 2690, 3810, 5380, 7610]
    # Between two recorded points nothing can be measured.
    assert not any(is_map_step(step) for step in range(10_001) if step % RECORDING_INTERVAL)


def test_a_map_is_measured_at_escape_at_the_end_and_at_the_common_steps(begin: Begin) -> None:
    recording = begin(12)
    escaping = (1.0, 0.9, 0.9)
    asked = train(recording, [HIGH, HIGH, escaping, HIGH, escaping, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH])
    # Escape is at 30, and but once; from 50 to 120 are common, and 120 is the end.
    assert asked == [30, 50, 60, 70, 80, 100, 120]
    assert recording.map_steps == [0, *asked]


def test_a_run_that_never_escapes_has_the_common_maps_and_its_end(begin: Begin) -> None:
    assert train(begin(9), [HIGH] * 9) == [50, 60, 70, 80, 90]


# As it is stored.


def test_an_ended_run_is_stored_as_it_was_recorded(begin: Begin, spec: RunSpec, truth: Truth) -> None:
    recording = begin(6)
    losses = [HIGH, (1, 0.9, 0.9), (1, 0.9, 0.4), LOW, LOW, LOW]
    train(recording, losses)
    run = recording.stored({"device": "none"})
    assert (run.spec, run.status, run.environment) == (recording.spec, "mastered", {"device": "none"})
    assert run.truth is truth
    assert run.curves.step.tolist() == [10, 20, 30, 40, 50, 60]
    np.testing.assert_array_equal(run.curves.loss, np.array(losses, np.float32))
    assert run.curves.accuracy.shape == (6, 3)
    assert run.maps.step.tolist() == [0, 20, 50, 60]
    np.testing.assert_array_equal(run.maps.influence[:, 0, 0], [0, 20, 50, 60])
    assert run.measures.plateau_length == 20
    assert run.measures.found.length.tolist() == [40, 30]
    assert run.spec.cell.task == spec.cell.task


def test_other_thresholds_measure_a_stored_run_anew(begin: Begin) -> None:
    recording = begin(6)
    train(recording, [HIGH, (1, 0.9, 0.9), (1, 0.9, 0.4), LOW, LOW, LOW])
    run = recording.stored({})
    rule = PlateauRule(escape=0.7, found=0.05, mastery=0.01)
    again = run.under(rule)
    assert (again.spec.digest, again.spec.cell.task.plateau) == (run.spec.digest, rule)
    assert again.measures.plateau_length == 30
    assert again.measures.found.observed.tolist() == [False, False]
    assert again.measures.mastered is False
    assert run.measures.plateau_length == 20


# How it ended is what is measured: many curves, most of their points at the very thresholds.


def random_run(seed: int, spec: RunSpec, truth: Truth) -> tuple[StoredRun, list[int]]:
    """A run to its end, and the steps at which its map was asked for."""
    random = np.random.default_rng(seed)
    targets, points = int(random.integers(1, 20)), int(random.integers(1, 15))
    # Shares of such a chance no f32 writes exactly, and those of ln 2 neither.
    chance = math.log(2) * random.uniform(0.5, 2)
    is_target = np.arange(targets + 1) >= random.integers(2)
    truth = truth._replace(
        attention_map=np.ones((is_target.sum(), 4), bool),
        query_positions=np.full(targets + 1, 3),
        is_target=is_target,
        chance_loss=np.array(chance),
        bayes_loss=np.zeros(is_target.sum()),
        state=np.ones(is_target.sum(), int),
        mapped=np.arange(is_target.sum()),
    )
    rule = spec.cell.task.plateau
    levels = np.array([1, rule.escape, rule.found, rule.mastery, 0.01]) * chance
    # A point has one level in all its targets, give or take a bit, or mastery would never be seen.
    loss = random.choice(levels, p=[0.1, 0.1, 0.1, 0.4, 0.3], size=(points, 1)).astype(np.float32)
    loss = np.repeat(loss, targets + 1, axis=1)
    wobble = random.integers(-1, 2, size=loss.shape) * random.integers(2)
    loss = np.where(wobble == 0, loss, np.nextafter(loss, loss + wobble)).astype(np.float32)
    loss[random.random(loss.shape) < 0.01 * random.integers(2)] = math.nan
    budget = replace(
        spec.cell.budget, steps=points * RECORDING_INTERVAL, early_stopping=bool(random.integers(2))
    )
    recording = Recording(replace(spec, cell=replace(spec.cell, budget=budget)), truth)
    recording.add_map(MapRecord.of(np.zeros(truth.attention_map.shape, np.float32), np.zeros(2, np.float32)))
    asked = []
    for point in loss:
        if recording.add(point, point):
            asked.append(recording.step)
        if recording.status is not None:
            break
    return recording.stored({}), asked


def test_status_and_measures_never_disagree(spec: RunSpec, truth: Truth) -> None:
    runs = []
    for seed in range(500):
        run, asked = random_run(seed, spec, truth)
        runs.append(run)
        end, last = run.measures, int(run.curves.step[-1])
        assert (run.status == "diverged") == (not np.isfinite(run.curves.loss).all()), seed
        if run.status != "diverged":
            assert (run.status == "mastered") == end.mastered, seed
        if run.status == "mastered" and run.spec.cell.budget.early_stopping:
            assert end.mastery_step == last - 2 * RECORDING_INTERVAL, seed
        else:
            assert run.status == "diverged" or last == run.spec.cell.budget.steps, seed
        if end.escaped:
            assert end.plateau_length in asked, seed
        assert asked[-1] == last
    # The curves are worth their name: each end is met often, and escape is neither always nor never.
    ends = [run.status for run in runs]
    assert min(ends.count(end) for end in ("mastered", "exhausted", "diverged")) > 20
    assert 20 < sum(run.measures.escaped for run in runs) < 480
