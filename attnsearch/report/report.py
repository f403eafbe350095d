"""A study as one HTML page: charts to look into, tables with intervals, and what to distrust."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from attnsearch.base import plain
from attnsearch.report.data import document
from attnsearch.report.folders import Folders
from attnsearch.report.page import render
from attnsearch.report.tables import (
    cell_table,
    comparison_table,
    environments,
    found_table,
    run_table,
    settings,
)
from attnsearch.report.training import Training, lanes_table
from attnsearch.results.emergence_table import emergence_tables
from attnsearch.results.scaling import sentences
from attnsearch.results.study import Study
from attnsearch.results.table import counted, listed
from attnsearch.results.tables import signal_table
from attnsearch.spec.command import commands

SCRIPTS = (
    *("chart.js", "address.js", "download.js", "pen.js", "zoom.js", "explore.js", "choice.js"),
    *("headline.js", "survival.js", "overlay.js", "losses.js", "maps.js", "browser.js"),
    *("signals.js", "report.js"),
)
LIVE_SCRIPTS = ("place.js", "watch.js")
"""Of a page that is shown anew as a sweep goes on."""


def report(
    study: Study,
    *,
    title: str | None = None,
    folders: Folders | None = None,
    training: Training | None = None,
    most: int | None = None,
) -> str:
    """The page of a study of at least one run. The same arguments give the same text.

    title:     its heading; names the tasks unless given
    folders:   the folders that the runs lie in, told where they are several
    training:  runs that have not ended. Then the page asks whoever serves it for later states; and where at
               least one is in training, the study may have no run
    most:      runs that charts and lists hold one by one, about; the page says which it leaves out. All count
    """
    folders = folders or Folders()
    whole = study if training is None else training.with_ended(study)
    data = document(study, folders, training, most)
    held = {run["digest"] for run in data["runs"]}
    tasks = listed(plain(cell.spec.task.name) for cell in whole.cells)
    return render(
        "report.html.jinja",
        styles=("report.css",),
        scripts=SCRIPTS if training is None else (*SCRIPTS, *LIVE_SCRIPTS),
        data=data,
        asks_server=training is not None,
        context={
            "training": training,
            "lanes": lanes_table(training, whole) if training is not None and training.runs else None,
            "ended": len(study.runs),
            "version": version("attnsearch"),
            "title": title or f"Plateaus of {tasks}",
            "overview": overview(study),
            "warnings": (*study.warnings, *folders.warnings),
            "laws": [
                (growth.title, first, others)
                for growth in study.laws
                for first, *others in [sentences(growth)]
            ],
            "signal_names": [signal["name"] for signal in data["signals"]],
            "signal_table": signal_table(study) if data["signals"] else None,
            "found": found_table(study, folders),
            "emergence": emergence_tables(study.emergences),
            "left_out": _left_out(data),
            "not_held": _not_held(data),
            "cell_table": cell_table(study, folders),
            "comparison_table": comparison_table(study),
            "run_table": run_table(_only(study, held), folders),
            "commands": [
                (study.name(cell), commands([run.spec for run in cell.runs])) for cell in study.cells
            ],
            "settings": settings(study),
            "environments": environments(study.runs),
        },
    )


def overview(study: Study) -> str:
    """How much there is, in one sentence."""
    if not study.runs:
        return "No run has ended so far."
    seeds = sorted({len(cell.runs) for cell in study.cells})
    each = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    common = study.names.common
    return (
        f"{counted(len(study.runs), 'run')} in {counted(len(study.cells), 'cell')}, {each} in each:"
        f" {listed(plain(cell.spec.mixer.name) for cell in study.cells)}"
        f" on {listed(plain(cell.spec.task.name) for cell in study.cells)}."
        + (f" All with {common}." if common else "")
    )


def _only(study: Study, digests: Set[str]) -> Study:
    """The runs of these `digests`, of every cell one at least where one has ended."""
    if all(run.digest in digests for run in study.runs):
        return study
    return replace(study, runs=[run for run in study.runs if run.digest in digests])


def _not_held(data: Mapping[str, Any]) -> str:
    """Which runs charts and lists do not hold one by one; "" where they hold all."""
    held, others = len(data["runs"]), sum(len(cell["others"]) for cell in data["cells"])
    if not others:
        return ""
    return (
        f"This page holds {held:,} of {held + others:,} runs one by one, to stay light: the runs in training,"
        " and of each cell the run of median plateau length and the first seeds. The others count in tables,"
        " laws and warnings. They count in medians and curves of waiting where whole cells are shown."
        " `attnsearch report --most` holds more runs, and `attnsearch results --by signal` tells early"
        " signals."
    )


def _left_out(data: Mapping[str, Any]) -> str:
    heads = [run["detail"]["heads"] for run in data["runs"] if run["detail"]["heads"] is not None]
    missing = sum(head["weights"] is None for head in heads)
    if not missing:
        return ""
    return (
        f"The attention weights of {missing} of {counted(len(heads), 'run')} are left out to keep this file"
        " small. The run of median plateau length of each cell was served first. The store holds all weights."
    )
