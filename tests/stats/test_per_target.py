"""The spread of found steps within and between runs; whole runs are what is drawn again."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pytest
from scipy import special, stats

from attnsearch.base import Plateaus
from attnsearch.stats.comparison import resamples
from attnsearch.stats.per_target import LEVELS, TargetSpread, target_spread
from attnsearch.stats.survival import FEWEST_FOR_A_MEDIAN, pool, summarise

BUDGET = 1000


def run(*steps: int | None) -> Plateaus:
    """Found steps of the targets of a run; None was not found."""
    lengths = [BUDGET if step is None else step for step in steps]
    return Plateaus(np.array(lengths, np.int64), np.array([step is not None for step in steps], bool))


def simulated(seed: int, runs: int, targets: int, run_sigma: float, budget: int = BUDGET) -> list[Plateaus]:
    drawing = np.random.default_rng(seed)
    noise = run_sigma * drawing.standard_normal((runs, 1)) + 0.3 * drawing.standard_normal((runs, targets))
    lengths = np.ceil(40 * np.exp(noise)).astype(np.int64) * 10
    return [Plateaus(np.minimum(row, budget), row <= budget) for row in lengths]


def middle(spread: TargetSpread) -> tuple[float | None, float | None, float | None]:
    (found,) = (found for found in spread.steps if found.waiting == 0.5)
    return found.step, found.low, found.high


def test_steps_are_kaplan_meier_quantiles_of_all_targets() -> None:
    for seed in range(5):
        found = simulated(seed, 9, 7, 0.3, budget=600)
        spread = target_spread(found)
        pooled = summarise(pool(found), 600)
        assert (spread.runs, spread.targets, spread.found) == (9, 63, pooled.observed)
        assert middle(spread)[0] == pooled.median
        early, _, late = (found.step for found in spread.steps)
        assert [found.waiting for found in spread.steps] == list(LEVELS)
        assert pooled.spread == (None if early is None or late is None else late / early)


def test_the_interval_is_that_of_the_curves_of_runs_drawn_again() -> None:
    found = simulated(0, 8, 5, 0.4, budget=10_000)
    steps = np.unique(pool(found).length)
    shares = np.array([(one.length[:, None] > steps).mean(axis=0) for one in found])
    # As many targets in each run, and all found: curves are means over the runs.
    drawn = [np.repeat(shares, counts, axis=0).mean(axis=0) for counts in resamples(8, 0)]
    curve, error = shares.mean(axis=0), np.std(drawn, axis=0) * math.sqrt(8 / 7)
    inside = (curve > 0) & (curve < 1)
    odds, slope = special.logit(curve[inside]), curve[inside] * (1 - curve[inside])
    for at in target_spread(found).steps:
        limits = []
        for sign in (-1, 1):
            line = special.expit(odds + sign * stats.t.ppf(0.975, 7) * error[inside] / slope)
            limits.append(steps[inside][(line <= at.waiting).argmax()] if line.min() <= at.waiting else None)
        assert [at.low, at.high] == limits


def test_what_varies_between_runs_widens_the_interval_and_more_targets_do_not_narrow_it() -> None:
    def width(found: Sequence[Plateaus]) -> float:
        step, low, high = middle(target_spread(found))
        assert step is not None
        assert low is not None
        assert high is not None
        return (high - low) / step

    alike, apart = simulated(1, 12, 16, 0.0, 10_000), simulated(1, 12, 16, 0.6, 10_000)
    assert width(apart) > 3 * width(alike)
    assert width(simulated(1, 12, 64, 0.6, 10_000)) > 3 * width(alike)
    # Taken for independent, four times the targets would halve it.
    together = summarise(pool(simulated(1, 12, 64, 0.6, 10_000)))
    assert together.median_low is not None
    assert together.median_high is not None
    assert width(simulated(1, 12, 64, 0.6, 10_000)) > 2 * (together.median_high - together.median_low) / 400


def test_within_a_run_the_last_target_over_the_first() -> None:
    spread = target_spread([run(100, 200), run(100, 300, 200), run(50, 250)])
    assert spread.within == 3
    # What was not found takes at least as long as was watched: 10 times, or more.
    assert target_spread([run(100, 200), run(100, None), run(50, 250)]).within == 5
    assert target_spread([run(100, None), run(100, None), run(50, 250)]).within is None
    assert target_spread([run(100, None), run(100, 200), run(50, 1000)]).within == 20
    # A run that found nothing says nothing about it.
    assert target_spread([run(100, 200), run(None, None)]).within == 2
    assert target_spread([run(None, None)]).within is None


def test_between_runs_the_step_at_which_half_of_the_targets_are_found() -> None:
    spread = target_spread([run(100, 900, 900, 100), run(300, 300), run(200, None), run(10, 250, None)])
    assert spread.between == 3
    # Runs that did not find half of their targets still wait for it.
    assert target_spread([run(100, 100), run(None, None, 50)]).between is None
    assert target_spread([run(100, 100)]).between is None


@pytest.mark.parametrize("runs", range(1, 8))
def test_few_runs_bound_nothing(runs: int) -> None:
    _, low, high = middle(target_spread([run(100, 200, 300)] * runs))
    assert ((low, high) == (0, None)) == (runs < FEWEST_FOR_A_MEDIAN)


@pytest.mark.parametrize(
    "found",
    [
        [],
        [run(100)],
        [run(None)],
        [run(None, None)] * 8,
        [run(100, 100)] * 8,
        [run(100)] * 4 + [run(None)] * 4,
        [run(10, None)] * 4 + [run(None, None)] * 16,
        [Plateaus(np.zeros(2, np.int64), np.zeros(2, bool))] * 8,
    ],
)
def test_odd_groups_have_an_answer(found: list[Plateaus]) -> None:
    spread = target_spread(found)
    json.dumps(asdict(spread), allow_nan=False)
    for at in spread.steps:
        assert (at.low if at.low is not None else np.inf) <= (np.inf if at.step is None else at.step)
        assert at.high is None or (at.step is not None and at.step <= at.high)


def test_where_half_of_the_runs_find_nothing_the_upper_limit_is_not_reached() -> None:
    step, low, high = middle(target_spread([run(100, 120)] * 8 + [run(None, None)] * 8))
    assert (step, low, high) == (120, 120, None)
