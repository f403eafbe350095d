"""One set of cells beside another: each cell with its partner, and all of them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from attnsearch.base import AttnsearchError, Plateaus
from attnsearch.results.cells import Cell, plateau_of
from attnsearch.results.comparisons import Compared, figures
from attnsearch.results.leaking import require_sound
from attnsearch.results.table import Table, counted, listed, steps
from attnsearch.runs.store import StoredRun
from attnsearch.spec.names import Names, heading
from attnsearch.spec.run import Value
from attnsearch.stats.comparison import Comparison, benjamini_hochberg, compare
from attnsearch.stats.together import Together, together

ABSENT = object()
"""Stands for a setting that a cell does not have."""


@dataclass(frozen=True, eq=False)
class Contrast:
    """The cells of B over the cells of A, the reference.

    differing:  the settings in which every cell of the one differs from every cell of the other
    compared:   cells that agree in all other settings, B the candidate; p values adjusted over them
    together:   of all these cells, by the seeds that each of them has; None for one cell, or without seeds
    alone:      how many cells of A and of B have no partner
    """

    names: Names
    differing: tuple[str, ...]
    compared: tuple[Compared, ...]
    together: Together | None
    alone: tuple[int, int]


def contrast(a: Sequence[Cell], b: Sequence[Cell]) -> Contrast:
    """Errors: AttnsearchError where a run leaks, where no cell has a partner, or where one has several."""
    for side, cells in zip("AB", (a, b), strict=True):
        require_sound(f"{side} cannot be compared", (run for cell in cells for run in cell.runs))
    names = Names(cell.spec for cell in [*a, *b])
    facts = {cell: names.facts(cell.spec) for cell in [*a, *b]}
    every = dict.fromkeys(name for one in facts.values() for name in one)
    differing = tuple(
        name
        for name in every
        if not {facts[cell].get(name, ABSENT) for cell in a} & {facts[cell].get(name, ABSENT) for cell in b}
    )
    kept = [name for name in every if name not in differing]
    sides = [_by_key("AB"[side], cells, facts, kept) for side, cells in enumerate((a, b))]
    keys = [key for key in sides[0] if key in sides[1]]
    if not keys:
        raise AttnsearchError(_no_partner(facts, a, b, kept, differing))
    pairs = [(sides[1][key], sides[0][key]) for key in keys]
    found = [compare(one.lengths, other.lengths, _budget(one, other)) for one, other in pairs]
    adjusted = benjamini_hochberg([one.p_value for one in found])
    return Contrast(
        names,
        differing,
        tuple(Compared(*pair, one, float(p)) for pair, one, p in zip(pairs, found, adjusted, strict=True)),
        _together(pairs),
        (len(a) - len(keys), len(b) - len(keys)),
    )


def table(contrast: Contrast, a: str, b: str) -> Table:
    """One row a cell, the last of all together. `a` and `b` are what the sides are called."""
    shown = Names(one.reference.spec for one in contrast.compared)
    telling = [name for name in shown.telling if name not in contrast.differing]
    rows = [
        (
            *(shown.value(one.reference.spec, name) for name in telling),
            f"{one.comparison.runs[1]} / {one.comparison.runs[0]}",
            steps(one.comparison.horizon),
            *figures(one.comparison, one.p_value),
            one.verdict,
        )
        for one in contrast.compared
    ]
    if (over_all := contrast.together) is not None:
        seeds = f"{over_all.seeds[1]} / {over_all.seeds[0]} seeds"
        first = ("together", *[""] * (len(telling) - 1))
        rows.append((*first, seeds, "", *figures(over_all, over_all.p_value), over_all.verdict))
    words = listed(map(heading, contrast.differing)) if contrast.differing else "their runs alone"
    numbers = ("runs, A / B", "up to step", "ratio, B / A", "p, adjusted")
    return Table(
        f"A is {a}, B is {b}; they differ in {words}. Restricted mean plateau length of B over A",
        (*map(heading, telling), *numbers, "verdict:\nthe plateau of B is"),
        frozenset([*numbers, *(heading(name) for name in telling if shown.is_number(name))]),
        tuple(rows),
        labels=len(telling),
    )


def records(contrast: Contrast) -> list[dict[str, Value]]:
    """One row a cell: the settings that A and B have in common, then the numbers. The last is of all."""
    found: list[dict[str, Value]] = []
    for one in contrast.compared:
        facts = contrast.names.facts(one.reference.spec)
        candidate, reference = one.comparison.runs
        found.append(
            {
                "what": "cell",
                **{name: value for name, value in facts.items() if name not in contrast.differing},
                "runs_a": reference,
                "runs_b": candidate,
                "horizon": one.comparison.horizon,
                **_values(one.comparison, one.p_value),
                "verdict": one.verdict,
            }
        )
    if (over_all := contrast.together) is not None:
        candidate, reference = over_all.seeds
        runs = {"runs_a": reference * over_all.cells, "runs_b": candidate * over_all.cells}
        said = {**_values(over_all, over_all.p_value), "verdict": over_all.verdict}
        found.append({"what": "together", **runs, **said})
    return found


def _values(of: Comparison | Together, adjusted: float) -> dict[str, Value]:
    return {
        "ratio": of.ratio,
        "ratio_low": of.low,
        "ratio_high": of.high,
        "p_value": of.p_value,
        "p_value_adjusted": adjusted,
        "method": of.method,
    }


def notes(contrast: Contrast) -> list[str]:
    """What was left out, one line each."""
    return [
        f"{counted(number, 'cell')} of {side} left out: {other} has none with the same settings"
        for side, other, number in zip("AB", "BA", contrast.alone, strict=True)
        if number
    ]


def _by_key(
    side: str, cells: Sequence[Cell], facts: Mapping[Cell, Mapping[str, Value]], kept: Sequence[str]
) -> dict[tuple[Any, ...], Cell]:
    found: dict[tuple[Any, ...], Cell] = {}
    for cell in cells:
        key = tuple(facts[cell].get(name, ABSENT) for name in kept)
        if key in found:
            one, other = facts[cell], facts[found[key]]
            differing = [name for name in one if one[name] != other.get(name, ABSENT)]
            raise AttnsearchError(
                f"{side} holds several cells that could be compared with one cell; they differ in"
                f" {listed(differing)}: choose one of them, as in {differing[0]}={one[differing[0]]}"
            )
        found[key] = cell
    return found


def _no_partner(
    facts: Mapping[Cell, Mapping[str, Value]],
    a: Sequence[Cell],
    b: Sequence[Cell],
    kept: Sequence[str],
    differing: Sequence[str],
) -> str:
    def agreeing(one: Cell, other: Cell) -> int:
        return sum(facts[one].get(name, ABSENT) == facts[other].get(name, ABSENT) for name in kept)

    one, other = max(((one, other) for one in a for other in b), key=lambda pair: agreeing(*pair))
    apart = [name for name in kept if facts[one].get(name, ABSENT) != facts[other].get(name, ABSENT)]
    beside = f" beside {listed(differing)}" if differing else ""
    return f"no cell of A and B can be compared: even the most alike differ in {listed(apart)}{beside}"


def _budget(one: Cell, other: Cell) -> int:
    return min(one.spec.budget.steps, other.spec.budget.steps)


def _together(pairs: Sequence[tuple[Cell, Cell]]) -> Together | None:
    """Of the seeds that every cell has; the same seeds of both sides in one order where they are the same."""
    if len(pairs) < 2:
        return None
    sides = [[_by_seed(pair[side]) for pair in pairs] for side in (0, 1)]
    seeds = [sorted(set.intersection(*(set(cell) for cell in side))) for side in sides]
    if not all(seeds):
        return None
    if seeds[0] != seeds[1] and (shared := sorted(set(seeds[0]) & set(seeds[1]))):
        # Pairs say more than the seeds that only one side has.
        seeds = [shared, shared]
    chosen = [
        [_waits([cell[seed] for seed in known]) for cell in side]
        for side, known in zip(sides, seeds, strict=True)
    ]
    budgets = [_budget(*pair) for pair in pairs]
    return together(chosen[0], chosen[1], budgets, paired=seeds[0] == seeds[1])


def _by_seed(cell: Cell) -> dict[tuple[int, int], StoredRun]:
    return {(run.spec.seed, run.spec.rule_seed): run for run in cell.runs}


def _waits(runs: Sequence[StoredRun]) -> Plateaus:
    waits = [plateau_of(run) for run in runs]
    return Plateaus(*(np.concatenate(parts) for parts in zip(*waits, strict=True)))
