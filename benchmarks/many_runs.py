"""How long 10,000 stored runs take in Python, and how much memory: cells, frames, curves.

    .venv/bin/python benchmarks/many_runs.py STORE [--runs 10000]

The runs of STORE are copied under ever new seeds until there are so many. Each question is then put to a
process of its own, which loads the store anew; its time and its largest memory are printed.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

import attnsearch
from attnsearch.results.study import Study
from attnsearch.runs.store import Store


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


QUESTIONS: dict[str, Callable[[Study], int]] = {
    "load": lambda study: len(study.runs),
    "cells": cells,
    "by_cell.to_pandas()": lambda study: len(study.by_cell.to_pandas()),
    "by_run.to_pandas()": lambda study: len(study.by_run.to_pandas()),
    "by_target.to_pandas()": lambda study: len(study.by_target.to_pandas()),
    "by_point.batches()": points,
    "by_point.write_parquet()": parquet,
}
"""Each includes `load`. The answer is a number that shows that the work was done."""


def main() -> None:
    """Fill a store, then put each question to a process."""
    parser = argparse.ArgumentParser(description="How long many stored runs take, and how much memory.")
    parser.add_argument("store", type=Path)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--only", choices=QUESTIONS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(asked(arguments.only, arguments.store)))
        return
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        size = fill(arguments.store, Path(folder), arguments.runs)
        console.print(f"{arguments.runs:,} runs, {size / 1e6:.0f} MB")
        table = Table("question", "seconds", "of a core", "memory (MB)", "answer")
        for name in QUESTIONS:
            command = [sys.executable, __file__, folder, "--only", name]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            seconds, busy, memory, answer = json.loads(done.stdout)
            table.add_row(name, f"{seconds:.1f}", f"{busy:.1f}", f"{memory:,.0f}", f"{answer:,}")
        console.print(table)


def asked(name: str, store: Path) -> tuple[float, float, float, int]:
    """Seconds, seconds of a core, and megabytes that a question took in this process, and its answer."""
    start = time.perf_counter()
    answer = QUESTIONS[name](attnsearch.load(store))
    # Linux counts in kilobytes, macOS in bytes.
    unit = 1e3 if sys.platform == "linux" else 1e6
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return time.perf_counter() - start, time.process_time(), memory, answer


def fill(source: Path, target: Path, count: int) -> int:
    """Copy the runs of `source` under ever new seeds; the bytes they take."""
    originals = Store(source).folders()
    specs = [run.spec for run in Store(source).runs(print)]
    size = 0
    for number in range(count):
        folder, spec = originals[number % len(originals)], specs[number % len(originals)]
        round_ = 1_000 * (number // len(originals))
        copied = replace(spec, seed=spec.seed + round_, rule_seed=spec.rule_seed + round_)
        document = json.loads((folder / "run.json").read_bytes())
        document |= {"digest": copied.digest, "spec": copied.to_json()}
        place = target / "runs" / copied.digest
        place.mkdir(parents=True)
        for file in folder.iterdir():
            content = json.dumps(document).encode() if file.name == "run.json" else file.read_bytes()
            size += (place / file.name).write_bytes(content)
    return size


if __name__ == "__main__":
    main()
