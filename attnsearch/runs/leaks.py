"""Does a run see the future? Every recorded map says how far tokens behind a query moved its answer.

Numpy side; never imports jax.
"""

from __future__ import annotations

import numpy as np

from attnsearch.base import MapMass, Maps

LEAK = 1e-3
"""Total variation distance by which tokens behind a query may move its answer.

Rounding stays far below it. Sequences are compared in one program, so that masks, recurrences and chunks give
exactly 0, and a Fourier transform over the whole sequence about a millionth. A loss falls below the escape
threshold only where answers move by several hundredths, so that no smaller leak ends a plateau."""


def later_influence(maps: Maps | MapMass) -> float | None:
    """The largest distance by which tokens behind a query moved its answer, over all recorded maps; None
    where it was not measured, as where a network diverged."""
    known = maps.later[np.isfinite(maps.later)]
    return float(known.max()) if len(known) else None


def leaking(maps: Maps | MapMass) -> bool:
    """Whether any of the recorded maps shows that an answer moves with tokens behind its query."""
    return bool((maps.later > LEAK).any())
