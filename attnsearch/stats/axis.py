"""What plateaus are fitted against, in words. Sizes are log2 of it: a step of one doubles it."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class SearchSpace:
    """The number of supports that a target could have had, in bits."""

    key = "log2_search_space"
    one = "search space"
    several = "search spaces"
    each = "added bit"
    symbol = "bits"
    heading = "search space\n(bits)"

    def value(self, size: float) -> str:
        """A size in a table."""
        return f"{size:.1f}"

    def place(self, *sizes: float) -> str:
        """Sizes in a sentence."""
        return f"{', '.join(map(self.value, sizes))} bits"

    def power(self, slope: float, low: float, high: float) -> str | None:
        """The law as a power of what the axis counts: a sentence, or None where the factor says it."""
        del slope, low, high
        return None


@dataclass(frozen=True)
class Quantity:
    """A number that cells differ in, by doublings.

    key:   as settings call it: `num_pairs`
    name:  in words
    """

    key: str
    name: str

    @property
    def one(self) -> str:
        """One of it."""
        return f"value of {self.name}"

    @property
    def several(self) -> str:
        """More than one."""
        return f"values of {self.name}"

    @property
    def each(self) -> str:
        """A step of one."""
        return f"doubling of {self.name}"

    @property
    def symbol(self) -> str:
        """What the slope is multiplied with."""
        return f"log2({self.name})"

    @property
    def heading(self) -> str:
        """Of its column."""
        return self.name

    def value(self, size: float) -> str:
        """A size in a table: the number itself."""
        number = 2**size
        near = round(number)
        return f"{near:,}" if math.isclose(number, near, rel_tol=1e-5) else f"{number:g}"

    def place(self, *sizes: float) -> str:
        """Sizes in a sentence."""
        return f"{self.name} {', '.join(map(self.value, sizes))}"

    def power(self, slope: float, low: float, high: float) -> str | None:
        """The law as a power of the number, from the slope and the ends of its interval."""
        power, below, above = (f"{one / math.log(2):.2f}" for one in (slope, low, high))
        moves = "grows" if slope >= 0 else "falls"
        return f"The plateau {moves} as {self.name} to the power {power}, 95 % {below} to {above}."


Axis = SearchSpace | Quantity

SEARCH_SPACE = SearchSpace()
