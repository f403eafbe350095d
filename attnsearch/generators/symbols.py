"""What tasks share whose tokens are symbols, of one kind or of several."""

from __future__ import annotations

from attnsearch.generators.base import Generator


class SymbolTask(Generator):
    """Every token is one of `num_symbols` symbols, a knob of the task, of one of `num_kinds` kinds."""

    num_symbols: int

    @property
    def num_values(self) -> int:
        return self.num_symbols

    @property
    def vocab_size(self) -> int:
        return self.num_kinds * self.num_symbols
