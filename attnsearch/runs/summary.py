"""One run in few numbers: what is said of many runs together, without a look at their curves and maps.

They follow from a run's arrays alone, whatever the thresholds, so that an index of a store can keep them.
Numpy side; never imports jax.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from attnsearch.base import Curves, Floats, HeadMass, Integers, MapMass, Plateaus, Truth
from attnsearch.runs.leaks import later_influence, sees_the_future
from attnsearch.runs.measures import chance_map_mass, first_step, prediction_loss
from attnsearch.runs.outline import Targets, outlined

HALFWAY = 0.5
"""A target's map has risen when its mass is this share of the way from chance to 1."""


class Weighed(NamedTuple):
    """What the attention heads of a run have on the support, means over rows.

    mass, entropy:   of the head that is best for each row at the end, by its mass on the support; nats
    untrained_mass:  before the first step, of the head that was best then
    untrained_entropy: before the first step, of the heads that are best at the end; nats
    """

    mass: float
    entropy: float
    untrained_mass: float
    untrained_entropy: float

    @classmethod
    def of(cls, heads: HeadMass) -> Self | None:
        """None for a mixer without attention weights, and where no map was recorded."""
        if not heads.mass.size:
            return None
        best, rows = best_of(heads.mass)
        entropy = heads.entropy[:, best, rows].mean(axis=1)
        ends = heads.mass[-1, best, rows].mean()
        return cls(
            float(ends), float(entropy[-1]), float(heads.mass[0].max(axis=0).mean()), float(entropy[0])
        )


class Summary(NamedTuple):
    """How a run went, in numbers.

    steps_trained:   the last recorded step; 0 where nothing was recorded
    chance_loss:     nats
    bits:            log2 of the number of supports, nominal
    target_bits:     `f64[R]`: the same for the cheapest route to each target
    prediction_loss: nats, last recorded, of all predictions; None where every prediction is a target
    low_steps:       `i64[N]`: the recorded steps at which the mean target loss was lower than ever before
    low_losses:      `f64[N]` nats: that loss
    foreseeing:      whether unpredictable tokens were predicted
    contested:       whether routes compete
    """

    steps_trained: int
    chance_loss: float
    bits: float
    target_bits: Floats
    prediction_loss: float | None
    low_steps: Integers
    low_losses: Floats
    foreseeing: bool
    contested: bool

    @classmethod
    def of(cls, truth: Truth, curves: Curves, *, contested: bool) -> Self:
        """The summary of a run with these arrays."""
        recorded = len(curves.step)
        predicted = recorded and not truth.is_target.all()
        return cls(
            int(curves.step[-1]) if recorded else 0,
            float(truth.chance_loss),
            float(truth.nominal_log2_search_space),
            np.asarray(truth.log2_search_space, np.float64),
            float(prediction_loss(curves)[-1]) if predicted else None,
            *_lows(curves, truth),
            sees_the_future(curves, truth),
            contested,
        )


class MapSummary(NamedTuple):
    """What a run read, in numbers. Where no map was recorded, the last one is empty, and none has risen.

    last_step:       of the recorded maps; None where none was
    mass:            `f32[K]` at the last recorded map
    rise:            `[K]`: the first recorded map at which each mapped target's mass is `HALFWAY` from chance
                     to 1
    mapped:          `i64[K]`: which targets these are
    judged_mass, judged_chance: means of the last mass and of chance over the targets that depend on part of
                     what is seen and have no cheaper route than their support; None for none
    weighed:         None for a mixer without attention weights
    later:           the largest influence of tokens behind a query; None where it was not measured
    routed:          whether the masses on named routes are there
    """

    last_step: int | None
    mass: Floats
    rise: Plateaus
    mapped: Integers
    judged_mass: float | None
    judged_chance: float | None
    weighed: Weighed | None
    later: float | None
    routed: bool

    @classmethod
    def of(cls, truth: Truth, maps: MapMass, heads: HeadMass, *, routed: bool) -> Self:
        """The summary of a run with these arrays."""
        recorded, chance = len(maps.step) > 0, chance_map_mass(truth)
        last = maps.mass[-1] if recorded else np.zeros(0, np.float32)
        judged = (truth.cheapest_route == truth.attention_map).all(axis=1) & (chance < 1 - 1e-6)
        judges = recorded and bool(judged.any())
        return cls(
            int(maps.step[-1]) if recorded else None,
            last,
            _risen(maps, chance),
            np.asarray(truth.mapped, np.int64),
            # nan where nothing had any influence, which is as far from the support as can be.
            float(np.nan_to_num(last)[judged].mean()) if judges else None,
            float(chance[judged].mean()) if judges else None,
            Weighed.of(heads),
            later_influence(maps),
            routed,
        )


def escapes_below(summaries: Sequence[Summary], losses: Floats) -> Plateaus:
    """`[N]`: the first recorded step of each run at which its mean target loss was below its one of `losses`,
    `f64[N]` nats."""
    lows = [len(one.low_steps) for one in summaries]
    steps = np.concatenate([one.low_steps for one in summaries])
    below = np.concatenate([one.low_losses for one in summaries]) < np.repeat(losses, lows)
    # Each is lower than all before it, so that the last ones are below.
    number = np.bincount(np.repeat(np.arange(len(lows)), lows), below, len(lows)).astype(np.int64)
    observed, length = number > 0, np.array([one.steps_trained for one in summaries])
    length[observed] = steps[(np.cumsum(lows) - number)[observed]]
    return Plateaus(length, observed)


def best_of(mass: Floats) -> tuple[Integers, Integers]:
    """`i64[K]` twice, of `mass`, `f32[M, A, K]`: for each row its best head, and its number."""
    return mass[-1].argmax(axis=0), np.arange(mass.shape[2])


def _lows(curves: Curves, truth: Truth) -> tuple[Integers, Floats]:
    """The steps at which the mean target loss was lower than ever before, and that loss."""
    targets = Targets.of(truth)
    loss = outlined(curves.loss[:, truth.is_target], targets).loss(targets)
    if not len(loss):
        return np.zeros(0, np.int64), np.zeros(0)
    before = np.concatenate([[np.inf], np.fmin.accumulate(loss)[:-1]])
    lower = loss < before
    return curves.step[lower].astype(np.int64), loss[lower]


def _risen(maps: MapMass, chance: Floats) -> Plateaus:
    # A target that depends on all that can be seen has its mass from the start.
    threshold = np.minimum(chance + HALFWAY * (1 - chance), 1 - 1e-6)
    return first_step(maps.step, np.nan_to_num(maps.mass) >= threshold)
