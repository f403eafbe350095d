"""Whether the numbers of a cell may count, and below which loss its runs have escaped."""

from __future__ import annotations

from attnsearch.results.alignment import contradicts_itself
from attnsearch.results.cells import Cell
from attnsearch.results.column import Column
from attnsearch.runs.escape import CHANCE

COUNTING: tuple[Column[Cell], ...] = (
    Column(
        "leaking",
        "leaking",
        lambda c: c.leaking,
        lambda c: str(c.leaking),
        lambda c: c.leaking > 0,
        unit="runs",
        definition="Runs in which a token behind a query moved its answer; the cell does not count then.",
    ),
    Column(
        "verification",
        "",
        lambda c: None if c.standing is None else c.standing.state,
        definition="Whether the numbers of the mixer may count: verified, failed or not checked, with its"
        " settings, at its width and with the code at hand. Empty where nobody looked.",
    ),
    Column(
        "verification_failed",
        "",
        lambda c: None if c.standing is None else ", ".join(c.standing.failed),
        definition="The checks of `attnsearch verify` that a failed mixer has not passed.",
    ),
    Column(
        "verification_reason",
        "",
        lambda c: None if c.standing is None else c.standing.reason,
        definition="The same in words: on what it is verified, what it failed, or why it is not checked.",
    ),
    Column(
        "contradictions",
        "",
        lambda c: sum(map(contradicts_itself, c.runs)),
        unit="runs",
        definition="Runs that mastered the task with a map mass at or below its chance level.",
    ),
    Column(
        "escape_below",
        "escape below,\nof chance",
        lambda c: c.escape.share,
        lambda c: f"{c.escape.share:.3f}\n{c.escape.held_by}",
        lambda c: c.escape.held_by != CHANCE,
        unit="share",
        definition="Mean target loss, as a share of chance, below which a run has escaped.",
    ),
    Column(
        "escape_held_by",
        "",
        lambda c: c.escape.held_by,
        definition="What holds that threshold: chance, or a shortcut that needs no search and reaches less.",
    ),
)
"""In the order of CSV and JSON."""
