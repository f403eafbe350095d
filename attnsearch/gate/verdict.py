"""What a check found: as a table to read, as Markdown, as a JSON document, in words and as an exit status.

Numpy side; never imports jax.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np
from rich.table import Table
from rich.text import Text

from attnsearch import files
from attnsearch.base import Plateaus
from attnsearch.gate.baseline import Baseline, outcomes
from attnsearch.gate.decision import TOLERANCE, Finding, Judgement, Pair, Verdict, judge, levels, looks
from attnsearch.gate.matching import label
from attnsearch.spec.run import CellSpec, MixerSpec
from attnsearch.stats.survival import Waiting, summarise

Outcome = Verdict | Literal["failed"]

EXIT_STATUS: Mapping[Outcome, int] = {
    "pass": 0,
    "improvement": 0,
    "regression": 1,
    "inconclusive": 3,
    "failed": 4,
}

_COLUMNS = ("cell", "runs", "escaped", "mastered", "plateau", "ratio", "could catch", "verdict")

_STYLES: Mapping[Verdict, str] = {
    "pass": "green",
    "improvement": "green",
    "regression": "red",
    "inconclusive": "yellow",
}


NOTHING = Judgement((), ())
"""Of no cell at all."""


@dataclass(frozen=True)
class Failure:
    """Why nothing can be said: in one line, and where it happened, in many."""

    reason: str
    trace: str = ""

    @classmethod
    def of(cls, error: Exception) -> Self:
        """That of an error that is being handled."""
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
        """That of the whole. Where no cell was measured the check has failed, whatever else is said."""
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
    specs = [pair.cell for pair in report.pairs]
    named = zip(labels(specs), report.judgement.cells, report.pairs, strict=True)
    mixers = [
        Row(f"all cells of {name}", finding)
        for name, (_, finding) in zip(
            mixer_labels([mixer for mixer, _ in report.judgement.mixers]),
            report.judgement.mixers,
            strict=True,
        )
    ]
    return [*(Row(name, finding, pair) for name, finding, pair in named), *mixers]


def labels(cells: Sequence[CellSpec]) -> list[str]:
    """Each cell in a few words: task, knobs, mixer, and where these are not enough what else differs."""
    short, flats = [label(cell) for cell in cells], [cell.flat() for cell in cells]
    differing = [
        name
        for name in dict.fromkeys(name for flat in flats for name in flat)
        if name not in ("task", "mixer") and len({flat.get(name) for flat in flats}) > 1
    ]
    return [
        text if short.count(text) == 1 else _with(text, dict(cell.task.knobs), flat, differing)
        for text, cell, flat in zip(short, cells, flats, strict=True)
    ]


def mixer_labels(mixers: Sequence[MixerSpec]) -> list[str]:
    """Each mixer by name, and where that is not enough with its settings."""
    names = [mixer.name for mixer in mixers]
    return [
        mixer.name if names.count(mixer.name) == 1 else _with(mixer.name, {}, settings, settings)
        for mixer in mixers
        for settings in [dict(mixer.settings)]
    ]


def _with(text: str, known: Mapping[str, Any], values: Mapping[str, Any], names: Sequence[str] | Any) -> str:
    more = [f"{name}={values[name]}" for name in names if name in values and name not in known]
    return " ".join([text, *more])


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
            lines.append(
                f"{row.label}: diverged runs, {row.pair.reference.diverged} -> {row.pair.candidate.diverged},"
                " count as still waiting at the end of their budget"
            )
    if report.verdict == "inconclusive":
        lines.append(f"more runs tell more: --seeds {2 * report.planned}, or more in the baseline")
    if counts["improvement"]:
        lines.append("shorter plateaus hold only if recorded: `attnsearch baseline`")
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


def table(report: Report) -> Table:
    """One row a finding, for a terminal."""
    shown = Table(title=f"{report.suite} against {report.baseline}", title_justify="left")
    for name in _COLUMNS:
        shown.add_column(name, justify="left" if name in ("cell", "verdict") else "right", overflow="fold")
    for row in rows(report):
        *texts, verdict = _texts(row)
        shown.add_row(*map(Text, texts), Text(verdict, _STYLES[row.finding.verdict]))
    return shown


def markdown(report: Report) -> str:
    """The same as a Markdown section, with the verdict above it."""
    first, *others = sentences(report)
    lines = [f"### attnsearch check {_escaped(report.suite)}", "", f"**{_escaped(first)}**", ""]
    if report.pairs:
        lines += [f"| {' | '.join(_COLUMNS)} |", f"|{' --- |' * len(_COLUMNS)}"]
        lines += [f"| {' | '.join(map(_escaped, _texts(row)))} |" for row in rows(report)] + [""]
    return "\n".join([*lines, *(f"- {_escaped(line)}" for line in others), ""])


def _escaped(text: str) -> str:
    """`text` with what Markdown would take for its own written out."""
    for sign in "\\|<>*_`[]":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())


def document(report: Report) -> dict[str, Any]:
    """The check as JSON values."""
    return {
        "suite": report.suite,
        "baseline": report.baseline,
        "verdict": report.verdict,
        "exit_status": report.exit_status,
        "tolerance": report.tolerance,
        "planned_runs": report.planned,
        "looks": list(report.looks),
        "recorded_runs": report.recorded,
        "equal_runs": report.equal,
        "environment": list(report.environment),
        "failure": report.failure and report.failure.reason,
        "sentences": sentences(report),
        "cells": [
            {
                **pair.cell.flat(),
                **asdict(finding),
                "candidate": _outcomes(pair, "candidate"),
                "reference": _outcomes(pair, "reference"),
            }
            for pair, finding in zip(report.pairs, report.judgement.cells, strict=True)
        ],
        "mixers": [
            {"mixer": mixer.name, **dict(mixer.settings), **asdict(finding)}
            for mixer, finding in report.judgement.mixers
        ],
    }


def waiting(pair: Pair, side: Literal["candidate", "reference"]) -> tuple[Waiting, Waiting]:
    """Plateau and mastery of one side of a pair, up to the budget."""
    outcomes, budget = getattr(pair, side), pair.cell.budget.steps
    return summarise(outcomes.plateau, budget), summarise(outcomes.mastery, budget)


def _outcomes(pair: Pair, side: Literal["candidate", "reference"]) -> dict[str, Any]:
    plateau, mastery = waiting(pair, side)
    return {
        "runs": plateau.runs,
        "diverged": getattr(pair, side).diverged,
        "plateau_length": asdict(plateau),
        "mastery_step": asdict(mastery),
    }


def _texts(row: Row) -> tuple[str, ...]:
    finding, effect, cell = row.finding, row.finding.effect, [""] * 4
    if row.pair is not None:
        now, then = row.pair.candidate, row.pair.reference
        counts = [
            (len(now.seeds), len(then.seeds)),
            (now.plateau.observed.sum(), then.plateau.observed.sum()),
            (now.mastery.observed.sum(), then.mastery.observed.sum()),
        ]
        medians = summarise(_before(row.pair)).median, summarise(now.plateau).median
        cell = [*(f"{one} / {other}" for one, other in counts), " -> ".join(map(_steps, medians))]
    ratio = f"{effect.ratio:.2f} ({effect.low:.2f} to {effect.high:.2f})" if effect else "1"
    caught = "any" if effect is None else f"{finding.detectable:.2f}" if finding.detectable else "none"
    return (row.label, *cell, ratio, caught, f"{finding.verdict}: {finding.reason}")


def _before(pair: Pair) -> Plateaus:
    """Recorded plateau lengths: of the same seeds if all of them were recorded, else all."""
    recorded, same = pair.reference.plateau, np.isin(pair.reference.seeds, pair.candidate.seeds)
    if same.sum() < len(pair.candidate.seeds):
        return recorded
    return Plateaus(recorded.length[same], recorded.observed[same])


def _steps(median: float | None) -> str:
    return "not reached" if median is None else f"{median:,.0f}"
