"""The picture of emergence: when targets of each search space are found, over a size of the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from attnsearch.base import Plateaus
from attnsearch.plots.style import COLOURS, GREY, MARKERS, empty_figure, literal, written
from attnsearch.stats.survival import Waiting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS = 4
"""Panels beside each other, at most."""

WIDEST = 0.55
"""Of the runs of one size, in doublings."""


class Emerged(NamedTuple):
    """The targets of one search space in one series of networks.

    label:    of the series
    bits:     log2 of the number of supports that a target could have had
    numbers:  the size of the networks of each cell, above 0 and rising
    steps:    of each cell, one of each run, with their censoring
    waiting:  the same in a few numbers
    """

    label: str
    bits: float
    numbers: Sequence[float]
    steps: Sequence[Plateaus]
    waiting: Sequence[Waiting]


def _emergence_figure(groups: Sequence[Emerged], size: str, budget: int, title: str) -> Figure:
    """Every run's step to emergence over the size of its network, a panel a search space; at least one group.

    size:    what the size is called
    budget:  steps, drawn as a line; a censored run stands at its own length
    """
    from matplotlib.ticker import NullLocator

    spaces = sorted({one.bits for one in groups})
    labels = list(dict.fromkeys(one.label for one in groups))
    across = min(ACROSS, len(spaces))
    down = -(-len(spaces) // across)
    figure = empty_figure(max(1.9 * across + 0.5, 4.4), 2.3 * down + 1.1, title)
    panels = figure.subplots(
        down, across, sharex=True, sharey=True, squeeze=False, subplot_kw={"yscale": "log"}
    )
    numbers = np.unique(np.concatenate([one.numbers for one in groups]))
    gaps = np.diff(np.log2(numbers))
    band = min(WIDEST, 0.7 * gaps.min(initial=np.inf)) / len(labels)
    for axes, bits in zip(panels.flat, spaces, strict=False):
        for one in (one for one in groups if one.bits == bits):
            _series(axes, one, labels.index(one.label), band, len(labels))
        axes.axhline(budget, color=GREY, linewidth=0.9, linestyle=":", gid="budget")
        axes.set_title(f"{2**bits:,.0f} supports ({bits:.1f} bits)", fontsize=8)
    for axes in panels.flat[len(spaces) :]:
        axes.set_axis_off()
    # The ticks of a panel with none below it.
    for axes in panels.flat[max(0, len(spaces) - across) : len(spaces)]:
        axes.tick_params(labelbottom=True)
        axes.set_xlabel(literal(size))
    first = panels[0, 0]
    first.set_xscale("log", base=2)
    first.set_xticks(numbers, [f"{number:g}" for number in numbers])
    first.xaxis.set_minor_locator(NullLocator())
    first.set_xlim(numbers[0] / 2**0.6, numbers[-1] * 2**0.6)
    shortest = min(int(steps.length.min(initial=budget)) for one in groups for steps in one.steps)
    # At least a decade, so that a power of ten stands on the axis.
    first.set_ylim(min(max(shortest, 1), budget / 10) / 1.3, budget * 1.3)
    first.yaxis.set_major_formatter("{x:,.0f}")
    figure.supylabel("steps to emergence", fontsize=8.5)
    _legend(figure, first, labels, budget)
    return figure


def _series(axes: Axes, one: Emerged, index: int, band: float, several: int) -> None:
    """The runs of one series, side by side by their seeds, and their median with its interval."""
    colour, symbol = _look(index)
    shift = band * (index - (several - 1) / 2)
    middles = np.asarray(one.numbers, np.float64) * 2**shift
    for centre, steps in zip(middles, one.steps, strict=True):
        count = len(steps.length)
        across = centre * 2 ** (0.85 * band * ((np.arange(count) + 0.5) / count - 0.5))
        seen, length = steps.observed, np.maximum(steps.length, 1)  # a logarithm has no place for 0
        dots = axes.plot(across[seen], length[seen], symbol, color=colour, gid="observed")
        dots[0].set(markersize=3.5, markeredgewidth=0, alpha=0.6)
        dots = axes.plot(across[~seen], length[~seen], "^", color=colour, fillstyle="none", gid="censored")
        dots[0].set(markersize=4.5, markeredgewidth=0.8)
    medians = np.array([np.nan if wait.median is None else wait.median for wait in one.waiting])
    axes.plot(middles, medians, color=colour, linewidth=1.2, gid="median")
    half = 2 ** (band / 2)
    axes.hlines(medians, middles / half, middles * half, colour, linewidth=2.2)
    for centre, wait in zip(middles, one.waiting, strict=True):
        if wait.median is not None and wait.median_low:
            high = wait.horizon if wait.median_high is None else wait.median_high
            axes.plot([centre, centre], [wait.median_low, high], color=colour, linewidth=1.2, gid="interval")


def _legend(figure: Figure, axes: Axes, labels: Sequence[str], budget: int) -> None:
    """What each sign is; of the series, where there are several."""
    colour = GREY if len(labels) > 1 else COLOURS[0]
    handles = {
        "one seed": axes.plot([], [], MARKERS[0], color=colour, markersize=3.5)[0],
        "median, 95 % interval": axes.plot([], [], "-|", color=colour, linewidth=2.2)[0],
        f"not within {budget:,} steps": axes.plot([], [], "^", color=colour, fillstyle="none")[0],
        "budget": axes.plot([], [], ":", color=GREY)[0],
    }
    if len(labels) > 1:
        for index, label in enumerate(labels):
            look, symbol = _look(index)
            handles[literal(label)] = axes.plot([], [], f"{symbol}-", color=look, markersize=3.5)[0]
    figure.legend(handles.values(), handles.keys(), loc="outside lower left", ncols=4, frameon=False)


def _look(index: int) -> tuple[str, str]:
    return COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]


emergence_against_size = written(_emergence_figure)
