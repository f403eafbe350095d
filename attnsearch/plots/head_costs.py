"""The picture of an ablation: what each head costs each target, beside where it looks.

Needs the extra `plot`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnsearch.plots.style import BLUE, GREY, SKY, VERMILION, empty_figure, written
from attnsearch.results.head_costs import HeadCosts

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _head_costs_figure(costs: HeadCosts, title: str) -> Figure:
    """Mapped targets across and heads down: the increase of the loss, and the attention mass beside it."""
    from matplotlib.colors import LinearSegmentedColormap

    mapped, chance = costs.truth.mapped, float(costs.truth.chance_loss)
    increase = costs.increase[:, mapped]
    # What is above is wrong with confidence; a scale up to there would hide the rest.
    top = float(np.clip(increase.max(initial=0), chance, 2 * chance))
    panels = [("loss increase without the head", "nats", increase, top, [VERMILION, "#3B1A00"])]
    if costs.mass is not None:
        panels.append(("attention mass on the support", "share", costs.mass, 1.0, [SKY, BLUE, "#00263D"]))

    heads, targets = increase.shape
    width, height = np.clip(0.3 * targets, 2.2, 4.6), np.clip(0.26 * heads, 1.6, 8.0)
    figure = empty_figure(len(panels) * (width + 1.1) + 0.3, height + 1.5, title)
    across, down = (
        range(0, n, 1 << max(0, (n - 1).bit_length() - most)) for n, most in ((targets, 3), (heads, 4))
    )
    for index, (name, unit, values, highest, colours) in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), index + 1)
        shades = LinearSegmentedColormap.from_list(name, ["white", *colours])
        image = axes.imshow(values, shades, vmin=0, vmax=highest, aspect="auto", interpolation="nearest")
        axes.set(title=name, xlabel="target", ylabel="" if index else "head (layer.head)")
        axes.set_xticks(across, labels=[str(mapped[k]) for k in across])
        axes.set_yticks(down, labels=[costs.names[k] for k in down])
        axes.spines[:].set(visible=True, color=GREY, linewidth=0.6)
        # The head that is highest for each target, in either panel.
        axes.plot(
            range(targets), values.argmax(axis=0), "o", markersize=3, markeredgewidth=0.8, gid="highest"
        )
        axes.lines[-1].set(markerfacecolor="white", markeredgecolor="black")
        extend = "max" if values.max(initial=0) > highest else "neither"
        figure.colorbar(image, ax=axes, fraction=0.05, pad=0.02, extend=extend, label=unit)
    some = "" if targets == len(costs.whole) else f"; {targets} of {len(costs.whole)} targets"
    figure.supxlabel(f"dots: the highest of each target{some}", color=GREY, fontsize="medium")
    return figure


head_costs = written(_head_costs_figure)
