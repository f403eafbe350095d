"""Parts that the pictures share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from attnsearch.base import Floats, Plateaus
from attnsearch.plots.style import BLUE, GREEN, GREY, VERMILION
from attnsearch.results.cells import Cell
from attnsearch.stats.survival import cut, summarise
from benchmarks.reproduction.archive import waits

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = (BLUE, GREEN, VERMILION)
CENSORED = "open triangles: not escaped within the budget (dotted)"


def dots(
    axes: Axes, places: Floats, waiting: Plateaus, colour: str, marker: str, filled: bool = True
) -> None:
    """Runs at `places`; censored ones as open triangles."""
    for seen, symbol in ((True, marker), (False, "^")):
        here = waiting.observed == seen
        drawn = axes.plot(places[here], waiting.length[here], symbol, color=colour, alpha=0.75)
        drawn[0].set(markersize=4.5, fillstyle="full" if seen and filled else "none")


class Look(NamedTuple):
    """How a series is drawn."""

    label: str
    colour: str
    marker: str


def lined(axes: Axes, members: Mapping[int, Plateaus], look: Look) -> None:
    """Waiting times over a number: runs side by side, and a line through the medians."""
    medians = []
    for place, waiting in members.items():
        places = place * np.linspace(0.96, 1.04, len(waiting.length))
        dots(axes, places, waiting, look.colour, look.marker)
        medians.append(summarise(waiting).median)
    line = np.array([np.nan if value is None else value for value in medians])
    axes.plot(list(members), line, "-", color=look.colour, label=look.label)


def within(
    members: Mapping[int, Cell], horizon: int, steps: Callable[[Cell], Plateaus] = waits
) -> dict[int, Plateaus]:
    """The `steps` of each cell, up to `horizon`."""
    return {place: cut(steps(cell), horizon) for place, cell in members.items()}


def ticked(axes: Axes, places: Sequence[int], budget: int) -> None:
    """Logarithmic axes with ticks at `places`, and the budget."""
    axes.axhline(budget, color=GREY, linewidth=0.9, linestyle=":")
    axes.set(xscale="log", yscale="log", xlim=(0.8 * places[0], 1.25 * places[-1]))
    axes.set_xticks(places, [str(place) for place in places])
    axes.minorticks_off()
    axes.set_yticks([20, 50, 100, 200, 500, 1_000, 2_000])
    axes.yaxis.set_major_formatter("{x:,.0f}")
