"""How long many stored runs take, and how much memory: commands, cells, frames, curves, adding one more.

    .venv/bin/python benchmarks/many_runs.py STORE [--runs 10000] [--seeds 16] [--at FOLDER] [--empty]

The runs of STORE are copied under ever new seeds until there are so many. With --seeds, a run has so many
copies in its cell at most; further copies are cells of their own, whose weight decay differs. Copies of one
run share its arrays by hard links, and the index is made from what is known of the runs. Each question is put
to a process of its own; its time, its seconds of a core and its largest memory are printed.
"""

from __future__ import annotations

import argparse
import errno
import io
import itertools
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

import attnsearch
from attnsearch.results.study import Study
from attnsearch.results.tables import tables
from attnsearch.results.thresholds import sensitivity, table
from attnsearch.runs.claims import SharedRuns
from attnsearch.runs.digests import digests
from attnsearch.runs.index import Index, Row
from attnsearch.runs.indexed import row, stamp, version
from attnsearch.runs.inventory import inventory
from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec.run import RunSpec

ADDED = 100
"""Runs that are added, one after another."""


def printed(study: Study) -> int:
    """What `attnsearch results` prints."""
    screen = Console(file=io.StringIO(), width=120)
    for one in [*tables(study), table(sensitivity(study.cells))]:
        screen.print(one)
    return len(study.warnings) + len(study.cells)


def cells(study: Study) -> int:
    """Waiting times of every cell until escape, mastery and finding."""
    return sum(cell.plateau.runs + cell.mastery.runs + cell.found.runs for cell in study.cells)


def points(study: Study) -> int:
    """Every curve, a run at a time."""
    return sum(len(batch["loss"]) for batch in study.by_point.batches())


def parquet(study: Study) -> int:
    """Every curve, to a file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "points.parquet"
        study.by_point.write_parquet(file)
        return file.stat().st_size


SOURCE, SEEDS = Path(), 2**20
"""Whose runs were copied, and how often in one cell; set by the command line."""

Question = Callable[[Path, list[RunSpec]], int]


def added(clock: Callable[[], float]) -> Question:
    """Microseconds by a clock to add a run, the median of `ADDED`; each has a seed of its own."""

    def question(store: Path, _: list[RunSpec]) -> int:
        run = next(Store(SOURCE).runs(print))
        took = []
        for number in range(ADDED):
            one = replace(run, spec=replace(run.spec, seed=2**30 + os.getpid() % 2**20 * 1_000 + number))
            start = clock()
            Store(store).save(one)
            took.append(clock() - start)
        return round(1e6 * statistics.median(took))

    return question


def forced(store: Path, _: list[RunSpec]) -> int:
    """Microseconds to write one file of 4 kB in the store and force it to the disk, the median of `ADDED`."""
    took = []
    for _number in range(ADDED):
        start = time.perf_counter()
        with tempfile.TemporaryFile(dir=store) as file:
            file.write(bytes(4_096))
            file.flush()
            os.fsync(file.fileno())
        took.append(time.perf_counter() - start)
    return round(1e6 * statistics.median(took))


def of_study(question: Callable[[Study], int]) -> Question:
    """A question about all runs, which are loaded first."""
    return lambda store, _: question(attnsearch.load(store))


OF_NAMES: dict[str, Question] = {
    "which are stored": lambda store, specs: len(Store(store).held(specs)),
    "adding a run, us": added(time.perf_counter),
    "adding a run, us of a core": added(time.process_time),
    "forcing one file to the disk, us": forced,
}
"""Questions that read names alone, which empty folders answer too."""

QUESTIONS: dict[str, Question] = {
    **OF_NAMES,
    "what a sweep finds": lambda store, specs: len(SharedRuns(Store(store), print).find_all(specs)),
    "load": of_study(lambda study: len(study.runs)),
    "results": of_study(printed),
    "law": of_study(lambda study: len(study.laws)),
    "ls": lambda store, _: len(inventory([str(store)])),
    "cells": of_study(cells),
    "by_cell.to_pandas()": of_study(lambda study: len(study.by_cell.to_pandas())),
    "by_run.to_pandas()": of_study(lambda study: len(study.by_run.to_pandas())),
    "by_target.to_pandas()": of_study(lambda study: len(study.by_target.to_pandas())),
    "by_point.batches()": of_study(points),
    "by_point.write_parquet()": of_study(parquet),
}
"""The answer is a number that shows that the work was done."""


def main() -> None:
    """Fill a store, then put each question to a process."""
    global SOURCE, SEEDS
    parser = argparse.ArgumentParser(description="How long many stored runs take, and how much memory.")
    parser.add_argument("store", type=Path)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="most copies of a run in one cell")
    parser.add_argument("--at", type=Path, help="an absent folder for the copies, which stay there")
    parser.add_argument("--empty", action="store_true", help="folders without files, for names alone")
    parser.add_argument("--questions", nargs="+", choices=QUESTIONS, help="these alone")
    parser.add_argument("--only", choices=QUESTIONS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    SOURCE, SEEDS = arguments.store, arguments.seeds
    if arguments.only:
        print(json.dumps(asked(arguments.only, arguments.at, arguments.runs)))
        return
    console = Console()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.at or Path(temporary) / "copies"
        if not folder.exists():
            fill(folder, arguments.runs, empty=arguments.empty)
        console.print(f"{arguments.runs:,} runs")
        shown = Table("question", "seconds", "of a core", "memory (MB)", "answer")
        for name in arguments.questions or (OF_NAMES if arguments.empty else QUESTIONS):
            command = [sys.executable, __file__, str(arguments.store), "--at", str(folder), "--only", name]
            command += ["--runs", str(arguments.runs), "--seeds", str(SEEDS)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            seconds, busy, memory, answer = json.loads(done.stdout)
            shown.add_row(name, f"{seconds:.1f}", f"{busy:.1f}", f"{memory:,.0f}", f"{answer:,}")
        console.print(shown)


def asked(name: str, store: Path, count: int) -> tuple[float, float, float, int]:
    """Seconds, seconds of a core, and megabytes that a question took in this process, and its answer."""
    specs = [spec for _, spec in copies(count)] if name in (*OF_NAMES, "what a sweep finds") else []
    start, busy = time.perf_counter(), time.process_time()
    answer = QUESTIONS[name](store, specs)
    # Linux counts in kilobytes, macOS in bytes.
    unit = 1e3 if sys.platform == "linux" else 1e6
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return time.perf_counter() - start, time.process_time() - busy, memory, answer


def copies(count: int) -> Iterator[tuple[StoredRun, RunSpec]]:
    """The runs of `SOURCE` under ever new seeds, cell by cell: each with the specification of its copy."""
    originals = attnsearch.load(SOURCE).runs
    for place, run in enumerate(originals):
        number, spec = len(range(place, count, len(originals))), run.spec
        for another, first in enumerate(range(0, number, SEEDS)):
            optimizer = spec.cell.optimizer
            optimizer = replace(optimizer, weight_decay=optimizer.weight_decay + another * 1e-6)
            cell = replace(spec.cell, optimizer=optimizer)
            for copy in range(min(SEEDS, number - first)):
                shift = 1_000 * (1 + copy)
                yield run, RunSpec(cell, spec.seed + shift, spec.rule_seed + shift)


def fill(target: Path, count: int, *, empty: bool) -> None:
    """Copy runs of `SOURCE`, with an index of them; `empty`: their folders alone."""
    (target / "runs").mkdir(parents=True)
    # On the disk of the copies, where links can be made to them.
    shutil.copytree(SOURCE / "runs", target / "originals")
    index = Index(target, version())
    named, pairs = itertools.tee(copies(count))
    original = None
    for (run, spec), name in zip(pairs, digests(spec for _, spec in named), strict=True):
        if original is None or not (original.run is run and original.cell is spec.cell):
            original = Original(target / "originals" / run.digest, run, spec)
        place = target / "runs" / name
        place.mkdir()
        if not empty:
            original.copy(place, spec)
        index.add(original.row(name, spec, b"" if empty else stamp(place)))
    index.close()


class Original:
    """A run that is copied, from its `folder`; `spec` is of a copy, whose cell others share."""

    def __init__(self, folder: Path, run: StoredRun, spec: RunSpec):
        self.run, self.cell = run, spec.cell
        self._files = sorted(folder.glob("*.npz"))
        self._row = row(run.known._replace(spec=spec), b"")
        self._content = msgspec.msgpack.decode(self._row.content)[2:]
        document = json.loads((folder / "run.json").read_bytes())
        self._told = json.dumps({key: document[key] for key in document.keys() - {"digest", "spec"}})

    def copy(self, place: Path, spec: RunSpec) -> None:
        """The files of a copy, in the folder `place`."""
        asked = f'{self._row.cell[:-1]}, "seed": {spec.seed}, "rule_seed": {spec.rule_seed}}}'
        # Texts are put together: to write JSON anew for each copy would take most of the time.
        (place / "run.json").write_text(f'{{"digest": "{place.name}", "spec": {asked}, {self._told[1:]}')
        for file in self._files:
            try:
                os.link(file, place / file.name)
            except OSError as error:
                if error.errno != errno.EMLINK:
                    raise
                # A file has so many names at most: from here on they are of another file.
                another = file.with_suffix(".another")
                shutil.copy2(file, another)
                another.replace(file)
                os.link(file, place / file.name)

    def row(self, name: str, spec: RunSpec, stamped: bytes) -> Row:
        """What the index keeps of the copy of this name."""
        content = msgspec.msgpack.encode([spec.seed, spec.rule_seed, *self._content])
        return self._row._replace(digest=bytes.fromhex(name), stamp=stamped, content=content)


if __name__ == "__main__":
    main()
