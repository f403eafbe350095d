"""How well what can be seen early tells how long the wait still is: a rank correlation within groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from attnsearch.base import Bools, Floats, Integers, Plateaus
from attnsearch.stats.survival import TAIL

DRAWS = 2_000
"""Times that the waits of runs are dealt out again."""

FEWEST_RUNS = 4
"""Of a group, with a target that still waits; a smaller group is left out. Its runs have six orders at most,
too few to say that one of them is rare."""


class Watched(NamedTuple):
    """What was seen of one run at some step, and how long each of its targets waited in the end.

    signal:  `f64[K]`, nan for a target that no longer waited, or of which nothing was seen
    waited:  `[K]`, of the same targets, as many for each run of a group
    """

    signal: Floats
    waited: Plateaus

    @property
    def waits(self) -> Bools:
        """`bool[K]`: the targets that count."""
        return np.isfinite(self.signal)


@dataclass(frozen=True)
class Foretelling:
    """Somers' D of the wait given the signal, over comparable pairs of targets of one group (Harrell et al.,
    JAMA 247, 1982): 1 where the larger signal always means the longer wait, 0 where it tells nothing.

    low, high:  95 % interval. The waits of whole runs are dealt out again within their groups, and its half
                width is what 95 % of such deals keep to. So it leaves out 0 where a test by permutation does
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
    kept = [[run for run in group if run.waits.any()] for group in groups]
    kept = [group for group in kept if len(group) >= FEWEST_RUNS]
    observed, dealt, random = np.zeros(2), np.zeros((DRAWS, 2)), np.random.default_rng(seed)
    for group in kept:
        crossed, own = _crossed(group), np.arange(len(group))
        observed += _summed(crossed, own[None])[0]
        dealt += _summed(crossed, random.permuted(np.tile(own, (DRAWS, 1)), axis=1))
    agreement, comparable = observed.tolist()
    if not comparable:
        return None
    value, with_pairs = agreement / comparable, dealt[dealt[:, 1] > 0]
    # Of equal ones the higher: a deal as far from 0 as what was seen counts against it.
    far = np.abs(with_pairs[:, 0] / with_pairs[:, 1])
    half = float(np.quantile(far, 1 - 2 * TAIL, method="higher"))
    low, high = max(value - half, -1.0), min(value + half, 1.0)
    return Foretelling(value, low, high, sum(map(len, kept)), round(comparable) // 2)


def _summed(crossed: Floats, deals: Integers) -> Floats:
    """`f64[D, 2]`: agreements and comparable pairs of all runs, where run i has the waits of `deals[:, i]`,
    `i64[D, N]`."""
    number = deals.shape[1]
    # Two runs say the same either way round, so that each pair is looked up once.
    one, other = np.triu_indices(number)
    times = np.where(one == other, 1.0, 2.0)
    place = ((one * number + other) * number + deals[:, one]) * number + deals[:, other]
    return np.stack([of.take(place) @ times for of in crossed.reshape(2, -1)], axis=1)


def _crossed(group: Sequence[Watched]) -> Floats:
    """`f64[2, N, N, N, N]`, of runs i, k, a, b: agreements less disagreements, and comparable pairs, both
    ways, of the signals of run i and run k with the waits of run a and run b."""
    number, waits = len(group), np.stack([run.waits for run in group])
    signal = np.stack([np.nan_to_num(run.signal) for run in group])
    length = np.stack([run.waited.length for run in group])
    ended = np.stack([run.waited.observed for run in group]) & waits
    one, other = (slice(None), None, slice(None), None), (None, slice(None), None, slice(None))
    both = waits[one] & waits[other]
    sign = np.sign(signal[other] - signal[one]) * both
    later = (length[other] > length[one]) | ((length[other] == length[one]) & ~ended[other])
    first = ended[one] & later & waits[other]
    # Pairs of targets, and of runs, as a matrix product.
    order = (first.astype(np.float64) - first.transpose(1, 0, 3, 2)).reshape(number**2, -1)
    either = (first | first.transpose(1, 0, 3, 2)).astype(np.float64).reshape(number**2, -1)
    shape = (number,) * 4
    return np.stack(
        [
            (sign.reshape(number**2, -1) @ order.T).reshape(shape),
            (both.astype(np.float64).reshape(number**2, -1) @ either.T).reshape(shape),
        ]
    )
