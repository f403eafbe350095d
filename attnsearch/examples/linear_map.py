"""An example of a linear map, drawn: the matrix, a state, the next one, a highlighted row, the map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import jax
import numpy as np
from rich.text import Text

from attnsearch.base import Bools, Example, Integers
from attnsearch.examples.tokens import TokensExample
from attnsearch.generators.linear_map import LinearMap, LinearMapAutoregressive
from attnsearch.plots import examples as pictures_examples


@dataclass(frozen=True, eq=False)
class LinearMapExample:
    """A sequence of a linear map with its parts.

    matrix: `bool[S, S]`; state, next_state: `i32[S]`; tokens: `i32[L]`; attention_map: `bool[R, L]`
    modulus: C; bits: log2 of the nominal search space
    """

    matrix: Bools
    state: Integers
    next_state: Integers
    symbols: tuple[str, ...]
    attention_map: Bools
    modulus: int
    bits: float

    @classmethod
    def draw(
        cls,
        made: LinearMap | LinearMapAutoregressive,
        rule: jax.Array,
        knobs: Mapping[str, jax.Array],
        example: Example,
    ) -> Self | TokensExample:
        """`example`, which obeys `rule`; as tokens, unless it is two states of digits with each row once."""
        if made.num_targets > made.state_size or made.modulus > 10:
            return TokensExample.draw(made, rule, knobs, example)
        targets = np.arange(made.state_size)
        tokens = np.asarray(example.tokens)
        attention_map = np.asarray(made.supports(rule, example.tokens, targets))
        return cls(
            matrix=attention_map[:, : made.state_size],
            state=tokens[: made.state_size],
            next_state=np.asarray(example.answers)[made.is_target],
            symbols=tuple(str(token) if token < made.num_values else "_" for token in tokens),
            attention_map=attention_map,
            modulus=made.modulus,
            bits=made.log2_search_space(knobs),
        )

    @property
    def targets(self) -> int:
        """R."""
        return len(self.matrix)

    @property
    def telling(self) -> int:
        """The target that is highlighted unless another is asked for."""
        return 1

    def terminal(self, row: int) -> Text:
        """The example in lines of text, with target `row` highlighted."""
        size = len(self.matrix)
        chosen = self.matrix[row]
        text = Text()
        text.append(
            f"{'A':^{2 * size}}    x0    x1    attention map: a row a target, a column a token\n", "dim"
        )
        text.append(" " * (2 * size + 20))
        for position, symbol in enumerate(self.symbols):
            text.append(f"{symbol} ", "bold red" if self.attention_map[row, position] else "")
        text.append("\n")
        for index in range(size):
            style = "bold red" if index == row else ""
            text.append(_cells(self.matrix[index]), style)
            text.append(" x " if index == size // 2 else "   ")
            text.append(f"{self.state[index]:>2}", "bold red" if chosen[index] else "")
            text.append("   = " if index == size // 2 else "     ")
            text.append(f"{self.next_state[index]}", style)
            text.append("  > " if index == row else "    ", style)
            text.append(f"{'t' + str(index):<4} ", style)
            text.append(_cells(self.attention_map[index]), style)
            text.append("\n")
        terms = " + ".join(str(cell) for cell in self.state[chosen])
        text.append(f"\ntarget {row} = {terms} = {self.next_state[row]} (mod {self.modulus}), ", "bold red")
        text.append(f"one of {2**self.bits:,.0f} supports it could have had ({self.bits:.1f} bits)")
        return text

    def picture(self, path: Path, row: int, title: str) -> Path:
        """The same as a PNG at `path`."""
        return pictures_examples.linear_map_example(
            path,
            self.matrix,
            self.state,
            self.next_state,
            self.modulus,
            self.symbols,
            self.attention_map,
            row,
            title,
        )


def _cells(row: Bools) -> str:
    return "".join("# " if cell else ". " for cell in row)
