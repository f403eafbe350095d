"""How well what can be seen early tells how long the wait still is: a rank correlation within groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import special

from attnsearch.base import Floats, Plateaus
from attnsearch.stats.survival import TAIL

DRAWS = 2_000
"""Times that runs are drawn again."""

FEWEST_RUNS = 4
"""Of a group, with a target that still waits; a smaller group is left out. Drawn again, a single run is
always itself, and its group would have an interval of no width."""


class Watched(NamedTuple):
    """What was seen of one run at some step, and how long each of its targets waited in the end.

    signal:  `f64[R]`, of each target that still waited
    waited:  `[R]`, of the same targets
    """

    signal: Floats
    waited: Plateaus


@dataclass(frozen=True)
class Foretelling:
    """Somers' D of the wait given the signal, over comparable pairs of targets of one group (Harrell et al.,
    JAMA 247, 1982): 1 where the larger signal always means the longer wait, 0 where it tells nothing.

    low, high:  95 % interval: runs are drawn again within their groups, and the deviations of what is drawn
                stretched as Student's distribution is against the normal one
    runs, pairs:  with a target that still waited; pairs that can be compared
    """

    value: float
    low: float
    high: float
    runs: int
    pairs: int

    @property
    def tells(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def foretelling(groups: Sequence[Sequence[Watched]], seed: int = 0) -> Foretelling | None:
    """The correlation over `groups` of runs; None where no group has enough, or no two comparable targets.

    Targets of two groups are never compared. Two that wait can be compared where the shorter wait has ended.
    """
    kept = [[run for run in group if len(run.signal)] for group in groups]
    kept = [group for group in kept if len(group) >= FEWEST_RUNS]
    sums = [_pairs(group) for group in kept]
    total = sum(int(comparable.sum()) for _, comparable in sums)
    if not total:
        return None
    drawn, random = np.zeros((DRAWS, 2)), np.random.default_rng(seed)
    for agreement, comparable in sums:
        number = len(agreement)
        times = random.multinomial(number, np.full(number, 1 / number), size=DRAWS).astype(np.float64)
        for column, matrix in enumerate((agreement, comparable)):
            own = np.diag(matrix)
            # A run that was drawn twice is compared with others twice, with itself as one run each time.
            drawn[:, column] += ((times @ (matrix - np.diag(own))) * times).sum(axis=1) + times @ own
    values = drawn[drawn[:, 1] > 0]
    value = sum(float(agreement.sum()) for agreement, _ in sums) / total
    ends = np.quantile(values[:, 0] / values[:, 1], [TAIL, 1 - TAIL])
    runs = sum(map(len, kept))
    low, high = np.clip(value + _stretch(runs, runs - len(kept)) * (ends - value), -1, 1)
    return Foretelling(value, float(low), float(high), runs, total // 2)


def _stretch(runs: int, freedom: int) -> float:
    """How much wider an interval is than its bootstrap, where the spread within groups is estimated too."""
    return float(special.stdtrit(freedom, 1 - TAIL) / special.ndtri(1 - TAIL)) * (runs / freedom) ** 0.5


def _pairs(group: Sequence[Watched]) -> tuple[Floats, Floats]:
    """`f64[N, N]` twice, by run and run: agreements less disagreements, and comparable pairs, both ways."""
    number = len(group)
    run = np.repeat(np.arange(number), [len(one.signal) for one in group])
    signal = np.concatenate([one.signal for one in group])
    length = np.concatenate([one.waited.length for one in group])
    observed = np.concatenate([one.waited.observed for one in group])
    later = (length[:, None] < length) | ((length[:, None] == length) & ~observed)
    first = observed[:, None] & later
    sign = np.sign(signal - signal[:, None])
    member = (run == np.arange(number)[:, None]).astype(np.float64)
    agreement = member @ (first * sign) @ member.T
    comparable = member @ first.astype(np.float64) @ member.T
    return agreement + agreement.T, comparable + comparable.T
