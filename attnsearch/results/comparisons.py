"""Which cells of a study are compared with which, and with what result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from attnsearch.results.cells import Cell
from attnsearch.results.table import ratio
from attnsearch.spec.run import CellSpec, InterventionSpec
from attnsearch.stats.comparison import Comparison, benjamini_hochberg, compare
from attnsearch.stats.together import Together

REFERENCE = "attention"
"""The mixer that others are compared with, where it is among them."""


@dataclass(frozen=True, eq=False)
class Compared:
    """A cell over another that differs from it in the mixer, the intervention or the folder alone.

    p_value:  adjusted over all comparisons of the study (Benjamini and Hochberg)
    """

    candidate: Cell
    reference: Cell
    comparison: Comparison
    p_value: float

    @property
    def verdict(self) -> str:
        """In words: the plateau of the candidate is longer, shorter, or not told apart."""
        return self.comparison.verdict(self.p_value)


def comparisons(cells: Sequence[Cell]) -> tuple[Compared, ...]:
    """Mixers against one of them, interventions against none, and folders against the first, wherever cells
    differ in nothing else. A cell with a leaking run is not compared."""
    pairs = list(_pairs([cell for cell in cells if cell.counts]))
    found = [
        compare(candidate.lengths, reference.lengths, candidate.spec.budget.steps)
        for candidate, reference in pairs
    ]
    adjusted = benjamini_hochberg([one.p_value for one in found]) if found else ()
    return tuple(
        Compared(candidate, reference, one, float(p_value))
        for (candidate, reference), one, p_value in zip(pairs, found, adjusted, strict=True)
    )


def figures(of: Comparison | Together, p_value: float) -> tuple[str, str]:
    """The ratio over its interval, and `p_value` over how it was found."""
    return ratio(of.ratio, of.low, of.high), f"{p_value:.2g}\n{of.method}"


def _pairs(cells: Sequence[Cell]) -> Iterator[tuple[Cell, Cell]]:
    """Candidates, each with its reference."""
    nothing = InterventionSpec()
    mixers: dict[Any, list[Cell]] = {}
    interventions: dict[tuple[CellSpec, str], list[Cell]] = {}
    folders: dict[CellSpec, list[Cell]] = {}
    for cell in cells:
        spec = cell.spec
        rest = (spec.task, spec.network, spec.optimizer, spec.budget, spec.intervention, cell.folder)
        mixers.setdefault(rest, []).append(cell)
        interventions.setdefault((replace(spec, intervention=nothing), cell.folder), []).append(cell)
        folders.setdefault(spec, []).append(cell)
    for members in mixers.values():
        reference = next((cell for cell in members if cell.spec.mixer.name == REFERENCE), members[0])
        yield from ((cell, reference) for cell in members if cell is not reference)
    for members in interventions.values():
        plain = next((cell for cell in members if cell.spec.intervention == nothing), None)
        if plain is not None:
            yield from ((cell, plain) for cell in members if cell is not plain)
    for first, *others in folders.values():
        yield from ((cell, first) for cell in others)
