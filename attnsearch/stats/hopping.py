"""Does a network hop between two ways of answering? Each point is one, the other, or uncertain.

Probe items are answered differently by the two ways, general and shallow. A point is classified by the margin
between their log-probabilities, over the probe items. Nothing is known here of networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from attnsearch.base import Bools, Floats, Integers
from attnsearch.stats.survival import TAIL

GENERAL, UNCERTAIN, SHALLOW = 1, 0, -1

MODES = {GENERAL: "general", UNCERTAIN: "uncertain", SHALLOW: "shallow"}
"""What modes are called."""

RESAMPLES = 1_000
"""Draws of a bootstrap."""

HOLD = 3
"""Points in a row that a mode must hold to count as settled."""


class Stretch(NamedTuple):
    """Points in a row of one mode, from point `first` to point `last`."""

    mode: int
    first: int
    last: int


class Margin(NamedTuple):
    """The mean margin of each point over probe items, with its bootstrap interval: `f64[E]` nats each."""

    mean: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, eq=False)
class Hopping:
    """How often, and for how long, a run was in each mode.

    margin:     of each point
    modes:      `i8[E]` the mode of each point: `GENERAL`, `SHALLOW` or `UNCERTAIN`
    settled:    `i64[D]` the point at which each stretch of a settled mode begins; the second is the first hop
    ended:      `bool[D]` whether the stretch ended with a hop; the last one goes on beyond the record
    """

    margin: Margin
    modes: Integers
    settled: Integers
    ended: Bools

    @property
    def hops(self) -> int:
        """Changes from one settled mode to the other."""
        return int(self.ended.sum())

    @property
    def dwell(self) -> Integers:
        """`i64[D]`: points of each stretch, to the hop that ended it or to the end of the record."""
        return np.diff(np.append(self.settled, len(self.modes)))

    @property
    def rate(self) -> float:
        """Hops for each point since a mode was first settled; nan where none ever was."""
        return self.hops / (len(self.modes) - self.settled[0]) if len(self.settled) else float("nan")

    @property
    def stretches(self) -> list[Stretch]:
        """All points, joined where neighbours are of one mode."""
        begins = np.flatnonzero(np.diff(self.modes, prepend=self.modes[:1] + 2))
        ends = np.append(begins[1:], len(self.modes)) - 1
        return [
            Stretch(int(self.modes[first]), int(first), int(last))
            for first, last in zip(begins, ends, strict=True)
        ]

    def occupancy(self, mode: int) -> float:
        """The share of points in `mode`."""
        return float((self.modes == mode).mean())


def hopping(margins: Floats, agreement: Floats, solved: float = 0.9) -> Hopping:
    """The modes of a run, and its hops.

    margins:    `f[E, P]` nats, by point and probe item: the log-probability of the general answer, less the
                log-probability of the shallow one
    agreement:  `f[E]` share of items that are answered right where both ways agree
    solved:     the least agreement at which a point may be part of a settled mode

    A mode is settled where it holds for `HOLD` points in a row, and items on which both ways agree are solved
    in all of them. Otherwise a network that forgets everything for a moment would seem to hop. A hop is a
    settled mode after the other one.
    """
    margin = intervals(margins)
    modes = classified(margin)
    sound = agreement >= solved
    settled: list[int] = []
    for point in range(len(modes) - HOLD + 1):
        ahead = slice(point, point + HOLD)
        mode = modes[point]
        if mode == UNCERTAIN or not sound[ahead].all() or (modes[ahead] != mode).any():
            continue
        if not settled or modes[settled[-1]] != mode:
            settled.append(point)
    ended = np.arange(len(settled)) < len(settled) - 1
    return Hopping(margin, modes, np.array(settled, np.int64), ended)


def intervals(margins: Floats) -> Margin:
    """The mean of `margins`, `f[E, P]`, over items, with its percentile bootstrap interval.

    One draw of items serves all points, so that neighbours differ by what the network did.
    """
    items = margins.shape[1]
    draws = np.random.default_rng(0).multinomial(items, np.full(items, 1 / items), RESAMPLES) / items
    low, high = np.quantile(draws @ margins.T, [TAIL, 1 - TAIL], axis=0)
    return Margin(margins.mean(axis=1, dtype=np.float64), low, high)


def classified(margin: Margin) -> Integers:
    """`i8[E]`: the mode of each point, `UNCERTAIN` where its interval holds 0 or is not known."""
    modes = np.where(margin.low > 0, GENERAL, np.where(margin.high < 0, SHALLOW, UNCERTAIN))
    return modes.astype(np.int8)
