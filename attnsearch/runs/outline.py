"""What decides when a run escapes, finds and masters its targets: a few curves, however many targets.

A run in training, a stored run and an entry of the leaderboard are judged here, by the same numbers.
Nothing here looks at a network, so a threshold can change without retraining.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np

from attnsearch.base import Bools, Floats, Integers, Truth
from attnsearch.runs.escape import EscapeThreshold
from attnsearch.spec.run import PlateauRule

MASTERY_HOLD = 3
"""Recorded points in a row that must show mastery. One lucky interval is not knowledge, and mastery ends a
run."""

SURE = 0.01
"""A target counts as foreseeable while Bayes' loss of it is at most this share of chance."""


@dataclass(frozen=True, eq=False)
class Targets:
    """What is known of a sequence's targets before training.

    chance_loss:  nats
    bayes_loss:   `f64[R]` nats; 0 where the answer is determined by what the query sees
    state:        `i64[R]` the state that each target is a cell of
    """

    chance_loss: float
    bayes_loss: Floats
    state: Integers

    @classmethod
    def of(cls, truth: Truth) -> Self:
        """The targets of a run."""
        return cls(float(truth.chance_loss), truth.bayes_loss, truth.state)

    @cached_property
    def unsure(self) -> Bools:
        """`bool[R]`: the targets that nobody can be sure of."""
        return self.bayes_loss > SURE * self.chance_loss

    @cached_property
    def group(self) -> Integers:
        """`i64[R]`: which targets are judged together, numbered from 0. The foreseeable ones are the first
        group; of the others, each state is one. No group is empty."""
        state = np.where(self.unsure, self.state, np.iinfo(np.int64).min)
        return np.unique(state, return_inverse=True)[1]

    @cached_property
    def sizes(self) -> Integers:
        """`i64[G]`: targets of each group."""
        return np.bincount(self.group)

    @cached_property
    def unsure_groups(self) -> Bools:
        """`bool[G]`: the groups whose targets nobody can be sure of."""
        return np.bincount(self.group, self.unsure) > 0


class Outline(NamedTuple):
    """Losses less Bayes' loss, in nats, of each of G groups, `Targets.group`; leading axes are points.

    mean:   `f32[..., G]` over the targets of the group
    worst:  `f32[..., G]` of its worst target
    """

    mean: Floats
    worst: Floats

    def loss(self, targets: Targets) -> Floats:
        """`f64[...]` nats: the mean target loss."""
        share = targets.sizes / targets.sizes.sum()
        return self.mean.astype(np.float64) @ share + targets.bayes_loss.mean()


def outlined(target_loss: Floats, targets: Targets) -> Outline:
    """The outline of `target_loss`, `f32[..., R]`."""
    # In f64 the order of a sum, which differs between one point and a whole curve, leaves no trace.
    excess = target_loss.astype(np.float64) - targets.bayes_loss
    groups = [excess[..., targets.group == number] for number in range(len(targets.sizes))]
    mean = np.stack([group.mean(axis=-1) for group in groups], axis=-1)
    worst = np.stack([group.max(axis=-1) for group in groups], axis=-1)
    return Outline(mean.astype(np.float32), worst.astype(np.float32))


def escapes(outline: Outline, targets: Targets, threshold: EscapeThreshold) -> Bools:
    """`bool[...]`: where the mean target loss is below the escape threshold."""
    return np.less(outline.loss(targets), threshold.share * targets.chance_loss)


def masters(outline: Outline, targets: Targets, rule: PlateauRule) -> Bools:
    """`bool[...]`: where every target's loss, less Bayes', is below the mastery threshold.

    Targets that nobody can be sure of count together, by the mean over each state, and none of them may be
    above the found threshold. The loss of a single one fluctuates from point to point, whatever is known.
    """
    unsure, chance = targets.unsure_groups, targets.chance_loss
    judged = np.where(unsure, outline.mean, outline.worst).astype(np.float64)
    bound = np.where(unsure, rule.found, np.inf) * chance
    return np.all((judged < rule.mastery * chance) & (outline.worst.astype(np.float64) < bound), axis=-1)


def finds(target_loss: Floats, targets: Targets, rule: PlateauRule) -> Bools:
    """`bool[..., R]`: where a target's loss is below the found threshold.

    A target is never found where even Bayes' loss is not below it: there is too little to be found.
    """
    threshold = rule.found * targets.chance_loss
    return np.less(target_loss.astype(np.float64), threshold) & (targets.bayes_loss < threshold)


def held(condition: Bools, points: int = MASTERY_HOLD) -> Bools:
    """`bool[E, ...]`: where `condition` begins to hold for `points` recorded points in a row."""
    holds = np.zeros_like(condition)
    if len(condition) >= points:
        windows = np.lib.stride_tricks.sliding_window_view(condition, points, axis=0)
        holds[: len(windows)] = windows.all(axis=-1)
    return holds
