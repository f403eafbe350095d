"""How verdicts of checks are told, for mixers and tasks alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from attnsearch.runs.verification import Finding, Verdict

if TYPE_CHECKING:
    from attnsearch.results.table import Table

REFUSED = 1
"""Exit status where a check is not passed."""

COLOURS: Mapping[Verdict, str] = {"passed": "green", "failed": "red", "not run": "yellow"}


def check_table(question: str, findings: Sequence[Finding]) -> Table:
    """One row a check."""
    from attnsearch.results.table import Table

    return Table(
        question,
        ("check", "verdict", "evidence"),
        frozenset(),
        tuple((finding.check, finding.verdict, finding.evidence) for finding in findings),
        styles={(row, 1): COLOURS[finding.verdict] for row, finding in enumerate(findings)},
    )
