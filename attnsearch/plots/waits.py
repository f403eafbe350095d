"""The picture of mixers side by side: how long each waits at each search space, a panel a mixer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from attnsearch.base import Floats
from attnsearch.plots.style import BLUE, GREY, VERMILION, empty_figure, literal, written
from attnsearch.stats.survival import Waiting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS = 4
"""Panels beside each other, at most."""


class Waits(NamedTuple):
    """One mixer.

    bits:     log2 of the number of candidate supports of each cell, rising
    waiting:  the plateau lengths of each cell
    """

    label: str
    bits: Sequence[float]
    waiting: Sequence[Waiting]


def _waits_figure(mixers: Sequence[Waits], reference: Waits | None, budget: int, title: str) -> Figure:
    """The restricted mean plateau length of each mixer over the search space, at least one mixer.

    reference:  drawn in every panel, so that all can be held against it; None for none
    budget:     steps, drawn as a line
    """
    from matplotlib import ticker

    across = min(ACROSS, len(mixers))
    down = -(-len(mixers) // across)
    figure = empty_figure(max(1.7 * across + 0.6, 4.4), 1.45 * down + 1.2, title)
    panels = figure.subplots(
        down, across, sharex=True, sharey=True, squeeze=False, subplot_kw={"yscale": "log"}
    )
    for axes, one in zip(panels.flat, mixers, strict=False):
        if reference is not None and one is not reference:
            axes.plot(reference.bits, _means(reference), color=GREY, linewidth=1, gid="reference")
        _line(axes, one, VERMILION if one is reference else BLUE)
        axes.axhline(budget, color=GREY, linewidth=0.9, linestyle=":", gid="budget")
        axes.set_title(literal(one.label), fontsize=8)
    for axes in panels.flat[len(mixers) :]:
        axes.set_axis_off()
    # The ticks of a panel with none below it.
    for axes in panels.flat[max(0, len(mixers) - across) : len(mixers)]:
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("search space (bits)")
    lows = [wait.restricted_mean_low for one in mixers for wait in one.waiting]
    panels[0, 0].set(ylim=(max(min(lows, default=10), 5) / 1.4, budget * 1.4))
    # Within one decade matplotlib would label every minor tick, one upon another.
    panels[0, 0].yaxis.set_minor_locator(ticker.LogLocator(subs=(2, 5)))
    panels[0, 0].yaxis.set_major_formatter("{x:,.0f}")
    panels[0, 0].yaxis.set_minor_formatter("{x:,.0f}")
    figure.supylabel("plateau length (training steps)", fontsize=8.5)
    handles = {
        "restricted mean, 95 % interval": panels[0, 0].plot([], [], "o-", color=BLUE, markersize=4)[0],
        "no run escaped": panels[0, 0].plot([], [], "^", color=BLUE, fillstyle="none", markersize=5)[0],
        "budget": panels[0, 0].plot([], [], ":", color=GREY)[0],
    }
    if reference is not None:
        shown = panels[0, 0].plot([], [], "-", color=GREY)[0]
        handles = {f"{literal(reference.label)}, in every panel": shown, **handles}
    figure.legend(handles.values(), handles.keys(), loc="outside lower left", ncols=2, frameon=False)
    return figure


def _line(axes: Axes, one: Waits, colour: str) -> None:
    """The restricted means of one mixer with their intervals; hollow where no run escaped."""
    bits, mean = np.asarray(one.bits, np.float64), _means(one)
    low = np.array([wait.restricted_mean_low for wait in one.waiting])
    high = np.array([wait.restricted_mean_high for wait in one.waiting])
    escaped = np.array([wait.observed > 0 for wait in one.waiting], bool)
    axes.plot(bits, mean, color=colour, linewidth=1, gid="mean")
    error = [np.maximum(mean - low, 0), np.maximum(high - mean, 0)]
    axes.errorbar(bits, mean, error, fmt="none", ecolor=colour, elinewidth=1.2, capsize=2)
    solid = axes.plot(bits[escaped], mean[escaped], "o", color=colour)
    solid[0].set(markersize=4, gid="escaped")
    hollow = axes.plot(bits[~escaped], mean[~escaped], "^", color=colour, fillstyle="none")
    hollow[0].set(markersize=5, gid="censored")


def _means(one: Waits) -> Floats:
    return np.array([wait.restricted_mean for wait in one.waiting], np.float64)


waits_against_search_space = written(_waits_figure)
