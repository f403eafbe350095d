"""A check as a table, as a Markdown section and as JSON values. Numpy side; never imports jax."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from attnsearch.base import Plateaus
from attnsearch.gate.decision import Outcomes, Verdict
from attnsearch.gate.verdict import Report, Row, rows, sentences
from attnsearch.results import table as forms
from attnsearch.results.table import Table, in_markdown, steps
from attnsearch.spec.names import Names
from attnsearch.stats.survival import Waiting, summarise

_WORDS, _NUMBERS = ("cell", "verdict"), ("runs", "escaped", "mastered", "plateau", "ratio", "could catch")

_STYLES: Mapping[Verdict, str] = {
    "pass": "green",
    "improvement": "green",
    "regression": "red",
    "inconclusive": "yellow",
}


def table(report: Report) -> Table:
    """One row a finding."""
    columns = (_WORDS[0], *_NUMBERS, _WORDS[1])
    found = rows(report)
    styles = {(index, len(columns) - 1): _STYLES[row.finding.verdict] for index, row in enumerate(found)}
    return Table(
        f"{report.suite} against {report.baseline}",
        columns,
        frozenset(_NUMBERS),
        tuple(map(_texts, found)),
        styles=styles,
    )


def markdown(report: Report) -> str:
    """The table as a Markdown section, with the verdict above it."""
    first, *others = map(in_markdown, sentences(report))
    lines = [f"### attnsearch check {in_markdown(report.suite)}", "", f"**{first}**", ""]
    lines += [forms.markdown(table(report)), ""] if report.pairs else []
    return "\n".join([*lines, *(f"- {line}" for line in others), ""])


def document(report: Report) -> dict[str, Any]:
    """The check as JSON values."""
    names = Names(pair.cell for pair in report.pairs)
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
                **names.facts(pair.cell),
                **asdict(finding),
                "candidate": _outcomes(pair.candidate, pair.cell.budget.steps),
                "reference": _outcomes(pair.reference, pair.cell.budget.steps),
            }
            for pair, finding in zip(report.pairs, report.judgement.cells, strict=True)
        ],
        "mixers": [
            {"mixer": mixer.name, **dict(mixer.settings), **asdict(finding)}
            for mixer, finding in report.judgement.mixers
        ],
    }


def waiting(outcomes: Outcomes, budget: int) -> tuple[Waiting, Waiting]:
    """Plateau and mastery of the runs of a cell, up to the budget."""
    return summarise(outcomes.plateau, budget), summarise(outcomes.mastery, budget)


def _outcomes(outcomes: Outcomes, budget: int) -> dict[str, Any]:
    plateau, mastery = waiting(outcomes, budget)
    return {
        "runs": plateau.runs,
        "diverged": outcomes.diverged,
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
        medians = summarise(_before(now, then)).median, summarise(now.plateau).median
        cell = [*(f"{one} / {other}" for one, other in counts), " -> ".join(map(steps, medians))]
    ratio = f"{effect.ratio:.2f} ({effect.low:.2f} to {effect.high:.2f})" if effect else "1"
    caught = "any" if effect is None else f"{finding.detectable:.2f}" if finding.detectable else "none"
    return (row.label, *cell, ratio, caught, f"{finding.verdict}: {finding.reason}")


def _before(now: Outcomes, then: Outcomes) -> Plateaus:
    """Recorded plateau lengths: of the same seeds if all of them were recorded, else all."""
    recorded, same = then.plateau, np.isin(then.seeds, now.seeds)
    if same.sum() < len(now.seeds):
        return recorded
    return Plateaus(recorded.length[same], recorded.observed[same])
