"""A map that is measured from the host: what is shown to a network in any framework, and what it answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from attnsearch.base import Floats, Integers
from attnsearch.sequences.influence import Influence, distances, mapped_queries
from attnsearch.sequences.replacements import inside, moved_before
from attnsearch.sequences.sequences import Sequences


class HostMap:
    """The map of one run after `step` steps, in W ways of replacing tokens, one after another."""

    def __init__(self, sequences: Sequences, step: int):
        self.tokens, self._replaced, (self._first, self._end) = sequences.probes(step)
        self._sequences, self._way, self._later = sequences, 0, 0.0
        self._moved: list[Floats] = []
        self._untouched: Floats | None = None

    @property
    def ways(self) -> int:
        """W."""
        return len(self._first)

    @property
    def first(self) -> Integers:
        """`i32[P]`: the first token that is replaced in each sequence; L where none is."""
        return self._first[self._way]

    def shown(self) -> Integers:
        """`i32[P, L]`: the sequences with the tokens of the present way replaced."""
        mask = inside(self.first, self._end[self._way], self.tokens.shape[1])
        return np.where(mask, self._replaced, self.tokens)

    def take(self, answers: Any) -> None:
        """Take in the distributions that answer what was `shown`, `f32[P, Q, V]`. The next way follows."""
        generator = self._sequences.generator
        if self._untouched is None:
            self._untouched = answers
        moved = distances(answers, self._untouched)
        self._later = np.maximum(self._later, moved_before(generator, self.first, moved))
        if 0 < self._way <= generator.probed_positions.sum():
            self._moved.append(moved[:, mapped_queries(generator)])
        self._way += 1

    def influence(self) -> Influence:
        """The measured map, on the host, once every answer was taken in."""
        return self._sequences.map(np.stack(self._moved), self._later)
