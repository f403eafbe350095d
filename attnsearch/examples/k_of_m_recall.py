"""An example of recall by k of m attributes, drawn: a line for each block, and one for the query."""

from __future__ import annotations

import numpy as np
from rich.text import Text

from attnsearch.examples.tokens import TokensExample
from attnsearch.generators.k_of_m_recall import KOfMRecall

_LEFT = 12
"""Characters before the first attribute."""


class BlocksExample(TokensExample):
    """A sequence of `KOfMRecall`. As a picture it is drawn like any other."""

    def terminal(self, row: int) -> Text:
        """The example in lines of text."""
        assert isinstance(self.generator, KOfMRecall)
        attributes = self.generator.num_attributes
        query, matters = self.tokens[-attributes:], self.supports[row, -attributes:]
        blocks = self.tokens[:-attributes].reshape(-1, attributes + 1)
        read = self.supports[row, :-attributes].reshape(blocks.shape)
        wide = 2 + max(len(str(value)) for value in (*self.tokens, attributes - 1))
        text = Text()

        def line(name: str, cells: list[str], style: list[str]) -> None:
            text.append(f"{name:<{_LEFT}}", style[0] if ">" in name else "")
            for cell, one in zip(cells, style, strict=True):
                text.append(f"{cell:>{wide}}", one)

        line("attribute", [str(place) for place in range(attributes)], ["dim"] * attributes)
        text.append("  value\n", "dim")
        line("matters", ["#" if one else "." for one in matters], ["bold red"] * attributes)
        text.append("\n")
        for number, (block, chosen) in enumerate(zip(blocks, read, strict=True)):
            styles = ["bold red" if one else "" for one in chosen]
            line(f"{'>' if chosen.any() else ' '} block {number}", list(map(str, block)), styles)
            agrees = " ".join(map(str, np.flatnonzero(block[:-1] == query)))
            text.append(f"   agrees on {agrees}\n", "dim")
        line("query", list(map(str, query)), ["bold red" if one else "" for one in matters])
        text.append(f"{self.answers[row]:>{wide}}", "bold red")
        text.append("   the answer, asked at the last attribute\n", "dim")
        text.append(f"\n{self.sentence(row)}\n", "bold red")
        text.append("# matters, . does not; > agrees with the query on all that matter", "dim")
        return text
