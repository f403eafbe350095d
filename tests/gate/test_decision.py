"""Verdicts on waiting times made up for the purpose, where it is known what they must be."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from helpers.hand_made import spec_of
from scipy import stats

from attnsearch.base import Plateaus
from attnsearch.gate.decision import (
    FALSE_ALARMS,
    Judgement,
    Outcomes,
    Pair,
    Verdict,
    judge,
    levels,
    looks,
    slowed,
)
from attnsearch.stats.one_sided import Waits, longer, rarer, shorter, ways

BUDGET = 1_000


def waits(length: list[int] | np.ndarray, budget: int = BUDGET) -> Plateaus:
    """Those that end at `length`, where the budget allows."""
    steps = np.asarray(length)
    return Plateaus(np.minimum(steps, budget), steps <= budget)


def drawn(
    rng: np.random.Generator, runs: int, slowdown: float = 1.0, median: float = 200, sigma: float = 0.2
) -> Plateaus:
    """Log-normal waits, recorded every ten steps."""
    steps = slowdown * median * np.exp(sigma * rng.standard_normal(runs))
    return waits(np.ceil(steps / 10).astype(int) * 10)


def outcomes(waiting: Plateaus, seed: int = 0) -> Outcomes:
    """Runs with seeds from `seed` on that master when they escape."""
    return Outcomes(waiting, waiting, seed + np.arange(len(waiting.length)))


def pair(
    candidate: Plateaus, reference: Plateaus, mixer: str = "attention", seed: int = 100, **values: int
) -> Pair:
    """A cell; the candidate's seeds begin at `seed`, those of the reference at 0."""
    cell = spec_of(mixer, steps=BUDGET, **values).cell
    return Pair(cell, outcomes(candidate, seed), outcomes(reference))


def suite(
    rng: np.random.Generator, slowdown: float, sigma: float = 0.2, slow: str = "attention"
) -> list[Pair]:
    """Two mixers in four cells each, eight runs against 32, of which the one is slow."""
    return [
        pair(
            drawn(rng, 8, slowdown if mixer == slow else 1.0, median, sigma),
            drawn(rng, 32, 1.0, median, sigma),
            mixer,
            state_size=size,
        )
        for mixer in ("attention", "mlp_mixer")
        for size, median in ((4, 100), (5, 150), (6, 200), (7, 250))
    ]


# Tests.


def ends_missing(candidate: list[int], everyone: list[int]) -> Fraction:
    """Ends of the candidate that were expected and did not come, by the definition of the log-rank test."""
    total = Fraction(-len(candidate))
    for step in set(everyone):
        at_risk = [length for length in everyone if length >= step]
        share = Fraction(sum(length >= step for length in candidate), len(at_risk))
        total += share * everyone.count(step)
    return total


def test_one_cell_is_the_log_rank_test_over_all_ways_to_deal_its_runs() -> None:
    rng = np.random.default_rng(0)
    for _ in range(4):
        candidate, reference = drawn(rng, 4, 1.2), drawn(rng, 5)
        everyone = [*candidate.length.tolist(), *reference.length.tolist()]
        seen = ends_missing(everyone[:4], everyone)
        dealt = [ends_missing([everyone[i] for i in group], everyone) for group in combinations(range(9), 4)]
        exact = np.mean([other >= seen for other in dealt])
        found = longer([Waits(candidate, reference)], 1e-3)
        # Draws stop at twenty hits: a p value is known to about a fifth.
        assert found.p_value == pytest.approx(exact, rel=0.5)
        assert found.least == pytest.approx(np.mean([other == max(dealt) for other in dealt]))


def test_cells_add_up() -> None:
    slow, fast = waits([110, 120, 130, 140]), waits([90, 100, 110, 120])
    one = longer([Waits(slow, fast)], 1e-4).p_value
    four = longer([Waits(slow, fast)] * 4, 1e-4).p_value
    assert one == pytest.approx(4 / 70, rel=0.3)
    assert four < one / 20
    assert shorter([Waits(slow, fast)] * 4, 1e-4).p_value > 0.9


def test_a_permutation_keeps_to_its_cell() -> None:
    # Cells of very different plateaus, in each of which the two agree: nothing is longer, whoever has the
    # more runs of the slow cell.
    short, long = [90, 100, 110, 120], [900, 920, 940, 960]
    strata = [Waits(waits(short), waits(short * 4)), Waits(waits(long * 4), waits(long))]
    assert longer(strata, 1e-3).p_value > 0.2
    assert longer([Waits(waits(short + long * 4), waits(short * 4 + long))], 1e-3).p_value < 0.01


def test_least_is_what_no_dealing_goes_below() -> None:
    order = Waits(waits([200, 210, 220]), waits([100, 110, 120]))
    assert longer([order], 1e-2).least == pytest.approx(1 / 20)
    assert longer([order] * 2, 1e-2).least == pytest.approx(1 / 400)
    assert ways([order] * 2) == 400
    ties = Waits(waits([100] * 3), waits([100] * 3))
    assert longer([ties], 1e-2) == (1.0, 1.0)


def test_fewer_escapes_by_fishers_test() -> None:
    never = BUDGET + 1
    some = Waits(waits([100, never, never, never]), waits([100] * 6 + [never]))
    _, expected = stats.fisher_exact([[1, 3], [6, 1]], alternative="less")
    assert rarer(some).p_value == pytest.approx(expected)
    all_escape = Waits(waits([100] * 4), waits([100] * 7))
    assert rarer(all_escape) == (1.0, 1.0)


# Looks.


@pytest.mark.parametrize(("runs", "expected"), [(1, [1]), (7, [7]), (8, [4, 8]), (9, [4, 9]), (16, [8, 16])])
def test_looks_are_at_half_and_at_all(runs: int, expected: list[int]) -> None:
    assert looks(runs) == expected


def test_levels_are_those_of_pocock_and_sum_to_the_error() -> None:
    first, second = levels([4, 8])
    assert first == pytest.approx(0.01 * math.log(1 + (math.e - 1) / 2))
    assert first + second == pytest.approx(FALSE_ALARMS)
    assert levels([16]) == pytest.approx([FALSE_ALARMS])


# Slowing.


def test_slowing_counts_from_the_middle_of_an_interval() -> None:
    found = slowed(Plateaus(np.array([20, 100, 500, 800]), np.array([True, True, True, False])), 2, 800)
    assert found.length.tolist() == [35, 195, 800, 800]
    assert found.observed.tolist() == [True, True, False, False]


def test_slowing_agrees_with_runs_that_took_longer() -> None:
    rng = np.random.default_rng(1)
    steps = 60 * np.exp(0.3 * rng.standard_normal(4_000))
    once, twice = (waits(np.ceil(factor * steps / 10).astype(int) * 10) for factor in (1, 2))
    assert slowed(once, 2, BUDGET).length.mean() == pytest.approx(twice.length.mean(), rel=0.01)


# Verdicts.


def verdicts(judgement: Judgement) -> tuple[set[Verdict], dict[str, Verdict]]:
    return (
        {finding.verdict for finding in judgement.cells},
        {mixer.name: finding.verdict for mixer, finding in judgement.mixers},
    )


def test_no_change_passes() -> None:
    judgement = judge(suite(np.random.default_rng(2), 1.0))
    assert judgement.verdict == "pass"
    assert verdicts(judgement) == ({"pass"}, {"attention": "pass", "mlp_mixer": "pass"})
    assert all(finding.reason.startswith("a slowdown of 1.25 is excluded") for finding in judgement.cells)


def test_a_slow_mixer_is_found_and_the_other_is_not() -> None:
    pairs = suite(np.random.default_rng(3), 2.0)
    judgement = judge(pairs)
    assert judgement.verdict == "regression"
    assert [finding.verdict for finding in judgement.cells] == ["regression"] * 4 + ["pass"] * 4
    assert dict(verdicts(judgement)[1]) == {"attention": "regression", "mlp_mixer": "pass"}
    (_, slow), _ = judgement.mixers
    assert slow.effect
    assert slow.effect.low < 2.0 < slow.effect.high
    assert slow.p_value is not None
    assert slow.p_value < FALSE_ALARMS


def test_cells_too_noisy_to_tell_tell_together() -> None:
    judgement = judge(suite(np.random.default_rng(4), 1.7, sigma=0.3))
    of_attention = [finding.verdict for finding in judgement.cells[:4]]
    assert "inconclusive" in of_attention
    assert verdicts(judgement)[1]["attention"] == "regression"
    assert judgement.verdict == "regression"


def test_a_single_slow_cell_is_no_pass() -> None:
    rng = np.random.default_rng(5)
    pairs = suite(rng, 1.0)
    pairs[0] = replace(pairs[0], candidate=suite(rng, 2.0)[0].candidate)
    judgement = judge(pairs)
    assert judgement.cells[0].verdict == "regression"
    assert judgement.verdict == "regression"


def test_growth_within_the_tolerance_is_no_regression() -> None:
    for tolerance, expected in ((1.25, "regression"), (2.5, "pass")):
        judgement = judge(suite(np.random.default_rng(6), 1.8), tolerance=tolerance)
        assert judgement.verdict == expected


def test_a_faster_mixer_is_an_improvement() -> None:
    judgement = judge(suite(np.random.default_rng(7), 0.5))
    assert [finding.verdict for finding in judgement.cells] == ["improvement"] * 4 + ["pass"] * 4
    assert judgement.verdict == "pass"
    both = [pair for pair in suite(np.random.default_rng(7), 0.5) if pair.cell.mixer.name == "attention"]
    assert judge(both).verdict == "improvement"


def test_few_noisy_runs_are_inconclusive() -> None:
    rng = np.random.default_rng(8)
    judgement = judge([pair(drawn(rng, 3, sigma=0.6), drawn(rng, 4, sigma=0.6))])
    (finding,) = judgement.cells
    assert judgement.verdict == finding.verdict == "inconclusive"
    assert finding.reason == "a slowdown of 1.25 is not excluded"
    # Of 35 ways to deal them out none is rarer than one in 35.
    assert finding.detectable is None
    assert judgement.mixers == ()


def test_no_cell_is_no_pass() -> None:
    assert judge([]).verdict == "inconclusive"


def test_what_never_escaped_and_does_not_is_inconclusive() -> None:
    never = waits([BUDGET + 1] * 8)
    (finding,) = judge([pair(never, never)]).cells
    assert finding.verdict == "inconclusive"
    assert "budget is too short" in finding.reason
    assert finding.detectable is None


def test_a_cell_that_can_tell_nothing_does_not_pass_with_the_others() -> None:
    never = waits([BUDGET + 1] * 32)
    blind = pair(Plateaus(never.length[:8], never.observed[:8]), never, state_size=9)
    found = judge([*suite(np.random.default_rng(9), 1.0)[:4], blind])
    assert [finding.verdict for finding in found.cells] == ["pass"] * 4 + ["inconclusive"]
    assert "budget is too short" in found.cells[-1].reason


def test_half_of_the_runs_escaping_just_in_time_exclude_a_slowdown_that_would_let_none() -> None:
    (finding,) = judge([pair(waits([900, BUDGET + 1] * 4), waits([900, BUDGET + 1] * 16))]).cells
    assert finding.verdict == "pass"
    assert finding.effect
    assert finding.effect.high < finding.effect.limit == pytest.approx(1_000 / 950)


def test_runs_that_no_longer_escape_are_a_regression_also_near_the_budget() -> None:
    # The ratio can hardly grow, but the rate says it.
    (finding,) = judge([pair(waits([BUDGET + 1] * 8), waits([950] * 32))]).cells
    assert finding.verdict == "regression"
    assert finding.reason == "0 of 8 escape, 32 of 32 did; 0 of 8 master, 32 of 32 did"


def test_runs_that_escape_as_before_but_no_longer_master_are_a_regression() -> None:
    rng = np.random.default_rng(10)
    candidate, reference = drawn(rng, 8), drawn(rng, 32)
    cell = spec_of(steps=BUDGET).cell
    never = waits([BUDGET + 1] * 8)
    lost = Pair(cell, outcomes(candidate, 100)._replace(mastery=never), outcomes(reference))
    (finding,) = judge([lost]).cells
    assert (finding.verdict, finding.reason) == ("regression", "0 of 8 master, 32 of 32 did")


def test_one_stray_run_is_no_pass() -> None:
    # A log-rank test alone would say that seven of eight were as fast as ever.
    rng = np.random.default_rng(11)
    stray = Plateaus(np.append(drawn(rng, 7).length, BUDGET), np.array([True] * 7 + [False]))
    (finding,) = judge([pair(stray, drawn(rng, 32))]).cells
    assert finding.verdict == "inconclusive"


def test_the_same_seeds_tell_more_than_others() -> None:
    rng = np.random.default_rng(16)
    reference = drawn(rng, 32, sigma=0.5)
    now = reference.length[:8] + rng.choice([-10, 0, 10], 8)
    for seed, expected in ((0, "pass"), (100, "inconclusive")):
        (finding,) = judge([pair(waits(now), reference, seed=seed)]).cells
        assert finding.verdict == expected
    (slow,) = judge([pair(waits(2 * now), reference, seed=0)]).cells
    assert slow.effect
    assert slow.effect.low < 2.0 < slow.effect.high < 2.3
    assert slow.verdict == "regression"


def test_pairs_that_never_escape_tell_nothing() -> None:
    (finding,) = judge([pair(waits([BUDGET + 1] * 8), waits([BUDGET + 1] * 8), seed=0)]).cells
    assert finding.verdict == "inconclusive"


def test_equal_pairs_are_known_no_better_than_they_were_recorded() -> None:
    # Ten steps of twenty: four runs that did not move do not say that none moved by a quarter.
    same = waits([20] * 4)
    assert judge([pair(same, same, seed=0)]).verdict == "inconclusive"
    finer = waits([200] * 4)
    assert judge([pair(finer, finer, seed=0)]).verdict == "pass"


def test_mixers_are_apart_where_their_settings_are() -> None:
    rng = np.random.default_rng(12)
    pairs = suite(rng, 1.0)[:4]
    few = [replace(p, cell=replace(p.cell, mixer=replace(p.cell.mixer, settings=()))) for p in pairs[:2]]
    found = judge([*few, *pairs[2:]])
    assert [mixer.settings == () for mixer, _ in found.mixers] == [True, False]


def test_what_is_called_detectable_is_detected_as_often_as_it_says() -> None:
    rng = np.random.default_rng(13)
    found = [judge(suite(rng, 1.0)[:4]).mixers[0][1].detectable for _ in range(4)]
    slowdown = float(np.median([value or math.inf for value in found]))
    assert 1.25 < slowdown < 1.6
    caught = sum(judge(suite(rng, slowdown)[:4]).verdict == "regression" for _ in range(15))
    assert caught >= 8


def test_false_alarms_are_rare_without_change_and_with_a_change_that_is_tolerated() -> None:
    rng = np.random.default_rng(14)
    for slowdown in (1.0, 1.2):
        found = [judge(suite(rng, slowdown, sigma=0.4)).verdict for _ in range(12)]
        assert found.count("regression") <= 1


def test_the_same_runs_get_the_same_verdicts() -> None:
    pairs = suite(np.random.default_rng(15), 1.3)
    assert judge(pairs) == judge(pairs)
