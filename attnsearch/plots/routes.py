"""The picture of competing routes: each point's margin with its interval, hops, and each route's mass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnsearch.base import Contests, RouteMass
from attnsearch.plots.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    HIDDEN,
    MARKERS,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    empty_figure,
    literal,
    written,
)
from attnsearch.stats.hopping import GENERAL, MODES, SHALLOW, UNCERTAIN, Hopping

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# As the report's ribbon has them.
_COLOURS = {GENERAL: GREEN, SHALLOW: VERMILION}
_OTHERS = (BLACK, BLUE, ORANGE, PURPLE, SKY)
_OF_ROUTES = {MODES[mode]: colour for mode, colour in _COLOURS.items()}


def _route_figure(contests: Contests, hopping: Hopping, routes: RouteMass, title: str) -> Figure:
    """Margin and agreement over steps; below them the share of the map on each named route, where known."""
    figure = empty_figure(6.4, 4.6, title)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    step, margin = contests.step, hopping.margin
    above.axhline(0, color=GREY, linewidth=0.8, linestyle=":")
    above.fill_between(step, margin.low, margin.high, color=HIDDEN, linewidth=0, gid="interval")
    for mode in (GENERAL, SHALLOW, UNCERTAIN):
        at = hopping.modes == mode
        above.plot(
            step[at],
            margin.mean[at],
            ".",
            color=_COLOURS.get(mode, GREY),
            markersize=3,
            gid="mode",
            label=f"{MODES[mode]}, {100 * hopping.occupancy(mode):.0f} %",
        )
    for place in hopping.settled[1:]:
        above.axvline(step[place], color=GREY, linewidth=0.9, gid="hop")
        above.annotate(
            f"hop, step {step[place]:,}",
            (step[place], 1),
            (0, 2),
            above.get_xaxis_transform(),
            "offset points",
            ha="center",
            color=GREY,
            annotation_clip=False,
        )
    above.set(ylabel="margin (nats)")
    above.legend(loc="best", edgecolor="none")
    for number, name in enumerate(routes.names):
        mass = np.asarray(routes.mass[:, number], np.float64)
        known = np.isfinite(mass).any(axis=1)
        mean = np.nanmean(mass[known], axis=1)
        form = f"{MARKERS[number % len(MARKERS)]}-"
        label = literal(f"map mass, {name}")
        colour = _OF_ROUTES.get(str(name), _OTHERS[number % len(_OTHERS)])
        below.plot(routes.step[known], mean, form, color=colour, markersize=3, linewidth=1, label=label)
    right = "agreeing items right"
    below.plot(step, contests.agreement, color=GREY, linewidth=0.9, gid="agreement", label=right)
    below.set(ylim=(-0.02, 1.04), ylabel="share", xlabel="training step")
    below.set(xlim=(0, float(step.max(initial=10))))
    below.xaxis.set_major_formatter("{x:,.0f}")
    below.legend(loc="best", edgecolor="none")
    return figure


competing_routes = written(_route_figure)
