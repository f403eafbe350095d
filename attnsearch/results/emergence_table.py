"""Steps to emergence as tables, against a size of the networks."""

from __future__ import annotations

from collections.abc import Sequence

from attnsearch.base import Plateaus
from attnsearch.results.columns import median
from attnsearch.results.emergence import Emergence
from attnsearch.results.table import NONE, Table, steps
from attnsearch.spec.names import heading
from attnsearch.stats.scaling_law import NoLaw
from attnsearch.stats.survival import Waiting

NUMBERS = ("emerged", "steps,\nmedian", "first seed", "last seed", "last over\nfirst")


def emergence_tables(found: Sequence[Emergence]) -> tuple[Table, ...]:
    """Two for each size of the networks: the steps, and by what each doubling of the size multiplies them."""
    tables = []
    for name in dict.fromkeys(one.name for one in found):
        against = [one for one in found if one.name == name]
        tables += [_step_table(against, heading(name)), _trend_table(against, heading(name))]
    return tuple(tables)


def _step_table(found: Sequence[Emergence], size: str) -> Table:
    """One row a search space and cell."""
    labels = (*_labels(found), size)
    rows = [
        (*_said(one, found), f"{number:g}", *_waited(waiting, emerged))
        for one in found
        for number, waiting, emerged in zip(one.numbers, one.waiting, one.emerged, strict=True)
    ]
    return Table(
        f"Steps to emergence against {size}: until half of the targets of a search space are found, with 95 %"
        " intervals; > marks a censored one",
        (*labels, *NUMBERS),
        frozenset({*labels[-2:], *NUMBERS}),
        tuple(rows),
        labels=len(labels),
    )


def _trend_table(found: Sequence[Emergence], size: str) -> Table:
    """One row a search space."""
    labels, factor = _labels(found), "steps\nmultiplied by"
    return Table(
        f"By what each doubling of the {size} multiplies the steps to emergence, with 95 % intervals",
        (*labels, "emerged", factor, "does one factor fit?"),
        frozenset({labels[-1], "emerged", factor}),
        tuple((*_said(one, found), *_trend(one)) for one in found),
        labels=len(labels),
    )


def _labels(found: Sequence[Emergence]) -> tuple[str, ...]:
    return (*(["series"] if _several(found) else []), "search space\n(bits)")


def _said(one: Emergence, found: Sequence[Emergence]) -> tuple[str, ...]:
    return (*([one.series] if _several(found) else []), f"{one.bits:.1f}")


def _several(found: Sequence[Emergence]) -> bool:
    """Whether a row says its series: where another has the same sizes, or something grows with the size."""
    return len({one.series for one in found}) > 1 or any(one.coupled for one in found)


def _waited(waiting: Waiting, emerged: Plateaus) -> tuple[str, ...]:
    """How many runs, the middle, the shortest and the longest, and the ratio of the two."""
    last, beyond = int(emerged.length.max()), ">" if waiting.censored else ""
    first = waiting.shortest
    return (
        f"{waiting.observed} of {waiting.runs}",
        median(waiting),
        NONE if first is None else steps(first),
        f"{beyond}{last:,}",
        NONE if first is None else f"{beyond}{last / first:.1f}",
    )


def _trend(one: Emergence) -> tuple[str, str, str]:
    law = one.law
    if isinstance(law, NoLaw):
        seen, runs = (sum(getattr(wait, name) for wait in one.waiting) for name in ("observed", "runs"))
        return f"{seen} of {runs}", NONE, law.reason
    factor, low, high = (f"{one:.2f}" if one < 100 else f"{one:.1e}" for one in law.factors)
    return f"{law.observed} of {law.runs}", f"{factor}\n{low} to {high}", law.reason
