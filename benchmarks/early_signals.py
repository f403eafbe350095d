"""What tells early when a target will be found, and when a run escapes? Tables and a picture of stored runs.

    attnsearch sweep early_signals --out results
    python benchmarks/early_signals.py results --pictures docs/images

The first table is `attnsearch results --by signal`. In the second each run is one: its signal is the mean
over its targets, and what it waits for is its escape.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from attnsearch.plots.gallery import draw_early_signals
from attnsearch.results.cells import plateau_of
from attnsearch.results.early_signals import COLUMNS, HALVES, SIGNALS, EarlySignal, Signal
from attnsearch.results.loading import load
from attnsearch.results.study import Study
from attnsearch.results.table import Table, markdown
from attnsearch.results.tables import signal_table
from attnsearch.runs.store import StoredRun
from attnsearch.stats.foretelling import Foretelling, Watched, foretelling


def page(study: Study) -> str:
    """Both tables."""
    targets = signal_table(study)
    return "\n\n".join(map(markdown, [*([targets] if targets else []), run_table(study)]))


def run_table(study: Study) -> Table:
    """The early signals of runs as a whole."""
    columns = [column for column in COLUMNS if column.heading]
    headings = tuple(column.heading for column in columns)
    rows = [tuple(column.text(one) for column in columns) for one in of_runs(study)]
    caption = "The same of runs: rank correlation of the mean over targets with the steps until escape"
    return Table(caption, headings, frozenset(headings) - {"signal", "does it tell?"}, tuple(rows), labels=2)


def of_runs(study: Study) -> list[EarlySignal]:
    """How well the mean of a signal tells when a run escapes, at the steps of the signals of targets."""
    found = []
    for step in sorted({one.step for one in study.early_signals}):
        for signal in SIGNALS:
            even, odd = (_half(study, signal, step, half) for half in range(len(HALVES)))
            if even is not None and odd is not None:
                found.append(EarlySignal(signal, step, even, odd))
    return found


def _half(study: Study, signal: Signal, step: int, half: int) -> Foretelling | None:
    """By the runs with even or odd seeds alone."""
    groups: list[Sequence[Watched]] = [
        [_watched(run, signal, step) for run in cell.runs if run.spec.seed % 2 == half]
        for cell in study.cells
    ]
    return foretelling(groups)


def _watched(run: StoredRun, signal: Signal, step: int) -> Watched:
    """A run as its only target; nothing is seen of one that has escaped."""
    recorded, values = signal.seen(run)
    waited = plateau_of(run)
    at = np.flatnonzero(recorded == step)
    seen = values[at[0]].mean() if len(at) and waited.length[0] > step else np.nan
    return Watched(np.array([seen], np.float64), waited)


def main() -> None:
    """Print the tables, and draw the picture where a folder is given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", help="folders that were given as --out")
    parser.add_argument("--pictures", type=Path, help="folder for the picture")
    given = parser.parse_args()
    study = load(*given.runs)
    print(page(study))
    if given.pictures is not None:
        # The digits that tell studies apart would change with every further run of another cell.
        drawn = draw_early_signals(study, given.pictures)
        drawn.replace(given.pictures / "early-signals.png")


if __name__ == "__main__":
    main()
