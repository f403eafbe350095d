"""What is stored, as a table and as rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from attnsearch.results.run_columns import DIGITS
from attnsearch.results.table import NONE, Table, counted
from attnsearch.runs.inventory import Entry
from attnsearch.spec.names import Names, duration
from attnsearch.spec.run import Value


def names_of(entries: Sequence[Entry]) -> Names:
    """What the cells of the runs are called that can be read."""
    return Names(entry.run.spec.cell for entry in entries if entry.run is not None)


def table(entries: Sequence[Entry], now: float) -> Table:
    """One row an entry. `now` is in seconds since 1970."""
    names = names_of(entries)
    rows = tuple(
        (
            entry.digest[:DIGITS],
            names.label(entry.run.spec.cell) if entry.run else NONE,
            str(entry.run.spec.seed) if entry.run else NONE,
            entry.state,
            NONE if entry.steps is None else f"{entry.steps:,}",
            size(entry.size),
            _age(now - entry.modified),
        )
        for entry in entries
    )
    total = f"{counted(len(entries), 'run')}, {size(sum(entry.size for entry in entries))}"
    said = f": {names.shared}" if names.cells and names.shared else ""
    headings = ("run", "cell", "seed", "status", "steps", "size", "age")
    return Table(f"{total}{said}", headings, frozenset({"seed", "steps", "size", "age"}), rows)


def records(entries: Sequence[Entry]) -> Iterator[dict[str, Value]]:
    """One row an entry: where it is, how it ended, then its settings. The time is UTC."""
    names = names_of(entries)
    settings = dict.fromkeys(name for cell in names.cells for name in names.facts(cell))
    for entry in entries:
        facts = names.facts(entry.run.spec.cell) if entry.run else {}
        yield {
            "run": entry.digest[:DIGITS],
            "folder": str(entry.path),
            "status": entry.state,
            "seed": entry.run.spec.seed if entry.run else None,
            "steps_trained": entry.steps,
            "bytes": entry.size,
            "modified": datetime.fromtimestamp(entry.modified, UTC).isoformat(timespec="seconds"),
            **{f"setting.{name}" if name in _TAKEN else name: facts.get(name) for name in settings},
        }


_TAKEN = ("run", "folder", "status", "seed", "steps_trained", "bytes", "modified")


def size(count: int) -> str:
    """Bytes: `812 B`, `12 kB`, `3.4 MB`."""
    if count < 1_000:
        return f"{count} B"
    return f"{count / 1e3:.0f} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"


def _age(seconds: float) -> str:
    days = seconds / 86_400
    return duration(max(0.0, seconds)) if days < 2 else f"{days:.0f} days"
