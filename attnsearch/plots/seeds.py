"""The picture of a cell: the mean target loss of each of its runs over the steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from attnsearch.base import Floats, Integers
from attnsearch.plots.style import GREY, empty_figure, written

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class SeedCurve(NamedTuple):
    """One run.

    step:    `i64[E]`
    loss:    `f64[E]` mean target loss, as a share of chance
    escape:  step, None where it did not
    """

    seed: int
    step: Integers
    loss: Floats
    escape: int | None


def _seeds_figure(curves: Sequence[SeedCurve], escape: float, budget: int, title: str) -> Figure:
    """The loss of every run, at least one, a line each, in the order of their escapes.

    escape:  the threshold, as a share of chance
    budget:  steps; a run that ends before it has mastered its targets or has diverged
    """
    from matplotlib import colormaps

    figure = empty_figure(6.4, 3.2, title)
    axes = figure.subplots()
    ordered = sorted(curves, key=lambda one: (one.escape is None, one.escape or 0, one.seed))
    shades = colormaps["viridis"](np.linspace(0, 0.88, len(ordered)))
    longest = max(int(one.step.max(initial=10)) for one in ordered)
    for shade, one in zip(shades, ordered, strict=True):
        told = f"{one.escape:,}" if one.escape is not None else "–"
        axes.plot(one.step, one.loss, color=shade, linewidth=1.1, label=f"{one.seed}: {told}", gid="seed")
        if one.escape is not None:
            height = one.loss[np.searchsorted(one.step, one.escape)]
            axes.plot([one.escape], [height], "o", color=shade, markersize=3.5, gid="escape")
    axes.axhline(escape, color=GREY, linewidth=0.8, linestyle=":", gid="threshold")
    axes.annotate(
        f"escape below {escape:g}",
        (1, escape),
        (-2, -3),
        axes.get_yaxis_transform(),
        textcoords="offset points",
        ha="right",
        va="top",
        color=GREY,
    )
    axes.set(xlim=(0, longest * 1.02), xlabel=f"training step (budget {budget:,})")
    axes.set(ylim=(-0.04, 1.25), ylabel="mean target loss / chance")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    figure.legend(title="seed: escape", loc="outside right upper", frameon=False)
    return figure


loss_of_seeds = written(_seeds_figure)
