"""Measures of hand-made curves and maps whose answers are known without the code."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from helpers.maps import maps_of, no_maps

from attnsearch.base import Curves, Plateaus, Truth
from attnsearch.runs.measures import Measures, chance_map_mass, first_step, measure, prediction_loss
from attnsearch.runs.outline import MASTERY_HOLD, held
from attnsearch.spec.run import PlateauRule, TaskSpec

NAN = math.nan
RULE = PlateauRule(escape=0.938, found=0.5, mastery=0.1)
TASK = TaskSpec("mine", "mine:Made", (), RULE)
NO_MAPS = no_maps(np.empty(0, np.int32), 2, 4)

# Losses are shares of chance, which is 1 in the truth that these tests share.
Losses = Sequence[tuple[float, float]]


def curves_of(losses: Losses, unpredictable: float = 1.0) -> Curves:
    """Recorded every 10 steps: two targets behind a query that is none."""
    loss = np.array([(unpredictable, *point) for point in losses], np.float32).reshape(-1, 3)
    return Curves(np.arange(1, len(loss) + 1) * 10, loss, np.zeros_like(loss))


def measures_of(losses: Losses, truth: Truth, rule: PlateauRule = RULE) -> Measures:
    return measure(curves_of(losses), truth, replace(TASK, plateau=rule))


def pairs(waiting: Plateaus) -> list[tuple[int, bool]]:
    return [(int(length), bool(seen)) for length, seen in zip(*waiting, strict=True)]


# Escape: the mean of the targets.


@pytest.mark.parametrize(
    ("losses", "length", "escaped"),
    [
        ([(1, 1), (1, 0.9), (1, 0.8), (0, 0)], 30, True),  # means 1, .95, .9
        ([(0.93, 0.93), (1, 1)], 10, True),
        ([(1, 1), (1, 1), (0.9, 0.9)], 30, True),
        ([(1, 1), (1, 1), (0.94, 0.94)], 30, False),
        # One target far below, one above: only the mean counts.
        ([(0, 1.9), (0, 1.8)], 20, True),
        # A point that is no number is no escape, and hides none behind it.
        ([(NAN, 0), (0, NAN), (NAN, NAN)], 30, False),
        ([(NAN, 0), (0, 0)], 20, True),
        ([(math.inf, 0), (1, 1)], 20, False),
        ([], 0, False),
    ],
)
def test_escape_is_the_first_point_whose_mean_is_below(
    truth: Truth, losses: Losses, length: int, escaped: bool
) -> None:
    measures = measures_of(losses, truth)
    assert pairs(measures.plateau) == [(length, escaped)]


def test_a_loss_at_the_threshold_is_not_below_it(truth: Truth) -> None:
    # Halves and quarters are exact in binary, so that equality is meant.
    rule = PlateauRule(escape=0.75, found=0.5, mastery=0.25)
    at = measures_of([(0.5, 1), (0.25, 0.25), (0.25, 0.25), (0.25, 0.25)], truth, rule)
    assert pairs(at.plateau) == [(20, True)]
    assert pairs(at.found) == [(20, True), (20, True)]
    assert pairs(at.mastery) == [(40, False)]


def test_what_nothing_predicts_is_not_measured(truth: Truth) -> None:
    losses = [(0.9, 1.0), (0.05, 0.9)]
    for unpredictable in (0.0, 1.0, NAN):
        measures = measure(curves_of(losses, unpredictable), truth, TASK)
        assert pairs(measures.plateau) == [(20, True)]
        assert pairs(measures.found) == [(20, True), (20, False)]
        assert pairs(measures.mastery) == [(20, False)]


def test_thresholds_are_shares_of_chance(truth: Truth) -> None:
    losses = [(0.9, 0.9), (0.4, 0.4)]
    double = truth._replace(chance_loss=np.array(2.0))
    assert pairs(measures_of(losses, truth).found) == [(20, True)] * 2
    assert pairs(measures_of(losses, double).found) == [(10, True)] * 2


# Found and mastered: target by target.


def test_each_target_is_found_at_its_own_step(truth: Truth) -> None:
    losses = [(0.9, 0.6), (0.6, 0.4), (0.3, 0.9), (0.2, NAN)]
    assert pairs(measures_of(losses, truth).found) == [(30, True), (20, True)]
    assert pairs(measures_of(losses[:2], truth).found) == [(20, False), (20, True)]


LOW, HIGH = (0.05, 0.09), (0.05, 0.11)


@pytest.mark.parametrize(
    ("losses", "step", "mastered"),
    [
        ([LOW, LOW, LOW], 10, True),
        ([HIGH, LOW, LOW, LOW, HIGH, HIGH], 20, True),
        # One lucky point, or two, are not knowledge.
        ([HIGH, LOW, HIGH, LOW, LOW, HIGH], 60, False),
        ([LOW, HIGH, LOW, LOW, LOW], 30, True),
        # Nor is what a curve that ends does not show.
        ([HIGH, HIGH, HIGH, LOW, LOW], 50, False),
        ([LOW, LOW, (0.05, NAN), LOW, LOW], 50, False),
        ([LOW], 10, False),
        ([], 0, False),
    ],
)
def test_mastery_is_where_three_low_points_begin(
    truth: Truth, losses: Losses, step: int, mastered: bool
) -> None:
    assert MASTERY_HOLD == 3
    assert pairs(measures_of(losses, truth).mastery) == [(step, mastered)]


def test_held_looks_at_every_column_by_itself() -> None:
    condition = np.array([[1, 0], [1, 1], [1, 1], [0, 1], [0, 1]], bool)
    expected = np.array([[1, 0], [0, 1], [0, 1], [0, 0], [0, 0]], bool)
    np.testing.assert_array_equal(held(condition), expected)
    np.testing.assert_array_equal(held(condition[:, 0]), expected[:, 0])
    np.testing.assert_array_equal(held(condition, points=1), condition)
    assert not held(condition[:2]).any()
    assert held(condition[:0]).shape == (0, 2)


def test_a_curve_without_points_is_censored_at_zero() -> None:
    assert pairs(first_step(np.empty(0, int), np.empty((0, 3), bool))) == [(0, False)] * 3


# Thresholds belong to the question, not to the run.


@pytest.mark.parametrize(
    ("changed", "plateau", "found", "mastery"),
    [
        ({}, (20, True), (30, True), (40, True)),
        ({"escape": 0.99}, (10, True), (30, True), (40, True)),
        ({"escape": 0.01}, (60, False), (30, True), (40, True)),
        ({"found": 0.95}, (20, True), (20, True), (40, True)),
        ({"found": 0.01}, (20, True), (60, False), (40, True)),
        ({"mastery": 0.5}, (20, True), (30, True), (30, True)),
        ({"mastery": 0.06}, (20, True), (30, True), (60, False)),
    ],
)
def test_other_thresholds_measure_the_same_curve_anew(
    truth: Truth,
    changed: dict[str, float],
    plateau: tuple[int, bool],
    found: tuple[int, bool],
    mastery: tuple[int, bool],
) -> None:
    losses = [(share, share) for share in (0.97, 0.9, 0.3, 0.09, 0.08, 0.07)]
    measures = measures_of(losses, truth, replace(RULE, **changed))
    assert pairs(measures.plateau) == [plateau]
    assert pairs(measures.found) == [found] * 2
    assert pairs(measures.mastery) == [mastery]


# Maps.

INFLUENCE = np.array(
    [
        # Rows of x0 x1 t0 t1; the supports are x0 and x1, and x0.
        [[0.2, 0.3, 0.0, 0.0], [0.1, 0.2, 0.1, 0.0]],
        [[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.5, 0.0]],
        [[0.1, 0.1, 0.6, 0.0], [0.8, 0.0, 0.0, 0.0]],
    ],
    np.float32,
)
MASS = np.array([[1, 0.25], [NAN, 0], [0.25, 1]])


def test_chance_counts_the_replaceable_tokens_that_a_query_sees(truth: Truth) -> None:
    # Token by token: t0 is asked at x1 and sees two tokens, t1 at t0 and sees three.
    np.testing.assert_allclose(chance_map_mass(truth), [2 / 2, 1 / 3])
    # At blanks of their own, `x0 x1 _ _`: both see two inputs, and blanks are the same in every sequence.
    isolated = truth._replace(
        query_positions=np.array([2, 3]),
        is_target=np.array([True, True]),
        replaceable=np.array([True, True, False, False]),
    )
    np.testing.assert_allclose(chance_map_mass(isolated), [2 / 2, 1 / 2])


# As it is stored.


def test_measures_are_strict_json_with_their_censoring(truth: Truth) -> None:
    maps = maps_of(truth, np.array([0, 10, 20]), INFLUENCE)
    losses = [(1, 1), (0.2, 0.9)]
    document = json.loads(json.dumps(measure(curves_of(losses), truth, TASK).to_json(maps), allow_nan=False))
    assert document.pop("state_loss") == pytest.approx([(0.2 + 0.9) / 2])
    assert document.pop("in_context_gain") is None
    mass, chance = document.pop("map_mass"), document.pop("chance_map_mass")
    assert document == {
        "plateau_length": 20,
        "escaped": True,
        "mastery_step": 20,
        "mastered": False,
        "found_step": [20, 20],
        "found": [True, False],
        "later": [0, 0, 0],
        "leaking": False,
    }
    assert mass[1] == [None, 0]
    assert mass[0] == pytest.approx([1, 0.25])
    assert chance == pytest.approx([1, 1 / 3])


def test_the_plotted_loss_is_over_all_queries(truth: Truth) -> None:
    del truth
    np.testing.assert_allclose(prediction_loss(curves_of([(0.5, 0.3), (0, 0.2)])), [0.6, 0.4], rtol=1e-6)


# Several states, a loss that even Bayes has, and positions that were not probed.


def of_two_states(truth: Truth, bayes: float) -> Truth:
    return truth._replace(state=np.array([1, 2]), bayes_loss=np.array([bayes, 0.0]))


def test_mastery_is_measured_against_bayes_loss(truth: Truth) -> None:
    losses = [(0.75, 0.05)] * 3
    assert not measure(curves_of(losses), truth, TASK).mastery.observed[0]
    foreseen = measure(curves_of(losses), of_two_states(truth, 0.7), TASK)
    assert foreseen.mastery.observed[0]
    assert foreseen.mastery.length[0] == 10
    # A tenth of chance above it is too much.
    assert not measure(curves_of(losses), of_two_states(truth, 0.64), TASK).mastery.observed[0]


def test_targets_that_nobody_can_be_sure_of_are_mastered_by_the_mean_of_their_state(truth: Truth) -> None:
    together = truth._replace(state=np.array([1, 1]), bayes_loss=np.array([0.5, 0.3]))
    uneven = measure(curves_of([(0.7, 0.15)] * 3), together, TASK)
    assert uneven.mastery.observed[0]
    # Not over states, and not for a target that can be known.
    apart = together._replace(state=np.array([1, 2]))
    assert not measure(curves_of([(0.7, 0.15)] * 3), apart, TASK).mastery.observed[0]
    for nearly in (0.0, 0.01):
        certain = together._replace(bayes_loss=np.array([nearly, 0.3]))
        assert not measure(curves_of([(0.2, 0.1)] * 3), certain, TASK).mastery.observed[0]
    # Nor does a mean hide a target that is not known at all.
    assert not measure(curves_of([(1.01, -0.3)] * 3), together, TASK).mastery.observed[0]


def test_where_bayes_himself_is_above_the_threshold_nothing_is_found(truth: Truth) -> None:
    losses = [(0.45, 0.45)]
    assert measure(curves_of(losses), truth, TASK).found.observed.tolist() == [True, True]
    hopeless = of_two_states(truth, 0.6)
    assert measure(curves_of(losses), hopeless, TASK).found.observed.tolist() == [False, True]


def test_in_context_gain_is_the_fall_from_the_first_state_to_the_last(truth: Truth) -> None:
    measures = measure(curves_of([(1, 1), (0.8, 0.3)]), of_two_states(truth, 0.0), TASK)
    np.testing.assert_allclose(measures.state_loss, [0.8, 0.3], rtol=1e-6)
    assert measures.in_context_gain == pytest.approx(0.5)
    broken = measure(curves_of([(NAN, 1)]), of_two_states(truth, 0.0), TASK).to_json(NO_MAPS)
    assert broken["state_loss"] == [None, 1.0]
    assert broken["in_context_gain"] is None
