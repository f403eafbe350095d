"""The log-rank test: against published data, lifelines, and every permutation written out."""

from __future__ import annotations

import itertools
import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from math import comb

import numpy as np
import pytest
from helpers.waiting import NEVER, ODD, drawn, waiting

from attnsearch.base import AttnsearchError, Plateaus
from attnsearch.stats import permutation
from attnsearch.stats.log_rank import ASYMPTOTIC_FROM, log_rank
from attnsearch.stats.permutation import ALL_UP_TO, DRAWS
from attnsearch.stats.survival import common_horizon, cut

with warnings.catch_warnings():
    # Its own imports; what it computes is not quietened.
    warnings.simplefilter("ignore")
    from lifelines.statistics import logrank_test

# Weeks of remission, Freireich et al. 1963, Blood 21: 699-716.
TREATED = ([6, 6, 6, 7, 10, 13, 16, 22, 23], [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35])
PLACEBO = ([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23], [])


def test_the_published_log_rank_test() -> None:
    found = log_rank(waiting(*TREATED), waiting(*PLACEBO))
    # Kleinbaum and Klein, Survival Analysis (2012), chapter 2: 16.793.
    assert found.statistic**2 == pytest.approx(16.793, abs=5e-4)
    assert found.p_value == pytest.approx(4.17e-5, abs=5e-8)
    assert (found.method, found.least) == ("asymptotic", 0)
    assert found.statistic > 0
    assert log_rank(waiting(*PLACEBO), waiting(*TREATED)).statistic == -found.statistic


@pytest.mark.parametrize("early", [False, True])
def test_large_groups_agree_with_lifelines(early: bool) -> None:
    drawing = np.random.default_rng(int(early))
    for _ in range(30):
        groups = []
        for runs in drawing.integers(ASYMPTOTIC_FROM, 60, 2):
            group = drawn(int(drawing.integers(10**9)), int(runs))
            limit = drawing.integers(10, 60, runs) * 10 if early else np.full(runs, 600)
            # Of both, one run is left at the common budget, so that neither is cut.
            limit[0] = 600
            length = np.minimum(group.length, limit)
            length[0] = 600
            groups.append(Plateaus(length, (length <= limit) & group.observed & (np.arange(runs) > 0)))
        one, other = groups
        found = log_rank(one, other)
        expected = logrank_test(one.length, other.length, one.observed, other.observed)
        assert found.p_value == pytest.approx(expected.p_value, abs=1e-6)
        assert found.statistic**2 == pytest.approx(expected.test_statistic, abs=1e-6)


def written_out(candidate: Plateaus, reference: Plateaus) -> float:
    """The mid-p value of all permutations, the ends expected at each step counted one by one."""
    length = np.concatenate([candidate.length, reference.length])
    observed = np.concatenate([candidate.observed, reference.observed])
    runs = len(length)

    def excess(members: Sequence[int]) -> float:
        chosen, total = np.isin(np.arange(runs), members), 0.0
        for step in np.unique(length[observed]):
            at_risk, ended = length >= step, observed & (length == step)
            total += ended.sum() * (at_risk & chosen).sum() / at_risk.sum() - (ended & chosen).sum()
        return abs(total)

    seen = excess(range(len(candidate.length)))
    splits = itertools.combinations(range(runs), len(candidate.length))
    dealt = np.array([excess(members) for members in splits])
    if np.ptp(dealt) < 1e-9:
        return 1.0
    return float(np.mean(dealt > seen + 1e-9) + np.mean(np.abs(dealt - seen) < 1e-9) / 2)


@pytest.mark.parametrize(("runs", "others"), [(1, 1), (1, 4), (4, 1), (3, 3), (4, 4), (3, 5), (5, 3)])
def test_small_groups_go_through_every_permutation(runs: int, others: int) -> None:
    for seed in range(4):
        # Few distinct steps, so that ties abound.
        one = drawn(seed, runs, step=100)
        other = drawn(100 + seed, others, median=300, step=100)
        end = common_horizon([one, other])
        found = log_rank(one, other)
        assert found.method == "permutation"
        assert found.p_value == pytest.approx(written_out(cut(one, end), cut(other, end)), abs=1e-12)


def test_drawn_permutations_come_near_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = [(drawn(seed, 8, median=500), drawn(100 + seed, 8)) for seed in range(8)]
    exact = [log_rank(one, other).p_value for one, other in groups]
    monkeypatch.setattr(permutation, "ALL_UP_TO", 0)
    permutation.deals.cache_clear()
    found = [log_rank(one, other).p_value for one, other in groups]
    permutation.deals.cache_clear()
    assert found != exact
    assert found == pytest.approx(exact, abs=4 * 0.5 / DRAWS**0.5)


def test_a_drawn_p_value_is_never_zero() -> None:
    assert comb(18, 9) > ALL_UP_TO
    found = log_rank(waiting([900] * 9), waiting([100] * 9))
    assert found.least == pytest.approx(2 / comb(18, 9), abs=2e-4)
    assert found.p_value == found.least / 2 >= 0.5 / (DRAWS + 1)


def test_the_permutations_take_over_where_a_side_is_small() -> None:
    many = drawn(0, 40)
    assert log_rank(many, drawn(1, ASYMPTOTIC_FROM)).method == "asymptotic"
    assert log_rank(many, drawn(1, ASYMPTOTIC_FROM - 1)).method == "permutation"
    assert log_rank(drawn(1, ASYMPTOTIC_FROM - 1), many).method == "permutation"


@pytest.mark.parametrize("runs", [5, 8, 12, 25])
def test_the_order_of_runs_and_of_groups_changes_nothing(runs: int) -> None:
    one, other = drawn(0, runs, median=520), drawn(1, runs + 3)
    found = log_rank(one, other)
    backwards = Plateaus(one.length[::-1], one.observed[::-1])
    assert log_rank(backwards, other) == found
    swapped = log_rank(other, one)
    assert swapped.p_value == pytest.approx(found.p_value, abs=1e-12)
    assert swapped.statistic == pytest.approx(-found.statistic)


def test_a_longer_budget_is_no_difference() -> None:
    short, long = drawn(0, 12, budget=400), drawn(1, 12, budget=10_000)
    assert not short.observed.all()
    assert long.observed.all()
    assert log_rank(short, long) == log_rank(short, cut(long, 400))


# Where there is little to go by: defined answers, as JSON takes them, and never a warning.


def test_every_pair_of_odd_groups_has_an_answer() -> None:
    for one, other in itertools.product(ODD, repeat=2):
        test = log_rank(one, other)
        json.dumps(asdict(test), allow_nan=False)
        assert 0 < test.p_value <= 1


def test_no_runs_are_an_error() -> None:
    for pair, missing in (((NEVER, waiting([])), "reference"), ((waiting([]), NEVER), "candidate")):
        with pytest.raises(AttnsearchError, match=f"the {missing} has no runs"):
            log_rank(*pair)


# Level, roughly; the exact figures are measured by benchmarks/validity.py.


@pytest.mark.parametrize(("runs", "budget"), [(8, 450), (8, 10_000), (16, 450)])
def test_the_test_keeps_its_level(runs: int, budget: int) -> None:
    groups = [[drawn(2 * seed + side, runs, budget=budget) for side in (0, 1)] for seed in range(300)]
    rejected = [log_rank(one, other).p_value <= 0.05 for one, other in groups]
    # Of 300, four deviations.
    assert 0 < np.mean(rejected) <= 0.1
