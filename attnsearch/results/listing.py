"""What is stored, as a table and as rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache

from attnsearch.results.run_columns import DIGITS
from attnsearch.results.table import NONE, Table, counted
from attnsearch.runs.inventory import Entry
from attnsearch.runs.standing import Standing
from attnsearch.spec.names import Names, duration
from attnsearch.spec.run import CellSpec, Value

Standings = Callable[[CellSpec], Standing]
"""Says how the mixer of a cell stands."""


def names_of(entries: Sequence[Entry]) -> Names:
    """What the cells of the runs are called that can be read."""
    return Names(entry.run.spec.cell for entry in entries if entry.run is not None)


def table(entries: Sequence[Entry], standings: Standings, now: float) -> Table:
    """One row an entry. `now` is in seconds since 1970."""
    names = names_of(entries)
    label = cache(names.label)
    rows = tuple(
        (
            entry.digest[:DIGITS],
            label(entry.run.spec.cell) if entry.run else NONE,
            str(entry.run.spec.seed) if entry.run else NONE,
            entry.state + ("\nleaking" if entry.run and entry.run.leaking else ""),
            _verification(standings(entry.run.spec.cell)) if entry.run else NONE,
            NONE if entry.steps is None else f"{entry.steps:,}",
            size(entry.size),
            age(now - entry.modified),
        )
        for entry in entries
    )
    total = f"{counted(len(entries), 'run')}, {size(sum(entry.size for entry in entries))}"
    said = f": {names.shared}" if names.cells and names.shared else ""
    headings = ("run", "cell", "seed", "status", "verification", "steps", "size", "age")
    return Table(f"{total}{said}", headings, frozenset({"seed", "steps", "size", "age"}), rows)


def records(entries: Sequence[Entry], standings: Standings) -> Iterator[dict[str, Value]]:
    """One row an entry: where it is, how it ended, how its mixer stands, its settings. The time is UTC."""
    names = names_of(entries)
    settings = dict.fromkeys(name for cell in names.cells for name in names.facts(cell))
    for entry in entries:
        facts = names.facts(entry.run.spec.cell) if entry.run else {}
        standing = standings(entry.run.spec.cell) if entry.run else None
        yield {
            "run": entry.digest[:DIGITS],
            "folder": str(entry.path),
            "status": entry.state,
            "leaking": entry.run.leaking if entry.run else None,
            "verification": standing.state if standing else None,
            "verification_failed": ", ".join(standing.failed) if standing else None,
            "verification_reason": standing.reason if standing else None,
            "seed": entry.run.spec.seed if entry.run else None,
            "steps_trained": entry.steps,
            "bytes": entry.size,
            "modified": datetime.fromtimestamp(entry.modified, UTC).isoformat(timespec="seconds"),
            **{f"setting.{name}" if name in _TAKEN else name: facts.get(name) for name in settings},
        }


_TAKEN = (
    *("run", "folder", "status", "leaking", "seed", "steps_trained", "bytes", "modified"),
    *("verification", "verification_failed", "verification_reason"),
)


def _verification(standing: Standing) -> str:
    """The state, and below it the checks that were not passed."""
    return "\n".join([standing.state, *standing.failed])


def size(count: int) -> str:
    """Bytes: `812 B`, `12 kB`, `3.4 MB`."""
    if count < 1_000:
        return f"{count} B"
    return f"{count / 1e3:.0f} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"


def age(seconds: float) -> str:
    """Since something was written: `3 min`, `12 days`."""
    days = seconds / 86_400
    return duration(max(0.0, seconds)) if days < 2 else f"{days:.0f} days"
