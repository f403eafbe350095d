"""May the numbers of a mixer count? What the records of its verification say, and where there are none.

Numpy side; never imports jax.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from attnsearch.runs.coverage import beyond
from attnsearch.runs.sources import difference
from attnsearch.runs.verification import CHECKS, Verification
from attnsearch.spec.run import CellSpec

FOREIGN_REASON = "was trained by a loop of its own, which cannot be checked here"
"""Of a foreign run, in words that follow the mixer's name."""

State = Literal["verified", "failed", "not checked"]
"""A mixer is verified where it is sound; where nobody can tell, it is not checked."""


@dataclass(frozen=True)
class Standing:
    """Whether the numbers of a mixer may count.

    reason:  in words that follow the mixer's name: "failed verification: gradients"
    record:  the verification that says so; None where the mixer is not checked
    """

    state: State
    reason: str
    record: Verification | None = None

    @property
    def failed(self) -> tuple[str, ...]:
        """The checks that a mixer whose numbers do not count has not passed."""
        return () if self.record is None or self.record.sound else self.record.refused_by

    @property
    def inability(self) -> str | None:
        """What a sound mixer did not show that it can do, in words; None where it did, or is not verified."""
        return self.record.inability if self.record is not None and self.record.sound else None


def standing(cell: CellSpec, records: Sequence[Verification]) -> Standing:
    """How the mixer of `cell` stands by the `records` of its name.

    A mixer with other settings, at another width or of other code is another mixer. Of several records the
    task's own count, and the worst of these. A sound one counts in networks and on sequences no larger than
    those in which it was tried (see `runs.coverage`). Of a foreign run nobody here has the code.
    """
    if cell.mixer.foreign:
        return _unchecked(FOREIGN_REASON)
    of_mixer = [record for record in records if record.mixer == cell.mixer]
    if not of_mixer:
        return _unchecked("has not been checked" + (" with these settings" if records else ""))
    width = cell.network.width
    meant = [record for record in of_mixer if record.width == width]
    if not meant:
        tried = _listed(sorted({record.width for record in of_mixer}))
        return _unchecked(f"has not been checked at width {width}, only at {tried}")
    doubts = [(record, _doubt(record)) for record in meant]
    current = [record for record, doubt in doubts if doubt is None]
    if not current:
        return _unchecked(next(doubt for _, doubt in doubts if doubt is not None))
    own = [record for record in current if record.task == cell.task.name]
    for record in own or current:
        if not record.sound:
            checks = ", ".join(record.refused_by) or "it was asked nothing"
            return Standing("failed", f"failed verification: {checks}", record)
    sound = [record for record in current if record.sound]
    if not_tried := beyond(sound, cell):
        return _unchecked(not_tried)
    covering = [record for record in sound if beyond([record], cell) is None]
    covering = [record for record in covering if record in own] or covering
    record = min(covering, key=lambda record: record.inability is None)
    beside = f"; {record.inability}" if record.inability else ""
    return Standing("verified", f"is verified on {record.task} at width {record.width}{beside}", record)


def _unchecked(reason: str) -> Standing:
    return Standing("not checked", reason)


def _doubt(record: Verification) -> str | None:
    """Why `record` does not speak of the mixer as it is now; None where it does."""
    match difference(dict(record.sources)):
        case ("changed", module):
            return f"has not been checked since the code of {module} changed"
        case (_, module):
            return f"has not been checked here: its module {module} is not found from this folder"
    asked = {finding.check for finding in record.findings}
    if record.sound and (lacking := [check for check in CHECKS if check not in asked]):
        return f"has not been checked for {', '.join(lacking)}"
    return None


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))
