"""What the maps and heads of hand-made runs are found to show."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from helpers.maps import maps_of

from attnsearch.base import RECORDING_INTERVAL, Curves, Heads, Truth
from attnsearch.results.alignment import align, best_heads
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import RunSpec

MakeRun = Callable[..., StoredRun]


@pytest.fixture
def make_run(spec: RunSpec, truth: Truth) -> MakeRun:
    """Targets x0 + x1 and x0, their losses by point, and the influence of x0 and x1 on them by map."""

    def run(
        losses: list[tuple[float, float]],
        steps: list[int],
        influence: list[list[tuple[float, float]]],
        heads: Heads | None = None,
    ) -> StoredRun:
        loss = np.array([(1.0, *of_targets) for of_targets in losses], np.float32)
        points = Curves(RECORDING_INTERVAL * np.arange(1, len(loss) + 1), loss, loss)
        everywhere = np.zeros((len(steps), 2, 4), np.float32)
        everywhere[..., :2] = influence
        maps = maps_of(truth, np.array(steps), everywhere)
        status = "mastered" if losses[-1] == (0, 0) else "exhausted"
        return StoredRun(spec, status, {}, truth, points, maps, heads or Heads.none(maps))

    return run


def heads_of(mass: list[list[list[float]]]) -> Heads:
    """`mass` by map, head and row; weights and entropies that tell the heads apart."""
    shares = np.array(mass, np.float32)
    weights = np.zeros((*shares.shape, 4), np.uint8)
    weights[..., 0] = np.rint(255 * shares)
    return Heads(weights, shares, 1 - shares)


# Chance is 2 of 3 visible for x0 + x1 (x0, x1 and itself is not there yet), and 1 of 3 for x0.


def test_a_map_rises_halfway_between_chance_and_all(make_run: MakeRun) -> None:
    run = make_run(
        [(1, 1)] * 10,
        [0, 50, 100],
        [[(0.1, 0.1), (0.1, 0.1)], [(0.2, 0.1), (0.3, 0.1)], [(0.2, 0.2), (0.4, 0.0)]],
    )
    np.testing.assert_allclose(run.maps.mass, [[1, 0.5], [1, 0.75], [1, 1]], rtol=1e-6)
    chance = run.measures.chance_map_mass[1]
    rise = run.map_summary.rise
    # The sum of both inputs can have its mass nowhere else, so that it has it before anything is learned.
    assert rise.length.tolist() == [0, 50 if (1 + chance) / 2 <= 0.75 else 100]
    assert rise.observed.all()


def test_a_map_that_shows_nothing_has_not_risen(make_run: MakeRun) -> None:
    run = make_run([(1, 1)] * 10, [0, 100], [[(0, 0), (0, 0)], [(0, 0), (0.1, 0.5)]])
    assert np.isnan(run.maps.mass[0]).all()
    assert run.map_summary.rise.observed.tolist() == [False, False]
    assert run.map_summary.rise.length.tolist() == [100, 100]


def test_lead_is_when_a_target_was_found_over_when_its_map_had_risen(make_run: MakeRun) -> None:
    found_late = [(1, 1)] * 9 + [(0, 0)] * 3
    run = make_run(
        found_late, [0, 50, 120], [[(0.1, 0.1)] * 2, [(0.1, 0.1), (0.5, 0)], [(0.1, 0.1), (0.5, 0)]]
    )
    alignment = align([run])
    assert run.measures.found.length.tolist() == [100, 100]
    # That of x0 + x1 was there from the start, hence at most one step's time; that of x0 at 50.
    assert (alignment.found, alignment.rises) == (2, 2)
    assert alignment.lead == np.median([100 / 1, 100 / 50])


def test_what_did_not_escape_is_not_averaged_in(make_run: MakeRun) -> None:
    known = make_run([(0, 0)] * 3, [0, 30], [[(0.1, 0.1)] * 2, [(0.2, 0.2), (0.4, 0)]])
    lost = make_run([(1, 1)] * 3, [0, 30], [[(0.1, 0.1)] * 2, [(0.1, 0.1), (0.1, 0.9)]])
    broken = replace(make_run([(0, 0), (math.nan, 1)], [0, 20], [[(0.1, 0.1)] * 2] * 2), status="diverged")
    alignment = align([known, lost, broken])
    assert (alignment.runs, alignment.escaped) == (3, 1)
    assert alignment.map_mass == 1
    nothing = align([lost])
    assert nothing.map_mass is nothing.lead is nothing.attention_mass is None
    assert (nothing.escaped, nothing.found, nothing.rises) == (0, 0, 0)
    assert nothing.chance_map_mass == np.mean(lost.measures.chance_map_mass)


def test_the_best_head_of_each_row_is_chosen_at_the_end(make_run: MakeRun) -> None:
    heads = heads_of([[[0.5, 0.1], [0.2, 0.3]], [[0.4, 0.2], [0.9, 0.1]]])
    best = best_heads(heads)
    np.testing.assert_allclose(best.mass, [[[0.2, 0.1]], [[0.9, 0.2]]], rtol=1e-6)
    np.testing.assert_array_equal(best.weights[:, 0, :, 0], np.rint(255 * best.mass[:, 0]))
    run = make_run([(0, 0)] * 3, [0, 30], [[(0.1, 0.1)] * 2] * 2, heads)
    alignment = align([run])
    assert alignment.attention_mass == pytest.approx((0.9 + 0.2) / 2)
    # The level to beat is the best of as many heads before they have learned anything.
    assert alignment.untrained_attention_mass == pytest.approx((0.5 + 0.3) / 2)
    assert alignment.entropy == pytest.approx((0.1 + 0.8) / 2)
    assert alignment.untrained_entropy == pytest.approx((0.8 + 0.9) / 2)


def test_a_mixer_without_heads_has_a_map_and_no_attention(make_run: MakeRun) -> None:
    alignment = align([make_run([(0, 0)] * 3, [0, 30], [[(0.1, 0.1)] * 2] * 2)])
    assert alignment.map_mass is not None
    assert alignment.attention_mass is alignment.entropy is alignment.untrained_entropy is None
