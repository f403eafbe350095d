"""Runs an hour of a mixed sweep, three ways in turn: the engine, lanes that wait, and a plain loop.

    .venv/bin/python benchmarks/throughput.py [--seeds 8] [--steps 2000] [--seconds 10]

The sweep is the isolated linear map at S = 8 and S = 16, from supports that are found at once to some that
never are. The engine trains it. The other two train every run to its full budget, so their time is the
budget over their rate, and the rate is what is measured: before the engine's sweep and after it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from attnsearch.training.jax import devices

devices.use_every_core()  # before jax starts

import jax  # noqa: E402
import numpy as np  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from speed import Plain, Runner  # noqa: E402

from attnsearch.backends import run, specify  # noqa: E402
from attnsearch.base import RECORDING_INTERVAL  # noqa: E402
from attnsearch.runs.store import Store, StoredRun  # noqa: E402
from attnsearch.spec.run import RunSpec  # noqa: E402
from attnsearch.training.jax.backend import JaxBackend  # noqa: E402
from attnsearch.training.jax.cohorts import JaxCohort  # noqa: E402
from attnsearch.training.observer import Observer, Progress  # noqa: E402

SUPPORTS = {8: [1, 2, 4], 16: [1, 3, 8]}
TOKENS_PER_STEP = 2048


class Watch(Observer):
    """Counts lanes at work while there is work to be had, and when the first point was reached."""

    def __init__(self):
        self.pending = self.busy = self.offered = 0
        self.first_point: float | None = None
        self.started = time.perf_counter()

    def preparing(self, runs: Sequence[RunSpec], num_lanes: int, work: str) -> None:
        self.pending = len(runs)

    def advanced(self, running: Sequence[Progress], num_lanes: int) -> None:
        self.first_point = self.first_point or time.perf_counter() - self.started
        if self.pending > len(running):
            self.busy += len(running)
            self.offered += num_lanes

    def finished(self, run: StoredRun) -> None:
        self.pending -= 1


def steps_per_second(way: Runner | Plain, seconds: float) -> float:
    """Steps a second, of all runs of `way` together."""
    runs = way.lanes.count if isinstance(way, Runner) else 1
    way.advance()
    start, points = time.perf_counter(), 0
    while (taken := time.perf_counter() - start) < seconds:
        way.advance()
        points += 1
    return points * runs * RECORDING_INTERVAL / taken


def main() -> None:
    """Measure, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()
    specs = [
        spec
        for size, supports in SUPPORTS.items()
        for spec in specify(
            ["linear_map"],
            ["attention"],
            {
                "state_size": [size],
                "support_size": supports,
                "steps": [arguments.steps],
                "tokens_per_step": [TOKENS_PER_STEP],
            },
            seeds=range(arguments.seeds),
        )
    ]
    planned = JaxBackend().cohorts(specs)
    available = jax.local_devices()
    waiting = {cohort: Runner(cohort, cohort.trainer, available, 1) for cohort in planned}
    plain = {cohort: Plain(cohort, Runner(cohort, cohort.trainer, available[:1], 1)) for cohort in planned}
    rates: dict[JaxCohort, list[tuple[float, float]]] = {cohort: [] for cohort in planned}

    def measure_rates() -> None:
        for cohort in planned:
            pair = (steps_per_second(way[cohort], arguments.seconds) for way in (waiting, plain))
            rates[cohort].append(tuple(pair))  # pyright: ignore[reportArgumentType]

    measure_rates()
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        watch.started = start = time.perf_counter()
        runs = run(specs, Store.open(Path(folder)), observer=watch)
        engine_seconds = time.perf_counter() - start
    measure_rates()

    useful = sum(int(one.curves.step[-1]) for one in runs)
    offered = len(specs) * arguments.steps
    seconds = {"engine": engine_seconds}
    for index, name in enumerate(("lanes that wait, full budgets", "plain loop, full budgets")):
        seconds[name] = sum(
            len(cohort.specs) * arguments.steps / float(np.mean([pair[index] for pair in rates[cohort]]))
            for cohort in planned
        )
    shown = Table("way", "runs an hour", "ratio to plain", "tokens a second", "useful lane-steps")
    for name, taken in seconds.items():
        trained = useful if name == "engine" else offered
        shown.add_row(
            name,
            f"{len(specs) * 3600 / taken:.0f}",
            f"{seconds['plain loop, full budgets'] / taken:.2f}",
            f"{trained * TOKENS_PER_STEP / taken:,.0f}",
            f"{useful / trained:.0%}",
        )
    console = Console(width=120)
    console.print(shown)
    ended = {status: sum(one.status == status for one in runs) for status in ("mastered", "exhausted")}
    console.print(
        f"{len(specs)} runs, {ended['mastered']} mastered, {ended['exhausted']} to their budget of"
        f" {arguments.steps}; lanes {watch.busy / max(watch.offered, 1):.1%} occupied until the queue was"
        f" empty; first point after {watch.first_point:.1f} s; engine {engine_seconds:.0f} s"
    )
    for cohort, pairs in rates.items():
        size = dict(cohort.specs[0].cell.task.knobs)["state_size"]
        told = "; ".join(f"{lanes:.1f} and {alone:.1f}" for lanes, alone in pairs)
        console.print(f"S = {size}: steps a second of lanes and plain loop, before and after: {told}")
    console.print(devices.describe(len(available)))


if __name__ == "__main__":
    main()
