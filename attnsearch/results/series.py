"""Cells that differ in nothing but the search space: one line of a chart, one law."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, replace

from attnsearch.results.cells import Cell
from attnsearch.spec.names import written
from attnsearch.spec.run import CellSpec, Value, settings


def series(cells: Sequence[Cell]) -> dict[str, list[Cell]]:
    """`cells` by what they have in common, named by the mixer and what tells one series from another.

    Those of a series differ in the numbers among their task's knobs that make the search space; never in
    mixer, training, budget, intervention or thresholds. In order of first appearance, each by ascending
    search space.
    """
    apart = _apart(cells)
    grouped: dict[CellSpec, list[Cell]] = {}
    for cell in cells:
        grouped.setdefault(_common(cell.spec, apart), []).append(cell)
    described = {common: _described(common) for common in grouped}
    telling = _telling(list(described.values()))
    return {
        _name(described[common], telling): sorted(members, key=lambda cell: cell.bits)
        for common, members in grouped.items()
    }


def _common(spec: CellSpec, apart: Set[tuple[str, str]]) -> CellSpec:
    """`spec` without what makes the search space."""
    kept = {
        name: value for name, value in spec.task.knobs if _is_word(value) or (spec.task.name, name) in apart
    }
    return _with_knobs(spec, kept)


def _apart(cells: Sequence[Cell]) -> Set[tuple[str, str]]:
    """Tasks with those of their knobs that are numbers, and yet make no search space: of cells that differ in
    nothing else, all have the same. A pool of rules or a number of colours is another task, not a larger one.
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
        and all(math.isclose(cell.bits, members[0].bits) for members in alike.values() for cell in members)
    }


def _is_word(value: Value) -> bool:
    return isinstance(value, str | bool | None)


def _with_knobs(spec: CellSpec, knobs: Mapping[str, Value]) -> CellSpec:
    return replace(spec, task=replace(spec.task, knobs=settings(knobs)))


def _described(common: CellSpec) -> dict[str, Value]:
    """Every setting by its one name, and what is not a setting: generator and thresholds."""
    thresholds = {f"{name} threshold": value for name, value in asdict(common.task.plateau).items()}
    return {**common.flat(), "generator": common.task.generator, **thresholds}


def _telling(written: Sequence[dict[str, Value]]) -> list[str]:
    """The settings that differ, among all that have them or by being absent from one of the same mixer."""
    names = dict.fromkeys(name for one in written for name in one if name != "mixer")
    return [name for name in names if _differs(name, written)]


def _differs(name: str, written: Sequence[dict[str, Value]]) -> bool:
    having = [one for one in written if name in one]
    kinds = {(one["task"], one["mixer"]) for one in having}
    lacking = any((one["task"], one["mixer"]) in kinds for one in written if name not in one)
    return lacking or len({one[name] for one in having}) > 1


def _name(one: dict[str, Value], telling: Sequence[str]) -> str:
    parts = [str(one["task"])] if "task" in telling else []
    parts.append(str(one["mixer"]))
    parts += [
        f"{name.replace('_', ' ')} {written(one[name])}" for name in telling if name in one and name != "task"
    ]
    return ", ".join(parts)
