"""The picture of early signals: how well each tells at each step when a target will be found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnsearch.plots.style import BLUE, GREY, VERMILION, empty_figure, written
from attnsearch.results.early_signals import HALVES, EarlySignal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHIFT = 1.07
"""By how much the halves stand apart, so that neither hides the other."""

_MARKS = ((BLUE, "o"), (VERMILION, "s"))
"""Of either half."""


def _signal_figure(signals: Sequence[EarlySignal], title: str) -> Figure:
    """A panel for each signal: its correlation over steps by either half of the seeds, with its interval.

    What is not shown to tell is grey and open.
    """
    names = list(dict.fromkeys(one.signal for one in signals))
    figure = empty_figure(2.4 * len(names) + 0.8, 3.2, title)
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False, subplot_kw={"xscale": "log"})[0]
    steps = [one.step for one in signals]
    for axes, signal in zip(panels, names, strict=True):
        axes.axhline(0, color=GREY, linewidth=0.8, linestyle=":")
        for one in signals:
            if one.signal == signal:
                _draw(axes, one)
        axes.set(title=signal.name, xlabel="training step", ylim=(-1.05, 1.05))
        axes.set_xlim(min(steps) / 1.5, max(steps) * 1.5)
        axes.set_xticks(sorted(set(steps)), labels=[f"{step:,}" for step in sorted(set(steps))])
        axes.minorticks_off()
        axes.tick_params("x", labelrotation=45)
    panels[0].set_ylabel("rank correlation with\nthe step of finding")
    for half, (colour, symbol) in zip(HALVES, _MARKS, strict=True):
        panels[0].plot([], [], symbol, color=colour, markersize=4.5, label=f"{half} seeds")
    panels[0].plot([], [], "o", color=GREY, fillstyle="none", markersize=4.5, label="not shown to tell")
    figure.legend(loc="outside lower left", ncols=3, frameon=False)
    return figure


def _draw(axes: Axes, one: EarlySignal) -> None:
    """Both halves at the step of an early signal."""
    for place, (told, (colour, symbol)) in enumerate(zip(one.halves, _MARKS, strict=True)):
        drawn, style = (colour, "full") if one.tells else (GREY, "none")
        at = one.step * _SHIFT ** (2 * place - 1)
        axes.vlines(at, told.low, told.high, drawn, linewidth=1.4, gid="interval")
        axes.plot(at, told.value, symbol, color=drawn, fillstyle=style, markersize=4.5, gid=style)


early_signals = written(_signal_figure)
