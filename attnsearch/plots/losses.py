"""The picture of a run's losses: every target over the steps, with what was reached and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnsearch.base import Curves, Truth
from attnsearch.plots.style import BLACK, GREY, empty_figure, written
from attnsearch.results.layout import lines_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _loss_figure(curves: Curves, truth: Truth, escape: int | None, mastery: int | None, title: str) -> Figure:
    """The loss of every target over steps; of many, the mean of each state, beside Bayes' own.

    escape, mastery: steps, None where not reached
    """
    from matplotlib import cm, colormaps, colors

    targets, lines = np.asarray(curves.loss, np.float64)[:, truth.is_target], lines_of(truth)
    chance, floor = float(truth.chance_loss), float(truth.bayes_loss.mean())
    mean = targets.mean(axis=1)
    finite = np.isfinite(mean)
    losses = np.stack([targets[:, group].mean(axis=1) for group in lines.groups], axis=1)
    # The sum over time orders targets by when they fall, without a threshold that some never cross.
    falls = np.where(finite[:, None], losses, chance).sum(axis=0).argsort(kind="stable")
    order = falls if lines.of == "target" else np.arange(losses.shape[1])
    shades = colors.ListedColormap(colormaps["viridis"](np.linspace(0, 0.88, len(order))))
    # One point makes no line: it is a dot, and not at the edge.
    solid, dashed, beyond = ("o-", "o--", 2) if len(curves.step) < 2 else ("-", "--", 1)
    last = float(curves.step.max(initial=10)) * beyond

    figure = empty_figure(6.4, 3.6, title)
    axes = figure.subplots()
    for rank, line in enumerate(order):
        axes.plot(curves.step, losses[:, line], solid, color=shades(rank), linewidth=0.9, gid=lines.of)
    axes.plot(curves.step, mean, dashed, color=BLACK, linewidth=1.7, gid="mean", label="mean over targets")

    note = {"textcoords": "offset points", "color": GREY, "annotation_clip": False}
    levels = [("chance", chance), ("floor", floor)]
    for _, level in levels:
        axes.axhline(level, color=GREY, linewidth=0.8, linestyle=":", gid="level")
    if lines.of == "state":
        bayes = [float(truth.bayes_loss[group].mean()) for group in lines.groups]
        for rank, level in enumerate(bayes):
            axes.plot([0.96 * last, last], [level] * 2, color=shades(rank), linewidth=2.4, gid="bayes")
        levels.append((f"Bayes, {lines.names[0]}:", bayes[0]))
    lowest = -np.inf
    for name, level in sorted(levels, key=lambda known: known[1]):
        # Labels of neighbouring levels would overlap: the higher one moves up.
        lowest = max(level, lowest + 0.065 * chance)
        axes.annotate(f"{name} {level:.3g}", (last, lowest), (4, 0), va="center", **note)
    marks = [("escape", escape), ("mastery", mastery)]
    marks.append(("not finite", None if finite.all() else int(curves.step[~finite][0])))
    height, before = 0, -last
    for step, name in sorted((step, name) for name, step in marks if step is not None):
        # Labels of neighbouring marks would overlap: the later one moves up a line.
        height, before = (height + 1 if step - before < 0.25 * last else 0), step
        axes.axvline(step, color=GREY, linewidth=0.9, gid="mark")
        at = axes.get_xaxis_transform()
        axes.annotate(f"{name}, step {step:,}", (step, 1), (0, 4 + 11 * height), at, ha="center", **note)

    # What a diverging run does above twice chance would flatten everything else.
    highest = np.clip(1.05 * losses[finite].max(initial=chance), 1.12 * chance, 2 * chance)
    axes.set(ylim=(min(floor, 0) - 0.04 * chance, highest), ylabel="loss (nats)")
    axes.set(xlim=(0, last), xlabel="training step")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.legend(loc="best", edgecolor="none")
    if len(order) > 1:
        bar = figure.colorbar(cm.ScalarMappable(cmap=shades), ax=axes, fraction=0.03, pad=0.02)
        ends = ["first", "last"] if lines.of == "target" else [lines.names[0], lines.names[-1]]
        bar.set_ticks([0, 1], labels=ends)
        bar.set_label(
            "targets, by order of their fall"
            if lines.of == "target"
            else "mean of a state; at the right, Bayes"
        )
    return figure


loss_curves = written(_loss_figure)
