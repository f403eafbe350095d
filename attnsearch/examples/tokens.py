"""An example of any task, drawn: tokens, the answers asked for, and the rows of the map beneath them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import jax
import numpy as np
from rich.text import Text

from attnsearch.base import Bools, Example, Floats, Integers
from attnsearch.generators.base import Generator, Rule
from attnsearch.plots.tokens import tokens_example

MOST_ROWS = 16
"""Rows of the map that a terminal shows, at most: those round the highlighted one."""

MOST_POSITIONS = 32
"""Positions that it shows, at most: in a longer context those that the highlighted target is about."""

_LEFT = 14
"""Characters before the first position."""


@dataclass(frozen=True, eq=False)
class TokensExample:
    """A sequence with its answers and its map.

    tokens:   `i32[L]`; answers: `i32[R]`, the answer to each target
    supports: `bool[R, L]`
    routes:   `bool[W, R, L]`, what each named route reads
    bits:     `f64[R]`, log2 of the number of supports that each target could have had
    """

    generator: Generator
    tokens: Integers
    answers: Integers
    supports: Bools
    routes: Bools
    bits: Floats

    @classmethod
    def draw(cls, made: Generator, rule: Rule, knobs: Mapping[str, jax.Array], example: Example) -> Self:
        """`example`, which obeys `rule`."""
        asked = rule, example.tokens, np.arange(made.num_targets)
        return cls(
            made,
            np.asarray(example.tokens),
            np.asarray(example.answers)[made.is_target],
            np.asarray(jax.jit(made.supports)(*asked)),
            np.asarray(jax.jit(made.routes)(*asked)),
            made.truth(rule, knobs).log2_search_space,
        )

    @property
    def targets(self) -> int:
        """R."""
        return len(self.answers)

    @property
    def telling(self) -> int:
        """The second target, where there is one."""
        return min(1, self.targets - 1)

    @property
    def queries(self) -> Integers:
        """`i32[R]`: the position at which each target is asked."""
        return self.generator.query_positions[self.generator.is_target]

    def sentence(self, row: int) -> str:
        """What target `row` is, what it depends on, and among how many supports that has to be found."""
        read = ", ".join(f"{self.tokens[position]} at {position}" for position in self._support(row))
        bits = self.bits[row]
        could = f"one of {2**bits:,.0f} supports it could have had ({bits:.1f} bits)"
        return (
            f"target {row}, asked at position {self.queries[row]}, is {self.answers[row]}."
            f" It depends on {read or 'no token'}: {could}"
        )

    def terminal(self, row: int) -> Text:
        """The example in lines of text, with target `row` highlighted."""
        columns = self._columns(row)
        wide = 1 + max(len(str(value)) for value in (*self.tokens, *self.answers, columns[-1]))
        support, text = set(self._support(row)), Text()
        asked = {int(query): answer for query, answer in zip(self.queries, self.answers, strict=True)}

        def line(name: str, cells: Mapping[int, str], chosen: set[int], style: str = "") -> None:
            text.append(f"{name:<{_LEFT}}", style)
            for position in columns:
                text.append(" " if position - 1 in columns or position == columns[0] else "…", "dim")
                text.append(f"{cells.get(position, ''):>{wide}}", "bold red" if position in chosen else style)
            text.append("\n")

        line("position", {position: str(position) for position in columns}, set(), "dim")
        line("token", {position: str(self.tokens[position]) for position in columns}, support)
        answers = {position: str(answer) for position, answer in asked.items()}
        line("answer", answers, {int(self.queries[row])})
        for target in self._rows(row):
            seen = [position for position in columns if position <= self.queries[target]]
            cells = {position: self._mark(target, position) for position in seen}
            mark = ">" if target == row else " "
            line(f"{mark} map of {target}", cells, set(columns) if target == row else set())
        text.append(f"\n{self.sentence(row)}\n", "bold red")
        for number, name in enumerate(self.generator.route_names, start=1):
            text.append(f"{number} is read by {name}\n", "dim")
        text.append("# is read, . is not; an answer stands at the position where it is asked for", "dim")
        return text

    def picture(self, path: Path, row: int, title: str) -> Path:
        """The same as a PNG at `path`; the rows of the map are those that recorded maps have, and `row`."""
        shown = np.union1d(self.generator.mapped_targets, [row])
        asked = (self.queries, self.answers, shown)
        names = enumerate(self.generator.route_names, start=1)
        sentence = "\n".join(
            [self.sentence(row), *(f"marked {number}: read by {name}" for number, name in names)]
        )
        return tokens_example(path, self.tokens, *asked, self.supports, self.routes, row, sentence, title)

    def _mark(self, target: int, position: int) -> str:
        """The number of the first route that reads the position; a sign where none does."""
        reading = np.flatnonzero(self.routes[:, target, position])
        if reading.size:
            return str(reading[0] + 1)
        return "#" if self.supports[target, position] else "."

    def _support(self, row: int) -> list[int]:
        return np.flatnonzero(self.supports[row]).tolist()

    def _rows(self, row: int) -> range:
        first = int(np.clip(row - MOST_ROWS // 2, 0, max(0, self.targets - MOST_ROWS)))
        return range(first, min(self.targets, first + MOST_ROWS))

    def _columns(self, row: int) -> list[int]:
        """The positions that are shown, rising."""
        if len(self.tokens) <= MOST_POSITIONS:
            return list(range(len(self.tokens)))
        told = [*self._support(row), int(self.queries[row])]
        near = {position + step for position in told for step in (-1, 0, 1)}
        inside = sorted(position for position in near if 0 <= position < len(self.tokens))
        return inside[-MOST_POSITIONS:]
