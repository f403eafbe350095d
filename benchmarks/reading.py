"""How long it takes to sum up a store of many runs: `attnsearch results`, `law` and `report`.

    .venv/bin/python benchmarks/reading.py STORE [--runs 1000]

The runs of STORE are stored again under other seeds until there are so many; each command is then started
as a user would start it, and timed from its start to its end.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
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
        table = Table("command", "seconds")
        for command in COMMANDS:
            start = time.perf_counter()
            name, *rest = command
            subprocess.run(
                [sys.executable, "-m", "attnsearch", name, str(filled), *rest],
                check=True,
                cwd=folder,
                stdout=subprocess.DEVNULL,
            )
            table.add_row(" ".join(command), f"{time.perf_counter() - start:.2f}")
        console.print(table)


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
