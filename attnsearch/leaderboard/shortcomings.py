"""Why an entry cannot be compared with others: what it lacks, and in what its question differs.

Numpy side; never imports jax.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from attnsearch.base import AttnsearchError
from attnsearch.leaderboard.entry import Entry, EntryCell, learning_rate
from attnsearch.runs.coverage import uncovered, verify_command
from attnsearch.runs.leaks import LEAK
from attnsearch.runs.standing import FOREIGN_REASON
from attnsearch.runs.verification import CHECKS
from attnsearch.spec.names import Names, contrast, heading
from attnsearch.spec.run import BudgetSpec, CellSpec, PlateauRule, RunSpec
from attnsearch.spec.suite import Suite

_NAMED_CELLS = 4
"""Cells that a message names; the others it counts."""


def shortcomings(suite: Suite, entry: Entry) -> list[str]:
    """Why `entry` cannot be compared with others on `suite`, one line each; none where it can."""
    if entry.suite != suite.name:
        return [f"it answers suite {entry.suite}, not {suite.name}"]
    try:
        mine = suite.reduced(None, {}, [entry.mixer])
        names = Names(run.cell for run in mine.runs())
        found = _differences("selection", entry.selection, mine.selection(), names)
        if not found:
            rate = learning_rate(suite, entry)
            found = _differences("scored", entry.scored, mine.scored({entry.mixer: rate}), names)
    except AttnsearchError as error:
        return [str(error)]
    return found


def doubts(entry: Entry) -> list[str]:
    """Why the numbers of `entry` may not count, one line each; none where they may."""
    return [*leaks(entry), *filter(None, [unverified(entry)])]


def unverified(entry: Entry) -> str | None:
    """Why the mixer's numbers may not count; None where it is sound, by a record that speaks of every run."""
    if entry.mixer.foreign:
        return FOREIGN_REASON
    record = entry.verification
    if record is None:
        return "has not been checked"
    if not record.sound:
        return f"failed verification: {', '.join(record.refused_by) or 'it was asked nothing'}"
    asked = {finding.check for finding in record.findings}
    if lacking := [check for check in CHECKS if check not in asked]:
        return f"has not been checked for {', '.join(lacking)}"
    for cell in (cells := [cell.spec for cell in (*entry.selection, *entry.scored)]):
        if reason := uncovered(record, cell):
            alike = [other for other in cells if other.network.width == cell.network.width]
            return f"{reason}: give `{verify_command(alike)}`, and submit its runs again"
    return None


def leaks(entry: Entry) -> list[str]:
    """Whether runs see the future, or were not asked whether they do, one line each."""
    runs = [run for cell in (*entry.selection, *entry.scored) for run in cell.runs]
    leaking = [run for run in runs if run.later is not None and run.later > LEAK]
    silent = [run for run in runs if run.later is None]
    found = []
    if leaking:
        which = (
            f"{len(leaking)} of {len(runs)} runs (seeds {_span(sorted({run.spec.seed for run in leaking}))})"
        )
        found.append(f"leaks: tokens behind a query moved its answer in {which}")
    if silent and not entry.mixer.foreign:
        found.append(f"{len(silent)} of {len(runs)} runs do not say whether it leaks")
    return found


def _differences(
    kind: str, cells: Sequence[EntryCell], expected: Sequence[RunSpec], names: Names
) -> list[str]:
    asked = list(dict.fromkeys(spec.cell for spec in expected))
    others = [cell.spec for cell in cells if cell.spec not in asked]
    if others and asked:
        reasons = dict.fromkeys(difference(spec, asked) for spec in others)
        return [f"{kind} runs: {reason}" for reason in list(reasons)[:_NAMED_CELLS]]
    there, wanted = {run.spec for cell in cells for run in cell.runs}, set(expected)
    if surplus := len(there - wanted):
        return [f"{surplus} {kind} runs have seeds that the suite does not ask for"]
    missing = [spec for spec in expected if spec not in there]
    if missing:
        return [f"{len(missing)} of {len(expected)} {kind} runs are missing: {_listed(missing, names)}"]
    return []


def _listed(specs: Sequence[RunSpec], names: Names) -> str:
    """Runs by cell, in few words: `attention, state size 8, learning rate 0.001: seeds 3, 4`."""
    cells: dict[CellSpec, list[int]] = {}
    for spec in specs:
        cells.setdefault(spec.cell, []).append(spec.seed)
    named = [f"{names.label(cell)}: seeds {_span(sorted(seeds))}" for cell, seeds in cells.items()]
    more = [f"and {len(named) - _NAMED_CELLS} more cells"] if len(named) > _NAMED_CELLS else []
    return "; ".join([*named[:_NAMED_CELLS], *more])


def _span(seeds: Sequence[int]) -> str:
    """`3, 5, 9`, or `0 to 15` for all between."""
    first, last = seeds[0], seeds[-1]
    whole = len(seeds) > 2 and list(seeds) == list(range(first, last + 1))
    return f"{first} to {last}" if whole else ", ".join(map(str, seeds))


def difference(cell: CellSpec, expected: Sequence[CellSpec]) -> str:
    """How `cell` differs from the nearest of `expected`, at least one and none of them equal to it."""
    nearest = min((contrast(other, cell) for other in expected), key=len)
    kinds = (
        ("another task", {"task", "generator", *dict(cell.task.knobs)}),
        ("another plateau rule", {f"{field.name}_threshold" for field in fields(PlateauRule)}),
        ("another budget", {field.name for field in fields(BudgetSpec)}),
        ("another learning rate", {"learning_rate"}),
    )
    word = next((kind for kind, members in kinds if members & nearest.keys()), "other settings")
    apart = (f"{heading(name)} {own} instead of {asked}" for name, (asked, own) in nearest.items())
    return f"{word}: {', '.join(apart)}"
