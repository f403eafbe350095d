"""Pictures of runs: falls of the loss, attention maps, plateaus against search space.

A builder returns each figure; the public functions at the end take a path before its arguments, write
the figure there as PNG and return the path. Needs the extra `plot`. Numpy side; never imports jax.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, NamedTuple, ParamSpec

import numpy as np

from attnsearch import files
from attnsearch.base import AttnsearchError, Curves, Floats, Maps, Plateaus, Truth
from attnsearch.results.layout import columns_of, lines_of, marks_of, several_states, shares_of
from attnsearch.runs.measures import chance_map_mass
from attnsearch.stats.survival import summarise

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers tell apart; their yellow is too faint on white.
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK, GREY = "#E69F00", "#56B4E9", "#000000", "#595959"
COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
HIDDEN = "#EBEBEB"
MARKERS = "osDPX*"  # triangles are kept for censored runs
STYLE = {"font.size": 8.5, "axes.titlesize": "medium", "axes.spines.top": False, "axes.spines.right": False}
P = ParamSpec("P")


class Series(NamedTuple):
    """The runs of one mixer.

    label:     what the legend calls it
    bits:      `f64[N]` log2 of the number of candidate supports of each run's task
    plateaus:  lengths `i64[N]` in steps, with their censoring
    """

    label: str
    bits: Floats
    plateaus: Plateaus


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


def _plateau_figure(series: Sequence[Series], budget: int, title: str) -> Figure:
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
        dots = axes.plot(across[observed], length[observed], symbol, color=colour, label=one.label)
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


def empty_figure(width: float, height: float, title: str) -> Figure:
    """An empty figure of that size in inches."""
    from matplotlib.figure import Figure

    figure = Figure((width, height), dpi=150, facecolor="white", layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold", wrap=True)
    return figure


def require_matplotlib() -> None:
    """Errors: AttnsearchError, naming the extra, where matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        advice = "pip install 'attnsearch[plot]', or pass --no-plots"
        raise AttnsearchError(f"pictures need matplotlib: {advice}") from error


def written(build: Callable[P, Figure]) -> Callable[Concatenate[Path, P], Path]:
    """`build` with a path before its arguments: writes its figure there as PNG, returns the path."""

    def write(path: Path, /, *arguments: P.args, **named: P.kwargs) -> Path:
        require_matplotlib()
        import matplotlib.style

        # Alike whatever the user's own settings are, which stay as they were.
        with matplotlib.style.context(["default", STYLE]):
            figure = build(*arguments, **named)
            picture = io.BytesIO()
            figure.savefig(picture, format="png", dpi=150, metadata={"Software": None})
        return files.write_whole(path, picture.getvalue())

    write.__doc__ = build.__doc__
    return write


loss_curves = written(_loss_figure)
attention_maps = written(_maps_figure)
plateau_against_search_space = written(_plateau_figure)
