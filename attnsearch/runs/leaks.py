"""Does a run see the future? Every recorded map says how far tokens behind a query moved its answer.

Numpy side; never imports jax.
"""

from __future__ import annotations

import numpy as np

from attnsearch.base import Curves, MapMass, Maps, Truth
from attnsearch.runs.outline import held

LEAK = 1e-3
"""Total variation distance by which tokens behind a query may move its answer.

Rounding stays far below it. Sequences are compared in one program, so that masks, recurrences and chunks give
exactly 0, and a Fourier transform over the whole sequence about a millionth. A loss falls below the escape
threshold only where answers move by several hundredths, so that no smaller leak ends a plateau."""

LEAK_MARGIN = 0.8
"""An unpredictable token whose loss stays below this share of chance was seen before it was asked.

It has to stay there for `MASTERY_HOLD` points. A point is the mean of n losses, from 10 steps, and luck alone
takes it below chance: by at most k² / 2n nats where it is k deviations lucky, however confidently the network
guesses. With two sequences a step, n = 20, a fifth of chance is 2.4 deviations, three times in a row; with
64, thirteen. What is seen is soon known for certain, so that a real leak crosses any margin."""


def later_influence(maps: Maps | MapMass) -> float | None:
    """The largest distance by which tokens behind a query moved its answer, over all recorded maps; None
    where it was not measured, as where a network diverged."""
    known = maps.later[np.isfinite(maps.later)]
    return float(known.max()) if len(known) else None


def leaking(maps: Maps | MapMass) -> bool:
    """Whether any of the recorded maps shows that an answer moves with tokens behind its query."""
    return bool((maps.later > LEAK).any())


def sees_the_future(curves: Curves, truth: Truth) -> bool:
    """Whether unpredictable tokens were predicted."""
    unpredictable = curves.loss[:, ~truth.is_target]
    return bool(held(unpredictable < LEAK_MARGIN * float(truth.chance_loss)).any())
