# pyright: reportMissingImports=false
"""What a sweep on a cluster costs, measured on this machine, and where a large one gives out, by a model.

    .venv/bin/python benchmarks/cluster.py [--store results/] [-o cluster.md]

It takes less than five minutes of an idle machine. Two cores must have nothing else to do, or the gain of a
second worker is not seen. The tables are printed, and written to a file.

Measured on a Ray that is started here: runs an hour with one worker and with two, what a shard takes beside
its training, and what a cohort takes that was never compiled, or compiled by an earlier worker. Measured in
this process: what the sending process does with a run that has ended, and with a checkpoint. These are runs
of the store, if one is given, else the runs just trained. The model multiplies these costs. It knows only the
disk of this machine, and nothing of networks.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import os
import pickle
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import ray
from rich.console import Console

from attnsearch.backends import Backends, on_worker, specify
from attnsearch.files import write_whole
from attnsearch.results.table import Table, markdown
from attnsearch.runs.checkpoints import Checkpoint
from attnsearch.runs.claims import SharedRuns
from attnsearch.runs.recorder import Recording
from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec.grid import KnownMixers
from attnsearch.spec.run import RunSpec
from attnsearch.training.backend import Ended, Runs, TrainingSettings, Trains
from attnsearch.training.observer import ClusterWorker, Observer, Shards
from attnsearch.training.ray.backend import RayBackend
from attnsearch.training.ray.cluster import without_warning_of_forks
from attnsearch.training.ray.messages import Saved, packed, unpacked
from attnsearch.training.ray.settings import ClusterSettings
from attnsearch.training.ray.shards import checkpoint_every
from attnsearch.training.runner import run

TINY: dict[str, list[Any]] = {
    **{"state_size": [8], "support_size": [2], "width": [16], "num_heads": [4], "mlp_width": [32]},
    **{"tokens_per_step": [256], "early_stopping": [False]},
}
"""A network that trains in a moment, so that what a cluster adds is seen."""

PARAMETERS = 400_000
"""Numbers of a network of the default size, with attention; its optimizer holds twice as many more."""

RUNS, WORKERS, MINUTES = 10_000_000, (10, 100, 1_000), 10
"""Of the model: runs in all, workers of one lane, and minutes that a run takes."""

SHARDS, LENGTHS = (1, 32), (0.5, 10.0)
"""Of the model of compilation: runs of a shard, and minutes that a run takes."""

ASKED = 30.0
"""Of the model: seconds between two checkpoints of a run, as they are asked for. Many lanes take more."""


class Cost(NamedTuple):
    """What one message costs the sending process: seconds of a core, seconds in all, bytes sent."""

    core: float
    wall: float
    size: int


class Swept(NamedTuple):
    """What a sweep took: seconds until a run trained, seconds in all and from the first end on; shards.

    runs:  as they were stored
    """

    until_training: float
    seconds: float
    after_first: float
    shards: int
    runs: list[StoredRun]


class Noted(Observer):
    """Counts shards, and notes when the first run was seen in training, and when the first ended."""

    def __init__(self) -> None:
        self.shards, self.began, self.ended = 0, 0.0, 0.0

    def finished(self, run: StoredRun) -> None:
        self.ended = self.ended or time.perf_counter()

    def spread(self, workers: Sequence[ClusterWorker], shards: Shards) -> None:
        self.shards = shards.ended + shards.sent
        if workers and not self.began:
            self.began = time.perf_counter()


@dataclass(frozen=True)
class Alike:
    """A cohort of one run, so that it makes a shard."""

    specs: tuple[RunSpec, ...]


@dataclass(frozen=True)
class Copies:
    """A `training.Trains` that trains nothing: it gives copies of one run, each as soon as it is asked."""

    original: StoredRun
    known_mixers: KnownMixers

    def cohorts(self, specs: Sequence[RunSpec]) -> list[Alike]:
        return [Alike((spec,)) for spec in specs]

    def train(
        self,
        cohort: Alike,
        pending: Sequence[RunSpec],
        runs: Runs,
        observer: Observer,
        settings: TrainingSettings,
    ) -> Iterator[Ended]:
        for spec in pending:
            if runs.take(spec):
                yield Ended(replace(self.original, spec=spec), None)


def swept(
    specs: Sequence[RunSpec], inner: Trains[Any], made: Callable[[int], Trains[Any]], workers: int
) -> Swept:
    """Train `specs` on a Ray of so many workers, which is started and ended here."""
    with without_warning_of_forks():
        ray.init(
            "local",
            num_cpus=workers,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    noted, start = Noted(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        runs = run(specs, Store.open(Path(folder)), RayBackend(inner, made, ClusterSettings()), noted)
        end = time.perf_counter()
    ray.shutdown()
    return Swept(noted.began - start, end - start, end - noted.ended, noted.shards, runs)


def compiled(cohorts: int) -> tuple[float, float]:
    """Seconds of a cohort of one short run: never compiled before, and compiled by an earlier worker."""
    values = TINY | {"steps": [20], "width": [16 * number for number in range(1, cohorts + 1)]}
    took = list[float]()
    with tempfile.TemporaryDirectory() as cache:
        before = {
            name: os.environ.pop(name, None) for name in ("XDG_CACHE_HOME", "JAX_COMPILATION_CACHE_DIR")
        }
        os.environ["XDG_CACHE_HOME"] = cache
        for seed in range(2):
            specs = specify(["linear_map"], ["attention"], values, seeds=[seed])
            took.append(swept(specs, Backends(), on_worker, 1).after_first / (cohorts - 1))
        del os.environ["XDG_CACHE_HOME"]
        os.environ |= {name: value for name, value in before.items() if value is not None}
    return took[0], took[1]


def others(spec: RunSpec, count: int) -> list[RunSpec]:
    """Runs of the same cell under other seeds."""
    return [replace(spec, seed=100_000 + seed, rule_seed=100_000 + seed) for seed in range(count)]


def cost_of_runs(originals: Sequence[StoredRun], count: int) -> Cost:
    """Taking in a run that has ended: it is unpacked and stored."""
    specs = others(originals[0].spec, count)
    copies = (
        replace(original, spec=replace(original.spec, seed=spec.seed, rule_seed=spec.rule_seed))
        for original, spec in zip(itertools.cycle(originals), specs)
    )
    contents = [packed(Ended(copy, None)) for copy in copies]
    with tempfile.TemporaryDirectory() as folder:
        runs = SharedRuns(Store.open(Path(folder)), print)

        def take_in(content: bytes) -> None:
            ended = unpacked(content)
            assert isinstance(ended, Ended)
            runs.take(ended.run.spec)
            runs.finish(ended.run)

        return cost(take_in, contents)


def cost_of_checkpoints(original: StoredRun, count: int) -> Cost:
    """Taking in a checkpoint of a network of the default size, half-way through `original`."""
    half = len(original.curves.step) // 2
    recording = Recording(
        original.spec,
        original.truth,
        loss=list(original.curves.loss[:half]),
        accuracy=list(original.curves.accuracy[:half]),
        update_norm=[np.float32(np.nan)] * half,
        margin=[np.zeros(0, np.float32)] * half,
        agreement=[np.float32(np.nan)] * half,
    )
    leaves = tuple(np.random.default_rng(0).random((3, PARAMETERS), dtype=np.float32))
    content = packed(Saved(pickle.dumps(Checkpoint(recording, leaves))))
    with tempfile.TemporaryDirectory() as folder:
        runs = SharedRuns(Store.open(Path(folder)), print)

        def take_in(content: bytes) -> None:
            saved = unpacked(content)
            assert isinstance(saved, Saved)
            runs.checkpoints.save(pickle.loads(saved.checkpoint))

        return cost(take_in, [content] * count)


def cost(take_in: Callable[[bytes], None], contents: Sequence[bytes]) -> Cost:
    """The mean of all."""
    wall, core = time.perf_counter(), time.process_time()
    for content in contents:
        take_in(content)
    count = len(contents)
    core, wall = (time.process_time() - core) / count, (time.perf_counter() - wall) / count
    return Cost(core, wall, sum(map(len, contents)) // count)


def held(run: StoredRun) -> int:
    """Bytes of the arrays of a run in memory."""
    parts = (run.truth, run.curves, run.maps, run.heads, run.updates, run.contests, run.routes)
    return sum(np.asarray(array).nbytes for part in parts for array in part)


def stored_bytes(run: StoredRun) -> int:
    """Bytes of a run on disk, in whole blocks."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder))
        store.save(run)
        return sum(file.stat().st_blocks * 512 for file in store.path(run.spec).iterdir())


def numbers(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table whose columns are numbers, but for the first."""
    return Table(caption, tuple(columns), frozenset(columns[1:]), tuple(map(tuple, rows)))


def rates(runs: int, steps: int) -> tuple[Table, list[StoredRun]]:
    """Runs an hour with one worker and with two, and the runs."""
    specs = specify(["linear_map"], ["attention"], TINY | {"steps": [steps]}, seeds=range(runs))
    took = {workers: swept(specs, Backends(), on_worker, workers) for workers in (1, 2)}
    hourly = {workers: 3600 * runs / (one.seconds - one.until_training) for workers, one in took.items()}
    rows = [
        [
            *(str(workers), str(runs), str(one.shards), f"{one.until_training:.1f}", f"{one.seconds:.1f}"),
            *(f"{hourly[workers]:,.0f}", f"{hourly[workers] / hourly[1]:.2f}"),
        ]
        for workers, one in took.items()
    ]
    caption = (
        f"Measured: tiny networks of {steps:,} steps. The start lasts until one trains, and rates follow it"
    )
    columns = ("workers", "runs", "shards", "start (s)", "in all (s)", "runs an hour", "gain")
    return numbers(caption, columns, rows), took[1].runs


def costs(originals: Sequence[StoredRun], shards: int, cohorts: int) -> tuple[Table, Cost, Cost, float]:
    """What is measured beside training; a run and a checkpoint for the sender, and compiling a cohort."""
    copies = Copies(originals[0], Backends().known_mixers)
    copied = others(originals[0].spec, shards)
    between = swept(copied, copies, lambda cores: copies, 1).after_first / (len(copied) - 1)
    ended, saved = cost_of_runs(originals, 200), cost_of_checkpoints(originals[0], 20)
    fresh, known = compiled(cohorts)
    rows = [
        ["a shard of one run, without training", f"{1e3 * between:,.0f}", "", ""],
        *(
            [f"taking in {name}", f"{1e3 * one.wall:.1f}", f"{1e3 * one.core:.1f}", f"{one.size / 1e3:,.0f}"]
            for name, one in (("a run that has ended", ended), ("a checkpoint", saved))
        ),
        ["a cohort never compiled, with 20 steps", f"{1e3 * fresh:,.0f}", "", ""],
        ["the same, compiled by an earlier worker", f"{1e3 * known:,.0f}", "", ""],
    ]
    columns = ("what", "ms", "ms of the sender's core", "kB sent")
    return numbers("Measured: what comes on top of training", columns, rows), ended, saved, fresh


def carried_on(ended: Cost, saved: Cost, disk: float) -> Table:
    """The model of the sender."""
    rows = []
    for workers in WORKERS:
        for interval in dict.fromkeys((ASKED, checkpoint_every(ASKED, workers))):
            ends, saves = workers / (60 * MINUTES), workers / interval
            rows.append(
                [
                    *(f"{workers:,}", f"{interval:.0f}", f"{RUNS / ends / 86_400:,.0f}", f"{ends:.2f}"),
                    f"{100 * (ends * ended.wall + saves * saved.wall):.0f}",
                    f"{(ends * ended.size + saves * saved.size) / 1e6:.1f}",
                ]
            )
    caption = f"Modelled: {RUNS:,} runs of {MINUTES} minutes, {disk * RUNS / 1e12:.1f} TB on disk"
    columns = ("workers", "checkpoints every (s)", "days", "runs a second")
    return numbers(caption, (*columns, "time of the sender (%)", "to the sender (MB/s)"), rows)


def compiling(seconds: float) -> Table:
    """The model of compilation: a worker compiles the cohort of a shard unless its last one was of it."""
    rows = [
        [str(runs), *(f"{100 * seconds / (seconds + runs * 60 * minutes):.2f}" for minutes in LENGTHS)]
        for runs in SHARDS
    ]
    columns = ("runs of the shard", *(f"runs of {minutes:g} minutes" for minutes in LENGTHS))
    return numbers("Modelled: share of a worker's time for a cohort it never compiled (%)", columns, rows)


def main() -> None:
    """Measure, then model."""
    parser = argparse.ArgumentParser(description="What a sweep on a cluster costs, and where it gives out.")
    parser.add_argument("--store", type=Path, help="stored runs, whose size decides what storing one costs")
    parser.add_argument("--runs", type=int, default=16, help="runs that are trained")
    parser.add_argument("--steps", type=int, default=2_000, help="steps of each")
    parser.add_argument("--shards", type=int, default=200, help="runs without training, a shard each")
    parser.add_argument("--cohorts", type=int, default=4, help="networks that are compiled")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("cluster.md"), help="the file of the tables"
    )
    arguments = parser.parse_args()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    began, console = time.perf_counter(), Console()
    rate, trained = rates(arguments.runs, arguments.steps)
    console.print(rate)
    originals = trained
    if arguments.store is not None:
        originals = list(itertools.islice(Store(arguments.store).runs(print), 16))
    cost_table, ended, saved, fresh = costs(originals, arguments.shards, arguments.cohorts)
    disk = sum(map(stored_bytes, originals)) / len(originals)
    memory = sum(map(held, originals)) / len(originals)
    tables = [rate, cost_table, carried_on(ended, saved, disk), compiling(fresh)]
    for table in tables[1:]:
        console.print(table)
    minutes = (time.perf_counter() - began) / 60
    told = (
        f"A run takes {memory / 1e3:,.0f} kB in memory, {disk / 1e3:,.0f} kB on disk. All of this took"
        f" {minutes:.1f} minutes; {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} at the end."
    )
    console.print(told)
    write_whole(arguments.output, "\n\n".join([*map(markdown, tables), told]) + "\n")


if __name__ == "__main__":
    main()
