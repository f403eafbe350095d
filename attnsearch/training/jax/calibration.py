"""How many runs a device trains best at once, found out by trying."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from attnsearch.training.jax.cohorts import Cohort
from attnsearch.training.jax.lanes import Lanes, is_out_of_memory, stacked

FIRST_TRIED = 4
"""Lanes on an accelerator below which nothing is tried: one run never fills it."""

WORTHWHILE = 1.1
"""Doubling the lanes must raise the steps a second of all lanes together by this factor."""


def lanes_that_pay(cohort: Cohort) -> int:
    """Lanes for each local device. One on a CPU, where more gained nothing; elsewhere as measured.

    Trying costs a compilation for each number, kept for later processes where compilations are kept.
    """
    available = jax.local_devices()
    if available[0].platform == "cpu":
        return 1
    most = -(-len(cohort.specs) // len(available))
    return doubled_while_it_pays(lambda lanes: _steps_per_second(cohort, available, lanes), most)


def doubled_while_it_pays(rate: Callable[[int], float], most: int) -> int:
    """The number of lanes from which doubling gains too little, up to `most` and to what memory holds.

    rate:  steps a second of all lanes together, by their number
    """
    lanes = min(FIRST_TRIED, most)
    try:
        best = rate(lanes)
        while lanes < most:
            doubled = min(2 * lanes, most)
            faster = rate(doubled)
            if faster < WORTHWHILE * best:
                return lanes
            lanes, best = doubled, faster
    except jax.errors.JaxRuntimeError as error:
        if not is_out_of_memory(error):
            raise
    return lanes


def _steps_per_second(cohort: Cohort, available: Sequence[Any], lanes_per_device: int) -> float:
    lanes = Lanes(cohort.trainer, available, lanes_per_device)
    states = lanes.begin(stacked([cohort.inputs(cohort.specs[0])] * lanes.count))
    everyone = np.ones(lanes.count, dtype=bool)
    states, record = lanes.advance(states, everyone)
    jax.block_until_ready(record)
    start = time.perf_counter()
    for _ in range(3):
        states, record = lanes.advance(states, everyone)
    jax.block_until_ready(record)
    return lanes.count / (time.perf_counter() - start)
