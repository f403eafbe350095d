"""The law of each series: what a chart draws of it. Numpy side; never imports jax."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from attnsearch.results.scaling import Growth
from attnsearch.stats.scaling_law import Law

DEVIATIONS = 1.6449
"""Nine values in ten of a normal distribution lie within so many standard deviations of its middle."""


def lines(growths: Sequence[Growth]) -> list[dict[str, Any]]:
    """As JSON values, for each series with its nominal search space, in their order:

    line:  rows of bits and of the steps by which 5, 50 and 95 % of runs escape, by the law; no rows where
           there is none
    fits:  False where the data speak against the law
    """
    return [_line(growth) for growth in growths if growth.size == "nominal"]


def _line(growth: Growth) -> dict[str, Any]:
    law = growth.law
    if not isinstance(law, Law):
        return {"line": [], "fits": True}
    noise = math.exp(DEVIATIONS * law.sigma)
    ends = {at: law.median(at) for at in (min(growth.bits), max(growth.bits))}
    rows = [[at, median / noise, median, median * noise] for at, median in ends.items()]
    return {"line": rows, "fits": law.fits is not False}
