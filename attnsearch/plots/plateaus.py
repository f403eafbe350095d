"""The picture of a study: every run's plateau over its search space, a colour for each series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from attnsearch.base import Floats, Plateaus
from attnsearch.plots.style import COLOURS, GREY, MARKERS, empty_figure, literal, written
from attnsearch.stats.survival import summarise

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Dots(NamedTuple):
    """The runs of one series.

    label:     what the legend calls it
    bits:      `f64[N]` log2 of the number of candidate supports of each run's task
    plateaus:  lengths `i64[N]` in steps, with their censoring
    """

    label: str
    bits: Floats
    plateaus: Plateaus


def _plateau_figure(series: Sequence[Dots], budget: int, title: str) -> Figure:
    """Every run's plateau length over its search space.

    budget: steps, drawn as a line; a censored run stands at its own length
    """
    figure = empty_figure(6.4, 4.2 + 0.1 * len(series), title)
    axes = figure.subplots(subplot_kw={"yscale": "log"})
    # Equal counts of supports may differ in their logarithm's last digits.
    bits = [np.round(np.asarray(one.bits, np.float64), 6) for one in series]
    places = np.unique(np.concatenate([*bits, np.empty(0)]))
    lengths = [np.maximum(one.plateaus.length, 1) for one in series]  # a logarithm has no place for 0
    first, last = (places[0], places[-1]) if len(places) else (0.0, 0.0)
    span = max(last - first, 1.0)
    gaps = np.diff(places, prepend=-np.inf, append=np.inf)
    spread = np.clip(0.4 * np.minimum(gaps[:-1], gaps[1:]), 0.025 * span, 0.12 * span)
    # At least a decade, so that a power of ten stands on the axis.
    drawn = np.concatenate([*lengths, [budget, budget / 10]])
    axes.set(ylim=(drawn.min() / 1.3, drawn.max() * 1.3), ylabel="plateau length (training steps)")
    axes.set_xlim(first - max(0.08 * span, 0.5), last + max(0.08 * span, 0.5))

    for index, (one, at, length) in enumerate(zip(series, bits, lengths, strict=True)):
        # Legends leave out what begins with a line.
        label = literal(f" {one.label}" if one.label.startswith("_") else one.label)
        colour, symbol = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
        own, observed = np.unique(at), one.plateaus.observed
        band = spread[np.searchsorted(places, own)] / len(series)
        centre = own + band * (index - (len(series) - 1) / 2)
        across, medians = np.empty(len(at)), np.full(len(own), np.nan)
        for k, place in enumerate(own):
            here = np.flatnonzero(at == place)
            # Runs at one place stand side by side, so that equal lengths can be counted.
            across[here] = centre[k] + 0.8 * band[k] * ((np.arange(len(here)) + 0.5) / len(here) - 0.5)
            # One run is its own median. Where most are censored early, the rest must not speak for all.
            if len(here) > 1 and observed[here].mean() >= 0.5:
                medians[k] = summarise(Plateaus(length[here], observed[here])).median
        dots = axes.plot(across[observed], length[observed], symbol, color=colour, label=label)
        dots[0].set(markersize=4, markeredgewidth=0, alpha=0.75, gid="observed")
        dots = axes.plot(across[~observed], length[~observed], "^", color=colour, fillstyle="none")
        dots[0].set(markersize=5, markeredgewidth=0.9, gid="censored")
        axes.plot(centre, medians, color=colour, linewidth=1, gid="median")
        axes.hlines(medians, centre - band / 2, centre + band / 2, colour, linewidth=2.2)

    axes.plot([], [], color=GREY, linewidth=1.6, label="median, where half have escaped")
    axes.plot([], [], "^", color=GREY, fillstyle="none", label=f"not escaped within {budget:,} steps")
    axes.axhline(budget, color=GREY, linewidth=0.9, linestyle=":", label="budget", gid="budget")
    axes.set(xlabel="search space: log₂ of the number of candidate supports (bits)")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    figure.legend(loc="outside lower left", ncols=2, frameon=False)
    return figure


plateau_against_search_space = written(_plateau_figure)
