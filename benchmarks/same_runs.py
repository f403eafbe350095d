"""The same runs trained in two places: are their plateaus the same? A table of two folders.

    attnsearch sweep single_location --out here      # and the same elsewhere, into there
    python benchmarks/same_runs.py here there

Runs are paired by the digest of their specification. Losses are compared where both were recorded.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from attnsearch.results.cells import plateau_of
from attnsearch.results.loading import load
from attnsearch.results.table import Table, markdown
from attnsearch.runs.store import StoredRun


def page(first: Sequence[StoredRun], second: Sequence[StoredRun]) -> str:
    """A row for each pair of devices: how many runs, how far apart their plateaus and losses are."""
    others = {run.digest: run for run in second}
    pairs = [(run, others[run.digest]) for run in first if run.digest in others]
    rows = []
    for devices in sorted({tuple(_device(run) for run in pair) for pair in pairs}):
        own = [pair for pair in pairs if tuple(map(_device, pair)) == devices]
        moved = np.array([_steps(two) - _steps(one) for one, two in own])
        losses = [_apart(*pair) for pair in own]
        rows.append(
            (
                *devices,
                f"{len(own)}",
                f"{np.sum(moved == 0)}",
                f"{np.abs(moved).max()}",
                f"{np.median(losses):.2g}",
                f"{max(losses):.2g}",
            )
        )
    numbers = ("runs", "equal plateaus", "largest difference (steps)", "losses apart, median run", "largest")
    caption = "The same runs in two places; losses in nats, the largest difference of a run"
    return markdown(Table(caption, ("here", "there", *numbers), frozenset(numbers), tuple(rows), labels=2))


def _device(run: StoredRun) -> str:
    told = run.environment
    name = told["device"] if told["device"] != "cpu" else told.get("processor", "cpu")
    return f"{name}, jax {told['versions']['jax']}"


def _steps(run: StoredRun) -> int:
    return int(plateau_of(run).length[0])


def _apart(one: StoredRun, other: StoredRun) -> float:
    points = min(len(one.curves.step), len(other.curves.step))
    return float(np.abs(one.curves.loss[:points] - other.curves.loss[:points]).max())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("here")
    parser.add_argument("there")
    given = parser.parse_args()
    print(page(load(given.here).runs, load(given.there).runs))


if __name__ == "__main__":
    main()
