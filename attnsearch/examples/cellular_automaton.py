"""An example of a cellular automaton, drawn (after arXiv:2606.25010, Figure 2): states, a window, the map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import jax
import numpy as np
from rich.text import Text

from attnsearch.base import Bools, Example, Floats, Integers
from attnsearch.generators.cellular_automaton import CellularAutomaton
from attnsearch.plots import examples as pictures_examples

WIDEST = 32
"""Cells of a state that a terminal shows, at most: those round the highlighted one."""

LONGEST = 24
"""States that it shows, at most."""


@dataclass(frozen=True, eq=False)
class AutomatonExample:
    """A sequence of a cellular automaton.

    states:  `i[T, S]`; bits: `f64[R]` log2 of the number of windows each target could have had
    """

    automaton: CellularAutomaton
    states: Integers
    bits: Floats

    @classmethod
    def draw(
        cls, made: CellularAutomaton, rule: jax.Array, knobs: Mapping[str, jax.Array], example: Example
    ) -> Self:
        """`example`, which obeys one of the tables of `rule`, or one of its own."""
        states = np.asarray(example.tokens).reshape(made.num_states, made.state_size)
        return cls(made, states, made.truth(rule, knobs).log2_search_space)

    @property
    def targets(self) -> int:
        """R."""
        return (self.automaton.num_states - 1) * self.automaton.state_size

    @property
    def telling(self) -> int:
        """Of the second predicted state, where there is one: the rule has been seen at work by then."""
        return self.automaton.state_size * min(1, self.automaton.num_states - 2) + 1

    def sentence(self, row: int) -> str:
        """What target `row` is, by the rule, and among how many windows it has to be found."""
        state, cell = self._place(row)
        return (
            f"target {row} (state {state}, cell {cell}) = {self._rule(row)} = {self.states[state, cell]},"
            f" one of {2 ** self.bits[row]:,.0f} windows it could have had ({self.bits[row]:.1f} bits)"
        )

    def history(self, row: int) -> str:
        """Whether the entry has been used before, so that the sequence itself tells what it holds."""
        if self.automaton.compositions > 1:
            return "Between two states the rule is applied more than once: no entry of it is seen alone."
        entry = self._read(row)
        before = [earlier for earlier in range(row) if self._read(earlier) == entry]
        if not before:
            return "That entry has not been used before: nothing in the sequence shows what it holds."
        state, cell = self._place(before[-1])
        times = "once before," if len(before) == 1 else f"{len(before)} times before, last"
        return f"That entry has been used {times} for target {before[-1]} (state {state}, cell {cell})."

    def terminal(self, row: int) -> Text:
        """The example in lines of text, with target `row` highlighted."""
        state, cell = self._place(row)
        states, cells = self._shown_states(state), self._shown_cells(cell)
        window = set(self._window(row).tolist())
        wide = len(str(self.automaton.num_colours - 1)) + 2
        entry = self._read(row)
        lookup = wide * len(entry)
        text = Text()
        left = f"{'states, time downwards':<{wide * len(cells) + 10}}"
        text.append(f"{left}  {'rule':^{lookup}}   attention map of state {state}: a row a target\n", "dim")
        rows = self._map_rows(state, cells)
        header = f"{'':10}" + "".join(f"{one:^{wide}}" for one in cells)
        text.append(f"{header}  {'':{lookup}}   {'':9}{self._map_header(states, state, cells)}\n", "dim")
        for line in range(max(len(states), len(rows))):
            if line < len(states):
                self._append_state(text, states[line], cells, state, cell, window)
                if states[line] == state - 1:
                    text.append("  ")
                    for value in entry:
                        self._append_cell(text, value, "()")
                elif states[line] == state:
                    before = wide * ((len(entry) - 1) // 2)
                    text.append(" " * (2 + before))
                    self._append_cell(text, int(self.states[state, cell]), "[]")
                    text.append(" " * (lookup - before - wide))
                else:
                    text.append(" " * (2 + lookup))
            else:
                text.append(" " * (10 + wide * len(cells) + 2 + lookup))
            if line < len(rows):
                self._append_map_row(text, rows[line], states, state, cells, row)
            text.append("\n")
        text.append(f"\n{self.sentence(row)}\n", "bold red")
        text.append(f"{self.history(row)}\n")
        text.append(
            "[ ] the target, ( ) its window; in the map # is read, . is not, - is a whole state unread", "dim"
        )
        return text

    def picture(self, path: Path, row: int, title: str) -> Path:
        """The same as a PNG at `path`; the rows of the map are those that recorded maps have, and `row`."""
        shown = np.union1d(self.automaton.mapped_targets, [row])
        return pictures_examples.automaton_example(
            path,
            self.states,
            self.automaton.num_colours,
            self._window(row),
            self._read(row),
            self._rule(row),
            shown,
            self._supports(shown),
            row,
            f"{self.sentence(row)}\n{self.history(row)}",
            title,
        )

    def _place(self, row: int) -> tuple[int, int]:
        """State and cell of a target."""
        return 1 + row // self.automaton.state_size, row % self.automaton.state_size

    def _window(self, row: int) -> Integers:
        """Cells of the state before that the target depends on, from the first on along the ring."""
        first = self._place(row)[1] + self.automaton.compositions * int(self.automaton.offsets[0])
        return (first + np.arange(self.automaton.span)) % self.automaton.state_size

    def _read(self, row: int) -> tuple[int, ...]:
        """The colours of the window; with one application, of an entry of the rule's table."""
        state, cell = self._place(row)
        # A window larger than the ring meets cells again.
        cells = cell + self.automaton.offsets if self.automaton.compositions == 1 else self._window(row)
        return tuple(self.states[state - 1, cells % self.automaton.state_size].tolist())

    def _rule(self, row: int) -> str:
        colours = " ".join(map(str, self._read(row)))
        times = self.automaton.compositions
        return f"rule[{colours}]" if times == 1 else f"rule, {times} times, on [{colours}]"

    def _supports(self, targets: Integers) -> Bools:
        """`bool[P, L]`: the same for every rule."""
        nothing = np.zeros(0, np.int32)
        return np.asarray(self.automaton.supports(nothing, nothing, targets))  # pyright: ignore[reportArgumentType]

    def _shown_states(self, state: int) -> list[int]:
        count = min(LONGEST, self.automaton.num_states)
        first = int(np.clip(state - count // 2, 0, self.automaton.num_states - count))
        return list(range(first, first + count))

    def _shown_cells(self, cell: int) -> list[int]:
        size = self.automaton.state_size
        return (
            list(range(size)) if size <= WIDEST else [(cell - WIDEST // 2 + k) % size for k in range(WIDEST)]
        )

    def _map_rows(self, state: int, cells: list[int]) -> list[int]:
        """The targets of `state` whose windows are shown."""
        targets = [(state - 1) * self.automaton.state_size + cell for cell in cells]
        return [target for target in targets if set(self._window(target).tolist()) <= set(cells)]

    def _map_header(self, states: list[int], state: int, cells: list[int]) -> str:
        name = f"state {state - 1}"
        return "".join(
            f"{name if len(cells) >= len(name) else '':^{len(cells)}}" if one == state - 1 else " "
            for one in states
        )

    def _append_state(
        self, text: Text, at: int, cells: list[int], state: int, cell: int, window: set[int]
    ) -> None:
        text.append(f"state {at:<4}", "bold" if at in (state - 1, state) else "")
        for one in cells:
            marks = (
                "[]" if (at, one) == (state, cell) else "()" if at == state - 1 and one in window else "  "
            )
            self._append_cell(text, int(self.states[at, one]), marks)

    def _append_cell(self, text: Text, value: int, marks: str) -> None:
        wide = len(str(self.automaton.num_colours - 1))
        colour = pictures_examples.colours_of(self.automaton.num_colours)[value]
        text.append(
            f"{marks[0]}{value:>{wide}}{marks[1]}", f"{'bold ' if marks.strip() else ''}black on {colour}"
        )

    def _append_map_row(
        self, text: Text, target: int, states: list[int], state: int, cells: list[int], row: int
    ) -> None:
        read = set(self._window(target).tolist())
        style = "bold red" if target == row else ""
        text.append(f" {'>' if target == row else ' '} cell {self._place(target)[1]:<3}", style)
        for at in states:
            unfolded = "".join("#" if one in read else "." for one in cells)
            text.append(unfolded if at == state - 1 else "-", style)
