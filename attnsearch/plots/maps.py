"""The picture of a run's attention maps: as measured at a few steps, and the true one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnsearch.base import Maps, Truth
from attnsearch.plots.style import BLUE, GREY, HIDDEN, SKY, empty_figure, written
from attnsearch.results.layout import columns_of, marks_of, several_states, shares_of
from attnsearch.runs.leaks import later_influence, leaking
from attnsearch.runs.measures import chance_map_mass

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _maps_figure(maps: Maps, truth: Truth, moments: Sequence[tuple[str, int]], title: str) -> Figure:
    """The measured map at some moments, beside the true one; hatched where positions were never probed.

    moments: for each panel a label and an index into `maps.step`
    """
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Rectangle

    positions, gaps, unprobed, edges = columns_of(truth)
    visible = positions <= truth.queries[:, None]
    # Where each position stands, when one hatched column is kept for every run of those in between.
    places = np.arange(len(positions)) + np.searchsorted(gaps, np.arange(len(positions)), side="right")
    panels = [
        (f"{label}, step {maps.step[index]:,}", maps.influence[index], maps.mass[index])
        for label, index in moments
    ]
    panels.append(("ground truth", truth.attention_map, np.ones(len(truth.attention_map))))

    rows, columns = len(visible), len(positions) + len(gaps)
    # At most eight ticks along each side.
    down_ticks, across_ticks = (range(0, n, 1 << max(0, (n - 1).bit_length() - 3)) for n in visible.shape)
    width = float(np.clip(0.13 * columns, 1.7, 3.8))
    across = min(len(panels), 4 if width < 2.6 else 2)
    down = -(-len(panels) // across)
    notes = ["map mass: share of the influence that comes from the true support; by chance"]
    notes[0] += f" {chance_map_mass(truth).mean():.2f}"
    if unprobed:
        notes.append(
            f"hatched: {unprobed} of {len(positions) + unprobed} positions, never replaced, so not known"
        )
    if leaking(maps):
        notes.append(f"leaking: tokens behind a query moved its answer by {later_influence(maps):.2g}")
    if rows < len(truth.state):
        notes.append(f"rows: {rows} of {len(truth.state)} targets")
    wide = max(across * (width + 0.25) + 1.1, 5.6)
    # A title that is folded, and every note but the first, have lines of their own.
    folded = len(title) // int(10 * wide) + len(notes) - 1
    high = down * (width * max(rows / columns, 0.3) + 0.8) + 0.5 + 0.2 * folded
    figure = empty_figure(wide, high + 0.15 * down * several_states(truth), title)
    colours = LinearSegmentedColormap.from_list("influence", ["white", SKY, BLUE, "#00263D"])
    # The scale ends at the share that a position of the true map has: what is above is read too narrowly.
    top = shares_of(truth.attention_map).max(initial=0) or 1
    marks = marks_of(truth)
    rows_named = [marks[target] for target in truth.mapped]
    row_label = "target: state, cell" if several_states(truth) else "target"

    for index, (name, influence, mass) in enumerate(panels):
        shares = shares_of(influence[:, positions])
        known = mass[np.isfinite(mass)]
        # Grey is what a target cannot see. Influence from there is a leak, and is never covered up.
        seen = np.full((rows, columns), np.nan)
        seen[:, places] = np.where(visible | (shares > 0), shares, np.nan)
        axes = figure.add_subplot(down, across, index + 1)
        axes.imshow(seen, colours.with_extremes(bad=HIDDEN), vmin=0, vmax=top)
        for count, gap in enumerate(gaps):
            box = Rectangle((gap + count - 0.5, -0.5), 1, rows, hatch="////", gid="unprobed")
            axes.add_patch(box).set(facecolor="white", edgecolor="#BFBFBF", linewidth=0)
        for edge in edges:
            axes.axvline(places[edge] - 0.5, color=GREY, linewidth=0.6, gid="edge")
        axes.set_title(f"{name}\nmap mass {known.mean():.2f}" if len(known) else f"{name}\nno influence")
        axes.set_xticks(places[across_ticks], labels=[str(positions[k]) for k in across_ticks])
        axes.set_yticks(down_ticks, labels=[rows_named[k] for k in down_ticks])
        axes.spines[:].set(visible=True, color=GREY, linewidth=0.6)
        axes.set(xlabel="position read", ylabel="" if index % across else row_label)
        axes.tick_params(labelleft=index % across == 0)
    shown = figure.axes[0].images[0]
    label = "share of the target's influence"
    figure.colorbar(shown, ax=figure.axes, aspect=18 * down, pad=0.02, extend="max", label=label)
    figure.supxlabel("\n".join(notes), color=GREY, fontsize="medium")
    return figure


attention_maps = written(_maps_figure)
