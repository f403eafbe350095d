"""What a check found, in words and as an exit status. `attnsearch.gate.tables` makes tables of it.

Numpy side; never imports jax.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

from attnsearch import files
from attnsearch.base import AttnsearchError
from attnsearch.gate.baseline import Baseline, outcomes
from attnsearch.gate.decision import TOLERANCE, Finding, Judgement, Pair, Verdict, judge, levels, looks
from attnsearch.results.table import counted
from attnsearch.spec.names import Names, mixer_names

Outcome = Verdict | Literal["failed"]

EXIT_STATUS: Mapping[Outcome, int] = {
    "pass": 0,
    "improvement": 0,
    "regression": 1,
    "inconclusive": 3,
    "failed": 4,
}

NOTHING = Judgement((), ())
"""Of no cell at all."""


@dataclass(frozen=True)
class Failure:
    """Why the check failed, in one line. An unexpected error also has a trace: where it happened, in many."""

    reason: str
    trace: str = ""

    @classmethod
    def of(cls, error: Exception) -> Self:
        """The failure of an error that is being handled."""
        if isinstance(error, AttnsearchError):
            return cls(str(error))
        return cls(files.reason(error), "".join(traceback.format_exception(error)))


@dataclass(frozen=True, eq=False)
class Report:
    """A check.

    suite, baseline:  what they are called
    planned:          runs of each cell at most
    looks:            runs of each cell after which the plateaus were looked at, the last for `judgement`
    pairs:            the cells, in the order of `judgement.cells`
    recorded, equal:  how many of the runs were recorded with the same seed, and how many of these with the
                      same curves bit for bit
    environment:      what differs between the machines, each as `name then -> now`
    failure:          what stood in the way; None where nothing did
    """

    suite: str
    baseline: str
    tolerance: float
    planned: int
    looks: tuple[int, ...] = ()
    pairs: tuple[Pair, ...] = ()
    recorded: int = 0
    equal: int = 0
    judgement: Judgement = NOTHING
    environment: tuple[str, ...] = ()
    failure: Failure | None = None

    @property
    def verdict(self) -> Outcome:
        """The verdict of the whole check. It is "failed" where no cell was measured."""
        return "failed" if self.failure or not self.pairs else self.judgement.verdict

    @property
    def runs(self) -> int:
        """How many were trained."""
        return sum(len(pair.candidate.plateau.length) for pair in self.pairs)

    @property
    def unchanged(self) -> bool:
        """Whether every curve is the recorded one bit for bit, so that there is nothing to judge."""
        return 0 < self.runs == self.equal

    @property
    def exit_status(self) -> int:
        """0 pass or improvement, 1 regression, 3 inconclusive, 4 failed."""
        return EXIT_STATUS[self.verdict]


@dataclass(frozen=True)
class Row:
    """A finding and what it is about: one cell, or all cells of a mixer."""

    label: str
    finding: Finding
    pair: Pair | None = None


def rows(report: Report) -> list[Row]:
    """Every finding: the cells, then the mixers that have several."""
    names = Names(pair.cell for pair in report.pairs)
    mixers = mixer_names([mixer for mixer, _ in report.judgement.mixers])
    return [
        *(
            Row(names.full(pair.cell), finding, pair)
            for pair, finding in zip(report.pairs, report.judgement.cells, strict=True)
        ),
        *(Row(f"all cells of {mixers[mixer]}", finding) for mixer, finding in report.judgement.mixers),
    ]


def sentences(report: Report) -> list[str]:
    """The verdict of the whole in words, and what has to be known with it, one line each."""
    if report.failure:
        return [f"failed: {report.failure.reason}"]
    if not report.pairs:
        return ["failed: no cell was measured"]
    counts = Counter(finding.verdict for finding in report.judgement.cells)
    if report.unchanged:
        lines = [f"pass: the curves of all {report.runs} runs equal the recorded ones bit for bit"]
    else:
        cells = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
        lines = [f"{report.verdict}: of {len(report.pairs)} cells {cells}"]
        slow = [row.label for row in rows(report) if row.pair is None and row.finding.verdict == "regression"]
        lines += [f"regression: {name} together" for name in slow]
        lines.append(
            f"looked at after {report.looks[-1]} of {report.planned} runs of each cell;"
            f" a plateau may grow by a factor of {report.tolerance:g}"
        )
        if report.recorded:
            lines.append(f"the curves of {report.equal} of {report.recorded} runs equal the recorded ones")
        if report.environment:
            lines.append(f"not the machine of the baseline: {', '.join(report.environment)}")
    for row in rows(report):
        if row.pair and row.pair.candidate.diverged > row.pair.reference.diverged:
            now, then = counted(row.pair.candidate.diverged, "run"), row.pair.reference.diverged
            lines.append(f"{row.label}: {now} diverged, {then} before, and waited to the end of the budget")
    if report.verdict == "inconclusive":
        lines.append(
            f"for a verdict give more runs, --seeds {2 * report.planned}, or record more in the baseline"
        )
    if counts["improvement"]:
        lines.append("to hold the shorter plateaus, record them with `attnsearch baseline`")
    return lines


def figures(row: Row) -> str:
    """A finding in one line."""
    finding, effect = row.finding, row.finding.effect
    if effect is None:
        return finding.reason
    p_value = f", p = {finding.p_value:.2g}" if finding.p_value is not None else ""
    caught = f"a slowdown of {finding.detectable:.2f}" if finding.detectable else "no slowdown"
    return (
        f"{finding.reason}; ratio {effect.ratio:.2f} ({effect.low:.2f} to {effect.high:.2f}){p_value};"
        f" could have caught {caught}"
    )


def outlook(baseline: Baseline, runs: int) -> list[str]:
    """What checks of so many runs of each cell can be expected to tell against `baseline`, one line each.

    The candidate is made of the first runs recorded: what a check without any change would train.
    """
    pairs = [Pair(cell.spec, outcomes(cell.runs[:runs]), outcomes(cell.runs)) for cell in baseline.cells]
    planned = looks(min(runs, *(len(cell.runs) for cell in baseline.cells)))
    judgement = judge(pairs, level=levels(planned)[-1])
    report = Report(baseline.suite, "itself", TOLERANCE, runs, pairs=tuple(pairs), judgement=judgement)
    found = [
        f"{row.label}: a check of {planned[-1]} runs catches "
        + (f"a slowdown of {row.finding.detectable:.2f}" if row.finding.detectable else "no slowdown")
        for row in rows(report)
    ]
    return [*found, f"where nothing has changed, it says: {judgement.verdict}"]
