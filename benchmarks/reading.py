"""How long it takes to sum up a store of many runs, and how much memory: `results`, `law` and `report`.

    .venv/bin/python benchmarks/reading.py STORE [--runs 1000]

The runs of STORE are stored again under other seeds until there are so many; each command is then started
as a user would start it, and timed from its start to its end. Its largest memory is printed too.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from attnsearch.runs.store import Store
from attnsearch.spec.run import RunSpec

COMMANDS = (["results", "--format", "csv"], ["results"], ["law"], ["report", "-o", "report.html"])


def main() -> None:
    """Fill a store, then time each command on it."""
    parser = argparse.ArgumentParser(description="How long it takes to sum up many runs.")
    parser.add_argument("store", type=Path)
    parser.add_argument("--runs", type=int, default=1_000)
    arguments = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        filled = Path(folder) / "results"
        size = fill(arguments.store, filled, arguments.runs)
        console.print(f"{arguments.runs:,} runs, {size / 1e6:.0f} MB")
        table = Table("command", "seconds", "of a core", "memory (MB)")
        for command in COMMANDS:
            name, *rest = command
            seconds, busy, memory = timed([name, str(filled), *rest], Path(folder))
            table.add_row(" ".join(command), f"{seconds:.1f}", f"{busy:.1f}", f"{memory:,.0f}")
        console.print(table)


def timed(command: Sequence[str], folder: Path) -> tuple[float, float, float]:
    """Seconds, seconds of a core, and megabytes that a command takes that is given in `folder`."""
    start = time.perf_counter()
    started = subprocess.Popen(
        [sys.executable, "-m", "attnsearch", *command], cwd=folder, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(started.pid, 0)
    started.returncode = os.waitstatus_to_exitcode(status)
    if started.returncode:
        raise SystemExit(f"attnsearch {' '.join(command)} ended with {started.returncode}")
    # Linux counts in kilobytes, macOS in bytes.
    unit = 1e3 if sys.platform == "linux" else 1e6
    return time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / unit


def fill(source: Path, target: Path, count: int) -> int:
    """Store the runs of `source` under ever new seeds; the bytes they take."""
    runs = list(Store(source).runs(print))
    store = Store.open(target)
    for number in range(count):
        run = runs[number % len(runs)]
        seed = run.spec.seed + 1_000 * (number // len(runs))
        store.save(replace(run, spec=RunSpec(run.spec.cell, seed, seed)))
    return sum(file.stat().st_size for file in target.rglob("*") if file.is_file())


if __name__ == "__main__":
    main()
