"""Pictures of runs: falls of the loss, attention maps, plateaus against search space, an example.

A builder returns each figure; the public functions at the end take a path before its arguments, write
the figure there as PNG and return the path. Needs the extra `plot`. Numpy side; never imports jax.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, NamedTuple, ParamSpec

import numpy as np

from attnsearch.base import AttnsearchError, Bools, Curves, Floats, Integers, Maps, Plateaus, Truth
from attnsearch.plateau import chance_map_mass, map_mass
from attnsearch.survival import summarise

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers tell apart; their yellow is too faint on white.
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK, GREY = "#E69F00", "#56B4E9", "#000000", "#595959"
COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
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


def _loss_figure(
    curves: Curves,
    is_target: Bools,
    chance: float,
    floor: float,
    escape: int | None,
    mastery: int | None,
    title: str,
) -> Figure:
    """The loss of every target over steps.

    is_target: `bool[Q]`; chance, floor: nats; escape, mastery: steps, None where not reached
    """
    from matplotlib import cm, colormaps, colors

    losses = np.asarray(curves.loss, np.float64)[:, is_target]
    mean = losses.mean(axis=1)
    finite = np.isfinite(mean)
    # The sum over time orders targets by when they fall, without a threshold that some never cross.
    order = np.where(finite[:, None], losses, chance).sum(axis=0).argsort(kind="stable")
    shades = colors.ListedColormap(colormaps["viridis"](np.linspace(0, 0.88, len(order))))
    # One point makes no line: it is a dot, and not at the edge.
    solid, dashed, beyond = ("o-", "o--", 2) if len(curves.step) < 2 else ("-", "--", 1)
    last = float(curves.step.max(initial=10)) * beyond

    figure = _figure(6.4, 3.6, title)
    axes = figure.subplots()
    for rank, target in enumerate(order):
        axes.plot(curves.step, losses[:, target], solid, color=shades(rank), linewidth=0.9, gid="target")
    axes.plot(curves.step, mean, dashed, color=BLACK, linewidth=1.7, gid="mean", label="mean over targets")

    note = {"textcoords": "offset points", "color": GREY, "annotation_clip": False}
    for name, level in (("chance", chance), ("floor", floor)):
        axes.axhline(level, color=GREY, linewidth=0.8, linestyle=":", gid="level")
        axes.annotate(f"{name} {level:.3g}", (last, level), (4, 0), va="center", **note)
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
        bar.set_ticks([0, 1], labels=["first", "last"])
        bar.set_label("targets, by order of their fall")
    return figure


def _maps_figure(maps: Maps, truth: Truth, moments: Sequence[tuple[str, int]], title: str) -> Figure:
    """The measured map at some moments, beside the true one.

    moments: for each panel a label and an index into `maps.step`
    """
    from matplotlib.colors import LinearSegmentedColormap

    positions = np.flatnonzero(truth.replaceable)
    visible = positions <= truth.query_positions[truth.is_target][:, None]
    panels = [(f"{label}, step {maps.step[index]:,}", maps.influence[index]) for label, index in moments]
    panels.append(("ground truth", truth.attention_map))

    rows, columns = visible.shape
    # At most eight ticks along each side.
    down_ticks, across_ticks = (range(0, n, 1 << max(0, (n - 1).bit_length() - 3)) for n in visible.shape)
    width = float(np.clip(0.13 * columns, 1.7, 3.8))
    across = min(len(panels), 4 if width < 2.6 else 2)
    down = -(-len(panels) // across)
    size = max(across * (width + 0.25) + 1.1, 5.6), down * (width * max(rows / columns, 0.3) + 0.8) + 0.5
    figure = _figure(*size, title)
    colours = LinearSegmentedColormap.from_list("influence", ["white", SKY, BLUE, "#00263D"])
    # The scale ends at the share that a position of the true map has: what is above is read too narrowly.
    top = _shares(truth.attention_map).max(initial=0) or 1

    for index, (name, influence) in enumerate(panels):
        shares, mass = _shares(influence[:, positions]), map_mass(influence, truth.attention_map)
        known = mass[np.isfinite(mass)]
        # Grey is what a target cannot see. Influence from there is a leak, and is never covered up.
        seen = np.where(visible | (shares > 0), shares, np.nan)
        axes = figure.add_subplot(down, across, index + 1)
        axes.imshow(seen, colours.with_extremes(bad="#EBEBEB"), vmin=0, vmax=top)
        axes.set_title(f"{name}\nmap mass {known.mean():.2f}" if len(known) else f"{name}\nno influence")
        axes.set_xticks(across_ticks, labels=[str(positions[k]) for k in across_ticks])
        axes.set_yticks(down_ticks)
        axes.spines[:].set(visible=True, color=GREY, linewidth=0.6)
        axes.set(xlabel="position read", ylabel="" if index % across else "target")
        axes.tick_params(labelleft=index % across == 0)
    shown = figure.axes[0].images[0]
    label = "share of the target's influence"
    figure.colorbar(shown, ax=figure.axes, aspect=18 * down, pad=0.02, extend="max", label=label)
    note = "map mass: share of the influence that comes from the true support; by chance"
    figure.supxlabel(f"{note} {chance_map_mass(truth).mean():.2f}", color=GREY, fontsize="medium")
    return figure


def _plateau_figure(series: Sequence[Series], budget: int, title: str) -> Figure:
    """Every run's plateau length over its search space.

    budget: steps, drawn as a line; a censored run stands at its own length
    """
    figure = _figure(6.4, 4.2 + 0.1 * len(series), title)
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


def _example_figure(
    matrix: Bools,
    state: Integers,
    next_state: Integers,
    symbols: Sequence[str],
    attention_map: Bools,
    highlighted: int,
    title: str,
) -> Figure:
    """One linear map: matrix times state is the next state, and the same rows as an attention map.

    matrix: `bool[S, S]`; state, next_state: `i32[S]`; attention_map: `bool[S, L]`
    symbols: L strings, the tokens of the sequence; highlighted: the target that is followed through
    """
    from matplotlib import colors, patches

    size, length = attention_map.shape
    selected = np.asarray(matrix[highlighted], bool)
    followed = 1 + (np.arange(size) == highlighted)[:, None]
    # Left edges in cells: the matrix is at 0, signs and the followed line fill the gaps.
    before, after, tokens = size + 2, size + 5, size + 10
    cell = float(np.clip(10 / (tokens + length), 0.17, 0.34))
    figure = _figure(cell * (tokens + length) + 0.2, cell * (size + 4.4) + 0.4, title)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set(aspect="equal", xlim=(-0.2, tokens + length + 0.2), ylim=(size + 1.7, -2.7))

    shades = colors.ListedColormap(["white", "#9DB4C5", VERMILION])
    columns = ((before, state[:, None]), (after, next_state[:, None]))
    for left, values in ((0, matrix * followed), *columns, (tokens, attention_map * followed)):
        edges = left + np.arange(values.shape[1] + 1), np.arange(size + 1)
        cells = axes.pcolormesh(*edges, values, cmap=shades, vmin=0, vmax=2)
        cells.set(edgecolor="#BFBFBF", linewidth=0.3)
    boxes = [(0, highlighted, size), (after, highlighted, 1), (tokens, highlighted, length)]
    for left, row, width in boxes + [(before, int(row), 1) for row in np.flatnonzero(selected)]:
        axes.add_patch(patches.Rectangle((left, row), width, 1, fill=False, color=VERMILION, linewidth=1.4))
    axes.plot([after + 1, tokens], [highlighted + 0.5] * 2, color=VERMILION, linewidth=1)

    centred, digits = {"ha": "center", "va": "center"}, 72 * 0.55 * cell
    for left, values in columns:
        for row in range(size):
            axes.text(left + 0.5, row + 0.5, f"{values[row, 0]}", centred, fontsize=digits)
    for position, symbol in enumerate(symbols):
        text = axes.text(tokens + position + 0.5, -0.4, symbol, ha="center", fontsize=digits)
        if attention_map[highlighted, position]:
            text.set(color=VERMILION, fontweight="bold")
    for left, name in ((size / 2, "matrix A"), (before + 0.5, "$x_0$"), (after + 0.5, "$x_1$")):
        axes.text(left, -0.6, name, centred)
    for left, sign in ((size + 1, "\N{MULTIPLICATION SIGN}"), (size + 4, "=")):
        axes.text(left, size / 2, sign, centred, fontsize=12)
    axes.text(tokens + length / 2, -1.9, "attention map: a row a target, a column a token", centred)
    followed_sum = f"{' + '.join(map(str, state[selected])) or '0'} = {next_state[highlighted]}"
    axes.text(0, size + 0.9, f"target {highlighted}:  {followed_sum}  (mod 2)", color=VERMILION, va="center")
    return figure


def _shares(rows: Floats | Bools) -> Floats:
    """Each row divided by its sum, `f64[R, K]`; a row of zeros stays zero."""
    values = np.asarray(rows, np.float64)
    total = values.sum(axis=1, keepdims=True)
    return np.divide(values, total, out=np.zeros_like(values), where=total > 0)


def _figure(width: float, height: float, title: str) -> Figure:
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


def _written(build: Callable[P, Figure]) -> Callable[Concatenate[Path, P], Path]:
    """`build` with a path before its arguments: writes its figure there as PNG, returns the path."""

    def write(path: Path, /, *arguments: P.args, **named: P.kwargs) -> Path:
        require_matplotlib()
        import matplotlib.style

        # Alike whatever the user's own settings are, which stay as they were.
        with matplotlib.style.context(["default", STYLE]):
            figure = build(*arguments, **named)
            path.parent.mkdir(parents=True, exist_ok=True)
            # Beside its place, so that the picture appears whole or not at all.
            unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
            try:
                figure.savefig(unfinished, format="png", dpi=150, metadata={"Software": None})
                unfinished.replace(path)
            finally:
                unfinished.unlink(missing_ok=True)
        return path

    write.__doc__ = build.__doc__
    return write


loss_curves = _written(_loss_figure)
attention_maps = _written(_maps_figure)
plateau_against_search_space = _written(_plateau_figure)
linear_map_example = _written(_example_figure)
