"""How each target of a run was found, and how its head moved."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from attnsearch.base import Bools, Floats, Integers
from attnsearch.results.alignment import best_heads
from attnsearch.runs.measures import first_step
from attnsearch.runs.store import StoredRun
from benchmarks.reproduction.verdicts import rank_correlation


class Moved(NamedTuple):
    """What the K targets of a run did. A target's head has most weight on its support at the end.

    found:    `bool[K]`
    step:     `i64[K]` at which the target was found
    rise:     `i64[K]` at which the head's mass had risen half of its way
    fall:     `f64[K]` steps from 0.9 to 0.1 of chance over `step`; nan where the loss did not get there
    mass:     `f64[2, K]` of the head, before training and at the end
    entropy:  `f64[2, K]` of the head in nats, before training and at the end
    """

    found: Bools
    step: Floats
    rise: Integers
    fall: Floats
    mass: Floats
    entropy: Floats

    @classmethod
    def of(cls, run: StoredRun) -> Moved:
        """The targets of a run with heads; every target must be mapped."""
        best, loss = best_heads(run.heads), run.curves.loss[:, run.truth.is_target]
        mass, step = best.mass[:, 0], run.measures.found.length.astype(float)
        begun, done = (
            first_step(run.curves.step, loss < share * run.truth.chance_loss) for share in (0.9, 0.1)
        )
        return cls(
            run.measures.found.observed,
            step,
            first_step(run.maps.step, mass >= (mass[0] + mass[-1]) / 2).length,
            np.where(done.observed, (done.length - begun.length) / step, np.nan),
            mass[[0, -1]],
            best.entropy[[0, -1], 0],
        )

    @property
    def rank(self) -> float:
        """Rank correlation of rise and step, over found targets; nan where they do not vary."""
        rise, step = self.rise[self.found], self.step[self.found]
        varied = len(np.unique(rise)) > 1 and len(np.unique(step)) > 2
        return rank_correlation(rise, step)[0] if varied else float("nan")

    @property
    def apart(self) -> float:
        """Step of the last target over the step of the first; a lower bound where a target is not found."""
        return float(self.step.max() / self.step[self.found].min()) if self.found.any() else float("nan")

    @property
    def drop(self) -> float:
        """Change of entropy, mean over found targets."""
        return float((self.entropy[1] - self.entropy[0])[self.found].mean()) if self.found.any() else np.nan
