"""Which pictures a set of runs gets, and what they are called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from attnsearch.plots import runs as pictures
from attnsearch.results.cells import Cell, in_words, interventions, middle_run, plateau_of
from attnsearch.results.layout import lines_of
from attnsearch.results.series import series
from attnsearch.runs.store import StoredRun
from attnsearch.spec.names import written
from attnsearch.stats.survival import pool

LONGEST_WORDS = 180
"""Characters of a file's name that say what was run: file systems take 255 in all, and the digest tells runs
apart."""


def draw(cells: Sequence[Cell], folder: Path) -> list[Path]:
    """Draw each cell's middle run, and for a grid the plateaus against the search space."""
    drawn: list[Path] = []
    for cell in cells:
        run = middle_run(cell)
        drawn += [draw_losses(run, folder), draw_maps(run, folder)]
    if len(cells) > 1:
        drawn.append(draw_plateaus(cells, folder))
    return drawn


def draw_losses(run: StoredRun, folder: Path) -> Path:
    """The loss of every target of `run` over its steps, or of every state where targets are many."""
    measures = run.measures
    return pictures.loss_curves(
        folder / f"{_stem(run)}-losses.png",
        run.curves,
        run.truth,
        measures.plateau_length if measures.escaped else None,
        measures.mastery_step if measures.mastered else None,
        f"Loss of each {lines_of(run.truth).of}: {_title(run)}",
    )


def draw_maps(run: StoredRun, folder: Path) -> Path:
    """The measured map of `run` at its start, escape and end, beside the true one."""
    moments = [("start", 0)]
    if run.measures.escaped:
        at = int(np.searchsorted(run.maps.step, run.measures.plateau_length))
        if 0 < at < len(run.maps.step) - 1:
            moments.append(("escape", at))
    moments.append(("end", len(run.maps.step) - 1))
    path = folder / f"{_stem(run)}-maps.png"
    return pictures.attention_maps(path, run.maps, run.truth, moments, f"Measured map: {_title(run)}")


def draw_plateaus(cells: Sequence[Cell], folder: Path) -> Path:
    """Every run's plateau length over its nominal search space, one series a mixer."""
    drawn = []
    for name, members in series(cells).items():
        bits = np.concatenate([np.full(len(cell.runs), cell.bits) for cell in members])
        plateaus = pool(plateau_of(run) for cell in members for run in cell.runs)
        drawn.append(pictures.Series(name, bits, plateaus))
    tasks = ", ".join(dict.fromkeys(cell.spec.task.name for cell in cells))
    digest = "-".join(sorted({run.spec.digest[:4] for cell in cells for run in cell.runs[:1]})[:4])
    return pictures.plateau_against_search_space(
        folder / f"plateau-against-search-space-{digest}.png",
        drawn,
        max(cell.spec.budget.steps for cell in cells),
        f"Plateau length against search space: {tasks}",
    )


def _title(run: StoredRun) -> str:
    cell = run.spec.cell
    knobs = ", ".join(in_words(name, value) for name, value in cell.task.knobs)
    done = "".join(f", {in_words(name, value)}" for name, value in interventions(cell).items())
    return f"{cell.task.name}, {knobs}, {cell.mixer.name}{done}, seed {run.spec.seed}"


def _stem(run: StoredRun) -> str:
    cell = run.spec.cell
    knobs = "-".join(f"{name}-{value}" for name, value in cell.task.knobs)
    # A range of steps has a colon, which is not for every file system.
    done = "".join(
        f"-{name}-{written(value).replace(':', '-')}" for name, value in interventions(cell).items()
    )
    words = f"{cell.task.name}-{knobs}-{cell.mixer.name}{done}"
    return f"{words[:LONGEST_WORDS]}-seed-{run.spec.seed}-{run.spec.digest[:8]}"
