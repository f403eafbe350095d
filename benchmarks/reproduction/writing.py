"""Experiments, claims, tables and numbers, in Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from attnsearch.results.cells import Cell
from attnsearch.stats.survival import Waiting, cut, summarise
from benchmarks.reproduction.archive import Archive, half_known, waits
from benchmarks.reproduction.commands import asked

WIDTH = 120
"""Characters of a line of a page, but for tables."""


class Claim(NamedTuple):
    """One thing that the paper, or a replication of it, says, and whether it came out here.

    ours:       our numbers
    published:  its numbers or words
    headline:   the claim of `paper.CLAIMS` that it stands for on the front page; 0: not on the front page
    why:        why we think it did not reproduce; shown only where it did not
    """

    claim: str
    ours: str
    published: str
    verdict: str
    headline: int = 0
    why: str = ""


@dataclass(frozen=True)
class Experiment:
    """What the page of an experiment says.

    name:      of its page and its picture
    picture:   what the picture shows; empty where there is none
    reduced:   the sizes and budgets that are smaller than in the paper
    trained:   the commands that trained its runs
    decides:   the commands that would settle it at the published size
    body:      tables and paragraphs, in Markdown
    """

    name: str
    title: str
    question: str
    picture: str
    reduced: str
    trained: Sequence[str]
    decides: Sequence[str]
    body: Sequence[str]
    claims: Sequence[Claim]


def paragraph(text: str) -> str:
    """Folded to `WIDTH`, never within `S = 8`."""
    text = " ".join(text.split()).replace(" = ", "\0=\0")
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False).replace("\0", " ")


def table(heading: Sequence[str], rows: Iterable[Sequence[str]], aligned: str = "---:") -> str:
    """In Markdown; empty without rows."""
    lines = [heading, ["---", *[aligned] * (len(heading) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) if len(lines) > 2 else ""


def claims_table(claims: Iterable[Claim]) -> str:
    """One row a claim, its verdict in bold."""
    heading = ["claim", "ours", "published", "verdict"]
    rows = [[one.claim, one.ours, one.published, f"**{one.verdict}**"] for one in claims]
    return table(heading, rows, "---")


def block(lines: Iterable[str], archive: Archive | None = None) -> str:
    """Commands to read and to paste, each with the number of its runs in `archive`."""
    written = []
    for line in lines:
        if archive is not None:
            specs = asked(line)
            written.append(f"# {len(archive.among(specs))} of {len(specs)} runs stored")
        words = line.replace(" --", "\0--").split("\0")
        folded = textwrap.wrap(" ".join(word.replace(" ", "\0") for word in words), WIDTH - 6,
                               break_long_words=False, break_on_hyphens=False)  # fmt: skip
        written.append(" \\\n    ".join(folded).replace("\0", " "))
    return "\n".join(["```", *written, "```"])


def number(value: float | None) -> str:
    """Steps, rounded."""
    return "not reached" if value is None else f"{value:,.0f}"


def decimal(value: float | None) -> str:
    """To two digits."""
    return "none" if value is None else f"{value:.2f}"


def spanned(value: float, low: float, high: float, digits: int = 0) -> str:
    """A value with its interval."""
    return f"{value:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def median(waiting: Waiting) -> str:
    """With its interval; with the range of the ended runs where fewer than six runs do not bound a median."""
    if waiting.median is None:
        return "not reached"
    if waiting.median_low:
        return f"{waiting.median:,.0f} ({waiting.median_low:,.0f} to {number(waiting.median_high)})"
    return f"{waiting.median:,.0f} [{waiting.shortest:,} to {waiting.longest:,}]"


def restricted(waiting: Waiting) -> str:
    """The restricted mean with its interval."""
    return spanned(waiting.restricted_mean, waiting.restricted_mean_low, waiting.restricted_mean_high)


WAITED = ("escaped", "median plateau", "restricted mean", "mastered", "target found")


def waited(cell: Cell, horizon: int | None = None) -> list[str]:
    """The columns `WAITED` of a cell; plateaus up to `horizon`, where its neighbours have shorter budgets."""
    plateau = cell.plateau if horizon is None else summarise(cut(waits(cell), horizon), horizon)
    escaped, mastered = (f"{one.observed} of {one.runs}" for one in (plateau, cell.mastery))
    return [escaped, median(plateau), restricted(plateau), mastered, number(cell.found.median)]


def half(cell: Cell, horizon: int) -> str:
    """The restricted mean of `half_known`, up to `horizon`."""
    return restricted(summarise(cut(half_known(cell), horizon), horizon))


def found(cell: Cell) -> str:
    """Targets found, of all runs."""
    return f"{cell.found.observed} of {cell.found.runs}"
