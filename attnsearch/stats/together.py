"""Two groups of waiting times in several cells at once, by how much they differ over all.

The runs of one seed are one observation: across cells they share the hidden rule, the data and the
initialisation. So seeds are drawn again, and dealt out again, as wholes, all cells at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attnsearch.base import Floats, Integers, Plateaus
from attnsearch.stats.comparison import compare, resampled_means, resamples, verdict
from attnsearch.stats.log_rank import log_rank_scores
from attnsearch.stats.permutation import ALL_TIES, deals, p_value, swaps
from attnsearch.stats.survival import ROUNDING, TAIL, common_horizon, cut, order, pool


@dataclass(frozen=True)
class Together:
    """A candidate beside a reference over several cells.

    cells:     how many
    seeds:     of the candidate and of the reference
    ratio:     geometric mean over cells of the ratios of restricted means
    low, high: its bootstrap interval
    p_value:   of a log-rank test stratified by cell; 1 where no order shows
    method:    "swaps" where both have the same seeds, which change sides; "deals" otherwise
    least:     what the p value could not be below, however large the difference
    """

    cells: int
    seeds: tuple[int, int]
    ratio: float
    low: float
    high: float
    p_value: float
    method: str
    least: float

    @property
    def verdict(self) -> str:
        """In words, as of a single comparison."""
        return verdict(self.p_value, self.least, self.low, self.high)


def together(
    candidate: Sequence[Plateaus], reference: Sequence[Plateaus], budgets: Sequence[int], *, paired: bool
) -> Together:
    """`candidate` over `reference`, each `[N]` in every cell, the seeds in one order in all cells.

    budgets:  steps, of each cell, as `comparison.compare` takes them
    paired:   whether both have the same seeds, in the same order
    """
    cells = list(zip(candidate, reference, budgets, strict=True))
    seeds = len(candidate[0].length), len(reference[0].length)
    counts = resamples(seeds[0], 0), resamples(seeds[1], 0 if paired else 1)
    drawn = np.mean([_log_ratios(cell, budget, counts) for *cell, budget in cells], axis=0)
    low, high = np.exp(np.quantile(drawn, [TAIL, 1 - TAIL]))
    # Of each seed of either side: its log-rank scores, summed over cells.
    scores = np.sum([_scores(cell, budget) for *cell, budget in cells], axis=0)
    difference = abs(float(scores[: seeds[0]].sum()))
    if paired:
        arranged = np.abs(difference - swaps(seeds[0]) @ _gains(scores, seeds[0]))
    else:
        arranged = np.append(np.abs(scores[deals(sum(seeds), seeds[0])].sum(axis=1)), difference)
    told = bool((np.abs(scores) > ROUNDING).any())
    ratios = [compare(*cell).ratio for cell in cells]
    return Together(
        cells=len(cells),
        seeds=seeds,
        ratio=float(np.exp(np.mean(np.log(ratios)))),
        low=float(low),
        high=float(high),
        p_value=p_value(difference, arranged, ALL_TIES) if told else 1.0,
        method="swaps" if paired else "deals",
        least=p_value(float(arranged.max()), arranged, ALL_TIES) if told else 1.0,
    )


def _gains(scores: Floats, seeds: int) -> Floats:
    """`f64[N]`: by how much the sum over the candidate's seeds falls where a seed changes sides.

    The sum is taken as positive, which the sign of all scores allows.
    """
    gains = scores[:seeds] - scores[seeds:]
    return gains if gains.sum() >= 0 else -gains


def _log_ratios(cell: Sequence[Plateaus], budget: int, counts: Sequence[Integers]) -> Floats:
    """`f64[RESAMPLES]`: of one cell, with seeds that count so often."""
    end = common_horizon(cell, budget)
    above, below = (
        resampled_means(group, end, end, stream, drawn[:, order(group)])
        for stream, (group, drawn) in enumerate(zip(cell, counts, strict=True))
    )
    return np.log(above / below)


def _scores(cell: Sequence[Plateaus], budget: int) -> Floats:
    """`f64[N + M]`: the log-rank scores of the candidate's runs, then of the reference's."""
    end = common_horizon(cell, budget)
    return log_rank_scores(pool(cut(group, end) for group in cell))
