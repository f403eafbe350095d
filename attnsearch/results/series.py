"""Cells that differ in nothing but the search space, or another size: one line of a chart, one law."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from attnsearch.base import plain
from attnsearch.results.cells import Cell
from attnsearch.spec.names import Names, joined
from attnsearch.spec.run import CellSpec, Value, settings


@dataclass(frozen=True, eq=False)
class Series:
    """Cells by ascending search space, or by another size.

    name:   what a legend calls it: the mixer and what tells this series from the others
    title:  the same after the task
    """

    name: str
    title: str
    cells: tuple[Cell, ...]


def search_space(cell: Cell) -> float:
    """The size by which series are made unless told: bits."""
    return cell.bits


def series(cells: Sequence[Cell], size: Callable[[Cell], float] = search_space) -> tuple[Series, ...]:
    """`cells` by what they have in common, in order of first appearance.

    Cells of a series differ in the numbers among their task's knobs that make their `size`; never in
    mixer, training, budget, intervention, thresholds or folder.
    """
    apart = _apart(cells, size)
    return grouped(cells, lambda cell: _common(cell.spec, apart), size)


def grouped(
    cells: Sequence[Cell],
    common: Callable[[Cell], CellSpec],
    size: Callable[[Cell], float],
    words: Callable[[Cell], str] = lambda _: "",
) -> tuple[Series, ...]:
    """`cells` by what they have in `common`, by what `words` says of them, and by folder, in order of first
    appearance; the cells of a series by their `size`, rising."""
    members: dict[tuple[CellSpec, str, str], list[Cell]] = {}
    for cell in cells:
        members.setdefault((common(cell), words(cell), cell.folder), []).append(cell)
    names = Names(shared for shared, *_ in members)
    found = []
    for (shared, said, folder), own in members.items():
        name = joined(names.label(shared), said, plain(folder))
        title = name if names.several_tasks else joined(plain(shared.task.name), name)
        found.append(Series(name, title, tuple(sorted(own, key=size))))
    return tuple(found)


def _common(spec: CellSpec, apart: Set[tuple[str, str]]) -> CellSpec:
    """`spec` without what makes the size."""
    kept = {
        name: value for name, value in spec.task.knobs if _is_word(value) or (spec.task.name, name) in apart
    }
    return _with_knobs(spec, kept)


def _apart(cells: Sequence[Cell], size: Callable[[Cell], float]) -> Set[tuple[str, str]]:
    """Tasks, each with a knob that is a number and yet leaves the size as it is.

    Cells that differ in such a knob alone have one size. A pool of rules or a number of colours makes
    another task, not a larger one.
    """
    groups: dict[tuple[str, str], dict[CellSpec, list[Cell]]] = {}
    for cell in cells:
        knobs = dict(cell.spec.task.knobs)
        for name in (name for name, value in knobs.items() if not _is_word(value)):
            others = _with_knobs(cell.spec, {other: knobs[other] for other in knobs if other != name})
            groups.setdefault((cell.spec.task.name, name), {}).setdefault(others, []).append(cell)
    return {
        knob
        for knob, alike in groups.items()
        if any(len(members) > 1 for members in alike.values())
        and all(math.isclose(size(cell), size(members[0])) for members in alike.values() for cell in members)
    }


def _is_word(value: Value) -> bool:
    return isinstance(value, str | bool | None)


def _with_knobs(spec: CellSpec, knobs: Mapping[str, Value]) -> CellSpec:
    return replace(spec, task=replace(spec.task, knobs=settings(knobs)))
