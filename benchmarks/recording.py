"""What recording costs: the measured map and the attention heads against the training between them.

    .venv/bin/python benchmarks/recording.py [--seconds 3]

One run on one device. Maps are measured at some steps only, so their share of the time is told for runs that
end at a step: that by which the task is mastered in the median, as measured elsewhere, and the budget.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
from rich.console import Console
from rich.table import Table

from attnsearch.backends import specify
from attnsearch.base import RECORDING_INTERVAL
from attnsearch.runs.recorder import is_map_step
from attnsearch.training.jax import probes
from attnsearch.training.jax.backend import JaxBackend


class Case(NamedTuple):
    """A cell, and the step at which half of its runs have ended."""

    mixer: str
    state_size: int
    support_size: int
    tokens_per_step: int
    steps: int


CASES = (
    Case("attention", 8, 4, 2_048, 500),
    Case("attention", 16, 3, 2_048, 2_500),
    Case("mlp_mixer", 16, 3, 2_048, 1_300),
    Case("attention", 16, 5, 2_048, 10_000),
    Case("attention", 8, 2, 512, 200),
)


def main() -> None:
    """Time training, maps and heads of each case in turn, several rounds, and print their shares."""
    parser = argparse.ArgumentParser(description="What recording costs.")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each case and part")
    seconds = parser.parse_args().seconds
    table = Table("mixer", "S, s", "tokens a step", "steps", "maps", "influence", "heads", "together")
    for case in CASES:
        knobs = {"state_size": [case.state_size], "support_size": [case.support_size]}
        values = knobs | {"tokens_per_step": [case.tokens_per_step]}
        (cohort,) = JaxBackend().cohorts(specify(["linear_map"], [case.mixer], values, seeds=[0]))
        trainer = cohort.trainer
        state = jax.jit(trainer.begin)(cohort.inputs(cohort.specs[0]))
        parts = (trainer.advance, partial(probes.influence, trainer), partial(probes.heads, trainer))
        point, influence, heads = alternated([partial(jax.jit(part), state) for part in parts], seconds)
        # One before the first step, one at escape, one at the end.
        maps = 3 + sum(map(is_map_step, range(RECORDING_INTERVAL, case.steps + 1, RECORDING_INTERVAL)))
        trained = case.steps / RECORDING_INTERVAL * point
        shares = [maps * part / trained for part in (influence, heads, influence + heads)]
        where = f"{case.state_size}, {case.support_size}"
        numbers = [f"{case.tokens_per_step:,}", f"{case.steps:,}", str(maps)]
        table.add_row(case.mixer, where, *numbers, *(f"{share:.1%}" for share in shares))
    Console().print(table)


def alternated(parts: list[Callable[[], Any]], seconds: float) -> list[float]:
    """Seconds that each of `parts` takes, in the median over rounds in which each is called once."""
    for part in parts:
        jax.block_until_ready(part())
    times: list[list[float]] = [[] for _ in parts]
    start = time.perf_counter()
    while time.perf_counter() - start < seconds * len(parts):
        for part, taken in zip(parts, times, strict=True):
            before = time.perf_counter()
            jax.block_until_ready(part())
            taken.append(time.perf_counter() - before)
    return [sorted(taken)[len(taken) // 2] for taken in times]


if __name__ == "__main__":
    main()
