"""The log-rank test of two groups of waiting times."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
import scipy

from attnsearch.base import AttnsearchError, Floats, Plateaus
from attnsearch.stats.permutation import ALL_TIES, HALF_OF_TIES, deals, p_value
from attnsearch.stats.survival import ROUNDING, common_horizon, cut, pool

ASYMPTOTIC_FROM = 20
"""Runs on each side from which a log-rank test takes its normal limit."""


@dataclass(frozen=True)
class LogRank:
    """A log-rank test.

    p_value:   how often no difference would look more different, equally different counting half
    method:    "permutation" below `ASYMPTOTIC_FROM` runs on either side, else "asymptotic"
    statistic: standard normal in the limit; positive where the candidate waits longer
    least:     how often these lengths would be dealt out in their most different way; 1 where no run ended.
               Where it is above the level of significance, no difference however large could have shown
    """

    p_value: float
    method: str
    statistic: float
    least: float


def log_rank(candidate: Plateaus, reference: Plateaus) -> LogRank:
    """Whether the candidate waits longer or shorter than the reference.

    Both are cut at their `survival.common_horizon`, so that their censoring is the same, as dealing runs out
    again between the groups requires.

    Below `ASYMPTOTIC_FROM` runs on either side the p value comes from permutations of observed minus expected
    ends, and half of the ties count. From there on, it is the normal limit. Where no order shows, as when no
    run ended, all ended at one step, or each side has one run, it is 1.

    Errors: AttnsearchError where a group has no runs.
    """
    check_groups(candidate, reference)
    end = common_horizon([candidate, reference])
    first, second = cut(candidate, end), cut(reference, end)
    scores = log_rank_scores(pool([first, second]))
    runs = len(first.length), len(second.length)
    ways = comb(sum(runs), min(runs))
    permuted = min(runs) < ASYMPTOTIC_FROM
    if not (np.abs(scores) > ROUNDING).any():
        ended = first.observed.any() or second.observed.any()
        return LogRank(1.0, "permutation" if permuted else "asymptotic", 0.0, 1 / ways if ended else 1.0)
    if not permuted:
        test = scipy.stats.logrank(_censored(first), _censored(second))
        return LogRank(float(test.pvalue), "asymptotic", -float(test.statistic), 0.0)
    # The scores sum to zero, so that either group says it all; the smaller is summed sooner. Sorted, they do
    # not depend on the order of runs.
    difference = float(scores[: runs[0]].sum())
    arranged = np.abs(np.sort(scores)[deals(sum(runs), min(runs))].sum(axis=1))
    if len(arranged) < ways:
        arranged = np.append(arranged, abs(difference))
    variance = runs[0] * runs[1] * np.square(scores).sum() / (sum(runs) * (sum(runs) - 1))
    least = p_value(float(arranged.max()), arranged, ALL_TIES)
    return LogRank(
        p_value=p_value(abs(difference), arranged, HALF_OF_TIES) if least < 1 else 1.0,
        method="permutation",
        statistic=difference / float(np.sqrt(variance)),
        least=least,
    )


def check_groups(candidate: Plateaus, reference: Plateaus) -> None:
    """Errors: AttnsearchError where a group has no runs, or a run that ended after 0 steps."""
    for name, group in (("candidate", candidate), ("reference", reference)):
        if not len(group.length):
            raise AttnsearchError(f"nothing to compare: the {name} has no runs; give it at least one")
        if (group.length[group.observed] <= 0).any():
            raise AttnsearchError(
                f"a run of the {name} ended after 0 steps; an event takes at least one step"
            )


def log_rank_scores(waiting: Plateaus) -> Floats:
    """`f64[N]`: ends expected of each run by the time it left, less the one it had or not.

    They sum to zero. Their sum over a group is expected minus observed ends of the log-rank test.
    """
    step, ends = np.unique(waiting.length[waiting.observed], return_counts=True)
    at_risk = len(waiting.length) - np.searchsorted(np.sort(waiting.length), step)
    expected = np.concatenate([[0.0], np.cumsum(ends / at_risk)])
    return expected[np.searchsorted(step, waiting.length, side="right")] - waiting.observed


def _censored(waiting: Plateaus) -> scipy.stats.CensoredData:
    length, observed = waiting
    return scipy.stats.CensoredData(uncensored=length[observed], right=length[~observed])
