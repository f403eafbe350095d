"""Runs whose answers moved with tokens behind their queries: they are named everywhere, and never count."""

from __future__ import annotations

from collections.abc import Iterable

from attnsearch.base import AttnsearchError, plain
from attnsearch.runs.store import StoredRun


def told(run: StoredRun) -> str:
    """That a run leaks, in words."""
    cell, moved = run.spec.cell, run.map_summary.later
    where = f"{plain(cell.mixer.name)} on {plain(cell.task.name)}, seed {run.spec.seed}"
    return f"{where}, leaks: tokens behind a query moved its answer by {moved:.2g}"


def require_sound(what: str, runs: Iterable[StoredRun]) -> None:
    """Errors: AttnsearchError where one of `runs` leaks. `what` is then not done, in words."""
    found = [told(run) for run in runs if run.leaking]
    if found:
        more = f", and {len(found) - 1} more runs do" if len(found) > 1 else ""
        raise AttnsearchError(f"{what}: {found[0]}{more}. A run that sees the future does not count")
