"""Which pictures a study gets, and what they are called."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from attnsearch.base import plain
from attnsearch.plots.early_signals import early_signals
from attnsearch.plots.emergence import Emerged, emergence_against_size
from attnsearch.plots.losses import loss_curves
from attnsearch.plots.maps import attention_maps
from attnsearch.plots.plateaus import Dots, plateau_against_search_space
from attnsearch.plots.routes import competing_routes
from attnsearch.results.layout import lines_of
from attnsearch.results.series import Series
from attnsearch.results.study import Study
from attnsearch.runs.store import StoredRun
from attnsearch.spec.names import Names, file_stem, heading, joined
from attnsearch.stats.hopping import Hopping
from attnsearch.stats.survival import pool


def draw(study: Study, folder: Path) -> list[Path]:
    """Draw each cell's middle run, for a grid the plateaus against the search space, and early signals
    where there are seeds enough.

    Where networks differ in a size, draw the steps to emergence against it too.
    """
    drawn: list[Path] = []
    for cell in study.cells:
        run = cell.middle_run
        drawn.append(draw_losses(run, study.names, folder))
        if len(run.maps.step):
            drawn.append(draw_maps(run, study.names, folder))
        if run.hopping is not None:
            drawn.append(draw_routes(run, run.hopping, study.names, folder))
    if len(study.cells) > 1:
        drawn.extend(draw_emergence(study, folder))
        drawn.append(draw_plateaus(study, folder))
    if study.early_signals:
        drawn.append(draw_early_signals(study, folder))
    return drawn


def draw_losses(run: StoredRun, names: Names, folder: Path) -> Path:
    """The loss of every target of `run` over its steps, or of every state where targets are many."""
    measures = run.measures
    return loss_curves(
        folder / f"{names.stem(run.spec, 'losses')}.png",
        run.curves,
        run.truth,
        measures.plateau_length if measures.escaped else None,
        measures.mastery_step if measures.mastered else None,
        f"Loss of each {lines_of(run.truth).of}: {names.run(run.spec)}",
    )


def draw_maps(run: StoredRun, names: Names, folder: Path) -> Path:
    """The measured map of `run`, which has recorded one, at start, escape and end, beside the true one."""
    moments = [("start", 0)]
    if run.measures.escaped:
        at = int(np.searchsorted(run.maps.step, run.measures.plateau_length))
        if 0 < at < len(run.maps.step) - 1:
            moments.append(("escape", at))
    moments.append(("end", len(run.maps.step) - 1))
    path = folder / f"{names.stem(run.spec, 'maps')}.png"
    return attention_maps(path, run.maps, run.truth, moments, f"Measured map: {names.run(run.spec)}")


def draw_routes(run: StoredRun, hopping: Hopping, names: Names, folder: Path) -> Path:
    """Which of two routes `run` takes over its steps, and the mass of each."""
    path = folder / f"{names.stem(run.spec, 'routes')}.png"
    return competing_routes(path, run.contests, hopping, run.routes, f"Routes: {names.run(run.spec)}")


def draw_plateaus(study: Study, folder: Path) -> Path:
    """Every run's plateau length over its nominal search space, a colour for each series."""
    tasks = dict.fromkeys(plain(cell.spec.task.name) for cell in study.cells)
    return plateau_against_search_space(
        folder / f"plateau-against-search-space-{study.names.digits}.png",
        list(map(_dots, study.series)),
        max(cell.spec.budget.steps for cell in study.cells),
        f"Plateau length against search space: {joined(*tasks)}",
    )


def draw_early_signals(study: Study, folder: Path) -> Path:
    """How well each early signal tells when a target will be found."""
    tasks = dict.fromkeys(plain(cell.spec.task.name) for cell in study.cells)
    return early_signals(
        folder / f"early-signals-{study.names.digits}.png",
        study.early_signals,
        f"Early signals of finding: {joined(*tasks)}",
    )


def draw_emergence(study: Study, folder: Path) -> list[Path]:
    """When targets of each search space are found in each run, a picture for each size of the networks."""
    drawn = []
    for name in dict.fromkeys(one.name for one in study.emergences):
        found = [one for one in study.emergences if one.name == name]
        tasks = dict.fromkeys(plain(cell.spec.task.name) for one in found for cell in one.cells)
        path = folder / f"{file_stem(f'emergence against {name}', f'-{study.names.digits}')}.png"
        groups = [Emerged(one.series, one.bits, one.numbers, one.emerged, one.waiting) for one in found]
        budget = max(cell.spec.budget.steps for one in found for cell in one.cells)
        # A legend names several series. One alone is named where more grows than the size.
        several = len({one.series for one in found}) > 1
        series = () if several else (one.series for one in found[:1] if one.coupled)
        title = f"Steps to emergence against {heading(name)}: {joined(*tasks, *series)}"
        drawn.append(emergence_against_size(path, groups, heading(name), budget, title))
    return drawn


def _dots(series: Series) -> Dots:
    bits = np.concatenate([np.full(len(cell.runs), cell.bits) for cell in series.cells])
    return Dots(series.name, bits, pool(cell.lengths for cell in series.cells))
