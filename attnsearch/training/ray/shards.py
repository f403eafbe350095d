"""How a sweep is cut into shards, and what becomes of a shard that fails. Knows nothing of Ray."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from attnsearch.spec.run import RunSpec

ATTEMPTS = 3
"""How often a shard may fail in a row without getting any further."""

LARGEST = 32
"""Shards of more than so many runs for each lane save hardly any time more, and wait longer at the end."""

SECONDS_FOR_A_LANE = 0.15
"""Between two checkpoints, for each lane of the cluster. Taking one in was measured at 0.03 to 0.04 s: all of
them take about a quarter of the sender's time."""


def checkpoint_every(asked: float, lanes: int) -> float:
    """Seconds between two checkpoints of a run, where so many `lanes` train: what was asked, or more."""
    return max(asked, SECONDS_FOR_A_LANE * lanes)


@dataclass(frozen=True)
class Shard:
    """Runs of one cohort that one worker trains, and how often it has failed without getting any further."""

    specs: tuple[RunSpec, ...]
    failures: int = 0


@dataclass(frozen=True)
class GivenUp:
    """A shard that has failed too often, and why it failed last."""

    shard: Shard
    reason: str


class Plan:
    """The runs of several cohorts that are still to be sent, cohort by cohort.

    smallest:  runs of a shard below which lanes of its worker would be empty
    """

    def __init__(self, cohorts: Sequence[Sequence[RunSpec]], smallest: int):
        self.given_up: list[GivenUp] = []
        self._cohorts = deque(deque(specs) for specs in cohorts if specs)
        self._left = sum(map(len, self._cohorts))
        self._again: deque[Shard] = deque()
        self._smallest = smallest

    def next(self, slots: int) -> Shard | None:
        """The shard to be sent next to a cluster with room for so many workers; None where all are sent.

        A shard is half of what each worker would have to train. So the first ones are large, which saves
        overhead, and the last ones small, so that the workers end at about the same time.
        """
        if self._again:
            return self._again.popleft()
        if not self._cohorts:
            return None
        size = -(-self._left // (2 * slots))
        size = min(max(size, self._smallest), LARGEST * self._smallest)
        cohort = self._cohorts[0]
        specs = tuple(cohort.popleft() for _ in range(min(size, len(cohort))))
        if not cohort:
            self._cohorts.popleft()
        self._left -= len(specs)
        return Shard(specs)

    def failed(self, shard: Shard, ended: Collection[RunSpec], further: bool, reason: str) -> bool:
        """A shard has failed, after some of its runs had `ended`. Whether what is left of it is sent again.

        further:  whether it has got further than ever before
        """
        left = tuple(spec for spec in shard.specs if spec not in ended)
        if not left:
            return False
        failures = 1 if further else shard.failures + 1
        again = replace(shard, specs=left, failures=failures)
        if failures == ATTEMPTS:
            self.given_up.append(GivenUp(again, reason))
            return False
        self._again.append(again)
        return True
