"""What no command reads in a store, as a table and as rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from attnsearch.results.listing import age, size
from attnsearch.results.run_columns import DIGITS
from attnsearch.results.table import Table, counted
from attnsearch.runs.leftovers import Leftover
from attnsearch.spec.run import Value


def total(found: Sequence[Leftover]) -> str:
    """How many, and how large together: `3 leftovers, 12 kB`."""
    return f"{counted(len(found), 'leftover')}, {size(sum(one.size for one in found))}"


def table(found: Sequence[Leftover], now: float) -> Table:
    """One row a leftover, and one for each kind's total. `now` is in seconds since 1970."""
    rows = []
    for kind in dict.fromkeys(one.kind for one in found):
        alike = [one for one in found if one.kind == kind]
        rows += [
            (kind, one.digest[:DIGITS], one.reason, size(one.size), age(now - one.modified)) for one in alike
        ]
        rows.append((f"{kind}, all", str(len(alike)), "", size(sum(one.size for one in alike)), ""))
    return Table(total(found), ("what", "run", "why", "size", "age"), frozenset({"size", "age"}), tuple(rows))


def records(found: Sequence[Leftover]) -> Iterator[dict[str, Value]]:
    """One row a leftover: where it is, and why it is not read. The time is UTC."""
    for one in found:
        yield {
            "run": one.digest[:DIGITS],
            "path": str(one.path),
            "kind": one.kind,
            "reason": one.reason,
            "bytes": one.size,
            "modified": datetime.fromtimestamp(one.modified, UTC).isoformat(timespec="seconds"),
        }
