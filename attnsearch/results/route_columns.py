"""Which route runs took where two compete: columns of a run and of a cell, which other tasks do not show."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from attnsearch.base import RECORDING_INTERVAL, Plateaus
from attnsearch.results.cells import Cell
from attnsearch.results.column import Column, Row
from attnsearch.results.table import NONE, number, steps
from attnsearch.runs.store import StoredRun
from attnsearch.stats.hopping import GENERAL, SHALLOW, UNCERTAIN, Hopping
from attnsearch.stats.survival import pool, summarise

PER = 1_000
"""Steps for which hops are counted in a rate."""

ROUTES = (
    *("general_share", "shallow_share", "uncertain_share"),
    *("hops", "hops_in_1000_steps", "hopped_back", "dwell_median"),
)
"""What the table of routes shows of a cell, by key."""

_SHARES = {
    "general": (GENERAL, "the interval of the margin is above 0"),
    "shallow": (SHALLOW, "it is below 0"),
    "uncertain": (UNCERTAIN, "it holds 0"),
}


def competes(cell: Cell) -> bool:
    """Whether routes compete in the task of a cell, and its runs recorded which one they take."""
    return any(run.hopping is not None for run in cell.runs)


def dwells(hopping: Hopping) -> Plateaus:
    """The stretches of a settled mode, in steps; those that ended with a hop are observed."""
    return Plateaus(RECORDING_INTERVAL * hopping.dwell, hopping.ended)


def hops_in_1000_steps(hopping: Hopping) -> float:
    """Since a mode was first settled; nan where none ever was."""
    return PER * hopping.rate / RECORDING_INTERVAL


def route_masses(run: StoredRun) -> dict[str, float]:
    """The share of the last map on each named route; mean over targets. Empty where routes have no names,
    or where nothing had any influence."""
    routes = run.routes
    if not routes.mass.size or not np.isfinite(routes.mass[-1]).any():
        return {}
    return dict(zip(routes.names.tolist(), np.nanmean(routes.mass[-1], axis=1).tolist(), strict=True))


def _routes_in_words(run: StoredRun) -> str:
    return ", ".join(f"{name} {mass:.2f}" for name, mass in route_masses(run).items()) or NONE


def _of_run(run: StoredRun) -> Sequence[Hopping]:
    return [run.hopping] if run.hopping is not None else []


def _of_cell(cell: Cell) -> Sequence[Hopping]:
    return [run.hopping for run in cell.runs if run.hopping is not None]


def _numbers(of: Callable[[Row], Sequence[Hopping]], over: str) -> tuple[Column[Row], ...]:
    """What a run, or the mean over the runs of a cell, says."""

    def numeric(
        key: str, heading: str, value: Callable[[Hopping], float], spec: str, unit: str, meaning: str
    ) -> Column[Row]:
        def mean(row: Row) -> float | None:
            known = [one for one in map(value, of(row)) if np.isfinite(one)]
            return float(np.mean(known)) if known else None

        return Column(
            key,
            heading,
            mean,
            lambda row: number(mean(row), spec),
            lambda row: bool(of(row)),
            unit,
            f"{meaning}{over}. Empty where no routes compete.",
        )

    def share(name: str, mode: int, meaning: str) -> Column[Row]:
        words = f"Share of recorded points at which {meaning}"
        return numeric(f"{name}_share", name, lambda one: one.occupancy(mode), ".2f", "share", words)

    return (
        *(share(name, *said) for name, said in _SHARES.items()),
        numeric(
            "hops",
            "hops",
            lambda one: one.hops,
            ".3g",
            "hops",
            "Changes from one settled mode, general or shallow, to the other",
        ),
        numeric(
            "hops_in_1000_steps",
            "hops in\n1,000 steps",
            hops_in_1000_steps,
            ".2f",
            "hops",
            "The same for 1,000 steps since a mode was first settled",
        ),
    )


def _longest(run: StoredRun) -> tuple[int, bool] | None:
    """Steps of the longest stretch, and whether it ended with a hop."""
    found = [dwells(one) for one in _of_run(run) if len(one.settled)]
    if not found:
        return None
    longest = int(found[0].length.argmax())
    return int(found[0].length[longest]), bool(found[0].observed[longest])


def _longest_in_words(run: StoredRun) -> str:
    found = _longest(run)
    return NONE if found is None else ("" if found[1] else "> ") + steps(found[0])


ROUTES_OF_RUN: tuple[Column[StoredRun], ...] = (
    *_numbers(_of_run, ""),
    Column(
        "longest_dwell",
        "longest dwell",
        lambda r: None if (found := _longest(r)) is None else found[0],
        _longest_in_words,
        lambda r: bool(_of_run(r)),
        unit="steps",
        definition="Longest stretch of a settled mode. Empty where no mode was settled.",
    ),
    Column(
        "longest_dwell_ended",
        "",
        lambda r: None if (found := _longest(r)) is None else found[1],
        definition="Whether that stretch ended with a hop; otherwise the record ended before it.",
    ),
    Column(
        "agreement",
        "agreeing\nitems right",
        lambda r: float(r.contests.agreement[-1]) if _of_run(r) else None,
        lambda r: number(float(r.contests.agreement[-1]) if _of_run(r) else None, ".2f"),
        lambda r: bool(_of_run(r)),
        unit="share",
        definition="Share of targets answered right at the last point where both routes agree. Empty where no"
        " routes compete.",
    ),
    Column(
        "route_mass",
        "route mass",
        lambda r: _routes_in_words(r) if route_masses(r) else None,
        lambda r: _routes_in_words(r),
        lambda r: bool(route_masses(r)),
        definition="Share of the influence that lies on each named route, at the last recorded map; mean over"
        " targets. Empty where routes have no names.",
    ),
)
"""What the columns of a run say of its routes."""


def _dwell_median(cell: Cell) -> float | None:
    stretches = [dwells(one) for one in _of_cell(cell) if len(one.settled)]
    return summarise(pool(stretches), cell.spec.budget.steps).median if stretches else None


def _hopped_back(cell: Cell) -> int | None:
    found = _of_cell(cell)
    return sum(one.hops > 1 for one in found) if found else None


ROUTES_OF_CELL: tuple[Column[Cell], ...] = (
    *_numbers(_of_cell, "; mean over runs"),
    Column(
        "dwell_median",
        "median dwell",
        _dwell_median,
        lambda c: steps(_dwell_median(c)),
        competes,
        unit="steps",
        definition="Kaplan-Meier median of the stretches of settled modes of all runs; a stretch that the end"
        " of the record cut short is censored. Empty where not reached.",
    ),
    Column(
        "hopped_back",
        "hopped back",
        _hopped_back,
        lambda c: f"{_hopped_back(c)} of {len(_of_cell(c))}",
        competes,
        unit="runs",
        definition="Runs with more than one hop. One hop, from shallow to general, is learning.",
    ),
)
"""What the columns of a cell say of its routes."""
