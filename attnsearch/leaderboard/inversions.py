"""Whose order turns round from family to family. Numpy side; never imports jax."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from attnsearch.leaderboard.board import Board, Family
from attnsearch.leaderboard.ranking import Ground, Ratio
from attnsearch.spec.run import MixerSpec


@dataclass(frozen=True)
class Beside:
    """One mixer beside another in one family, in which both are ranked.

    ratio:   of its restricted means over the other's; None where no run escapes, or there is one seed
    ahead:   whether it is the better one; None where the two are not separated
    ground:  what separates them
    """

    ratio: Ratio | None
    ahead: bool | None
    ground: Ground | None


@dataclass(frozen=True)
class Inversion:
    """Two mixers, of which each is ahead in some family.

    first, second:  their names
    families:       one for each family of the board, the first beside the second; None where either is not
                    ranked
    """

    first: str
    second: str
    families: tuple[Beside | None, ...]


def inversions(board: Board) -> tuple[Inversion, ...]:
    """All pairs of mixers whose order turns round, by name.

    A family separates two mixers by its own tests, adjusted for all of its pairs (`ranking.pairs`). Mixers
    that it does not separate have no order there.
    """
    return tuple(_inversions(board))


def _inversions(board: Board) -> Iterator[Inversion]:
    for first, second in combinations(board.across, 2):
        seen = tuple(_beside(family, first.mixer, second.mixer) for family in board.families)
        if {True, False} <= {one.ahead for one in seen if one is not None}:
            yield Inversion(first.name, second.name, seen)


def _beside(family: Family, first: MixerSpec, second: MixerSpec) -> Beside | None:
    numbers = {row.entry.mixer: number for number, row in enumerate(family.ranked)}
    if not {first, second} <= set(numbers):
        return None
    own, other = numbers[first], numbers[second]
    pair = next(pair for pair in family.pairs if {pair.first, pair.second} == {own, other})
    ratio = pair.ratio
    if ratio is not None and pair.first == other:
        ratio = Ratio(1 / ratio.value, 1 / ratio.high, 1 / ratio.low)
    return Beside(ratio, None if pair.better is None else pair.better == own, pair.ground)
