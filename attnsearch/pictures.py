"""Pictures of runs: falls of the loss, attention maps, plateaus against search space, an example.

Needs the extra `plot`; matplotlib is imported on first use. Every picture has a builder that returns
the figure and a function that writes it as PNG. Numpy side; never imports jax.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, NamedTuple, ParamSpec

import numpy as np

from attnsearch.base import AttnsearchError, Bools, Curves, Floats, Integers, Maps, Plateaus, Truth

if TYPE_CHECKING:
    from matplotlib.figure import Figure

P = ParamSpec("P")

# Okabe and Ito's colours, told apart by colour-blind readers; their yellow is too faint on white.
BLACK, ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
SERIES_COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
SERIES_MARKERS = "osDvPX"  # upward triangles are kept for censored runs
GREY, PALE = "#595959", "#EBEBEB"
STYLE = {
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.labelsize": 9.0,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


class Series(NamedTuple):
    """The runs of one mixer.

    label:     what the legend calls it
    bits:      `f64[N]` log2 of the number of candidate supports of each run's task
    plateaus:  lengths `i64[N]` in steps, with their censoring
    """

    label: str
    bits: Floats
    plateaus: Plateaus


def _written(build: Callable[P, Figure]) -> Callable[Concatenate[Path, P], Path]:
    """`build` with a path before its arguments: writes the figure there as PNG, returns the path."""

    @wraps(build)
    def write(path: Path, /, *arguments: P.args, **named: P.kwargs) -> Path:
        with _style():
            figure = build(*arguments, **named)
            path.parent.mkdir(parents=True, exist_ok=True)
            # Beside its place, so that the picture appears whole or not at all.
            unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
            try:
                figure.savefig(unfinished, format="png", dpi=150, metadata={"Software": None})
                os.replace(unfinished, path)
            finally:
                unfinished.unlink(missing_ok=True)
        return path

    return write


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
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap

    losses = np.asarray(curves.loss, np.float64)[:, is_target]
    mean = losses.mean(axis=1)
    finite = np.isfinite(mean)
    # The mean over time orders targets by when they fall, without a threshold that some never cross.
    order = np.where(finite[:, None], losses, chance).mean(axis=0).argsort(kind="stable")
    shades = ListedColormap(colormaps["viridis"](np.linspace(0, 0.88, len(order))))
    # A line of one point has no extent: it needs a marker to be seen.
    marker = "o" if len(curves.step) == 1 else ""

    figure = _figure(6.4, 3.6, title)
    axes = figure.subplots()
    for level in (chance, floor):
        axes.axhline(level, color=GREY, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
    for name, level in (("chance", chance), ("floor", floor)):
        axes.annotate(
            f"{name} {level:.3g}", (1, level), (4, 0), axes.get_yaxis_transform(), "offset points",
            va="center", color=GREY, fontsize=8,
        )  # fmt: skip
    for rank, target in enumerate(order):
        axes.plot(
            curves.step, losses[:, target], color=shades(rank), linewidth=0.9, marker=marker, gid="target"
        )
    axes.plot(
        curves.step, mean, color=BLACK, linewidth=1.6, linestyle=(0, (4, 2)), marker=marker, gid="mean",
        label="mean over targets",
    )  # fmt: skip

    last = float(curves.step.max(initial=1))
    marks = [("escape", escape), ("mastery", mastery)]
    if not finite.all():
        marks.append(("not finite", int(curves.step[~finite][0])))
    reached = sorted((step, name) for name, step in marks if step is not None)
    height, before = 0, -last
    for step, name in reached:
        # Labels of neighbouring marks would overlap: the later one moves up a line.
        height = height + 1 if step - before < 0.25 * last else 0
        before = step
        axes.axvline(step, color=GREY, linewidth=0.9, gid="mark", zorder=1)
        axes.annotate(
            f"{name}, step {step:,}", (step, 1), (0, 3 + 11 * height), axes.get_xaxis_transform(),
            "offset points", ha="center", va="bottom", color=GREY, fontsize=8,
        )  # fmt: skip

    highest = losses[finite].max(initial=chance)
    axes.set_ylim(min(floor, 0) - 0.04 * chance, min(max(1.05 * highest, 1.12 * chance), 2 * chance))
    axes.set_xlim(0, last)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set(xlabel="training step", ylabel="loss (nats)")
    axes.legend(loc="lower left" if floor > 0.3 * chance else "upper right")
    if len(order) > 1:
        bar = figure.colorbar(ScalarMappable(cmap=shades), ax=axes, fraction=0.03, pad=0.02)
        bar.set_ticks([0, 1], labels=["first", "last"])
        bar.set_label("targets, by order of their fall")
    return figure


def _maps_figure(maps: Maps, truth: Truth, moments: Sequence[tuple[str, int]], title: str) -> Figure:
    """The measured map at some moments, beside the true one.

    moments: for each panel a label and an index into `maps.step`
    """
    from matplotlib.colors import LinearSegmentedColormap

    support = truth.attention_map[:, truth.replaceable]
    positions = np.flatnonzero(truth.replaceable)
    visible = positions <= truth.query_positions[truth.is_target][:, None]
    chance = np.mean(support.sum(axis=1) / np.maximum(visible.sum(axis=1), 1))
    goal = _shares(support)
    panels = [
        (f"{label}, step {maps.step[index]:,}", _shares(maps.influence[index][:, truth.replaceable]))
        for label, index in moments
    ] + [("ground truth", goal)]

    rows, columns = goal.shape
    width = float(np.clip(0.13 * columns, 1.7, 3.8))
    height = width * max(rows / columns, 0.3)
    across = min(len(panels), 4 if width < 2.6 else 2)
    down = -(-len(panels) // across)
    figure = _figure(across * (width + 0.25) + 1.1, down * (height + 0.65) + 0.75, title)
    grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    colours = LinearSegmentedColormap.from_list("influence", ["white", SKY, BLUE, "#00263D"])
    colours = colours.with_extremes(bad=PALE)
    # Equal shares are the most that a row of the true map holds: a darker cell is a row read too narrowly.
    top = goal.max(initial=0.0) or 1.0
    beyond = any((shares > 1.001 * top).any() for _, shares in panels)

    for axes, (name, shares) in zip(grid.flat, panels, strict=False):
        # Influence from a position that cannot be seen is a leak: shown, never covered up.
        axes.imshow(
            np.where(visible | (shares > 0), shares, np.nan), cmap=colours, vmin=0, vmax=top,
            interpolation="nearest",
        )  # fmt: skip
        axes.set_title(f"{name}\nmap mass {(shares * support).sum(axis=1).mean():.2f}")
        axes.set_xticks(_ticks(columns), labels=[str(positions[k]) for k in _ticks(columns)])
        axes.set_yticks(_ticks(rows))
        axes.tick_params(length=2)
        axes.spines[:].set(visible=True, color=GREY, linewidth=0.6)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for axes in grid[-1]:
        axes.set_xlabel("position read")
    for axes in grid[:, 0]:
        axes.set_ylabel("target")
    figure.colorbar(
        grid[0, 0].images[0], ax=grid, fraction=0.05, pad=0.02, aspect=18, extend="max" if beyond else "neither",
        label="share of the target's influence",
    )  # fmt: skip
    figure.supxlabel(
        f"map mass: share of the influence that comes from the true support; by chance {chance:.2f}",
        color=GREY, fontsize=8,
    )  # fmt: skip
    return figure


def _plateau_figure(series: Sequence[Series], budget: int, title: str) -> Figure:
    """Every run's plateau length over its search space.

    budget: steps, drawn as a line; a censored run stands at its own length
    """
    figure = _figure(6.8, 4.0, title)
    axes = figure.subplots()
    # Equal counts of supports may differ in their logarithm's last digits.
    bits = [np.round(np.asarray(one.bits, np.float64), 6) for one in series]
    places = np.unique(np.concatenate([np.empty(0), *bits]))
    span = max(np.ptp(places), 1.0) if len(places) else 1.0
    spread = np.clip(0.75 * np.diff(places).min(initial=span), 0.025 * span, 0.06 * span)
    band = spread / max(len(series), 1)

    for index, (one, at) in enumerate(zip(series, bits, strict=True)):
        colour = SERIES_COLOURS[index % len(SERIES_COLOURS)]
        symbol = SERIES_MARKERS[index % len(SERIES_MARKERS)]
        centre = (index - (len(series) - 1) / 2) * band
        observed = one.plateaus.observed
        length = np.maximum(one.plateaus.length, 1)  # a logarithmic axis has no place for 0
        # Runs at one place stand side by side, so that equal lengths can be counted.
        across = at + centre
        own = np.unique(at)
        for place in own:
            here = np.flatnonzero(at == place)
            across[here] += 0.8 * band * ((np.arange(len(here)) + 0.5) / len(here) - 0.5)
        axes.plot(
            across[observed], length[observed], symbol, color=colour, markersize=4, markeredgewidth=0,
            alpha=0.75, label=one.label, gid="observed",
        )  # fmt: skip
        axes.plot(
            across[~observed], length[~observed], "^", color=colour, markersize=5, markeredgewidth=0.9,
            fillstyle="none", gid="censored",
        )  # fmt: skip
        medians = np.array([_median(length[at == place], observed[at == place]) for place in own])
        axes.plot(own + centre, medians, color=colour, linewidth=1.1, gid="median")
        axes.hlines(medians, own + centre - spread / 2, own + centre + spread / 2, colour, linewidth=2)

    axes.plot([], [], color=GREY, linewidth=1.4, label="median, where half have escaped")
    axes.plot(
        [], [], "^", color=GREY, markersize=5, fillstyle="none", label=f"not escaped within {budget:,} steps"
    )
    axes.axhline(budget, color=GREY, linewidth=0.9, linestyle=(0, (1, 2)), label="budget", gid="budget")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    if len(places):
        axes.set_xlim(places[0] - 0.06 * span, places[-1] + 0.06 * span)
    axes.set(xlabel="search space: log2 of the number of candidate supports (bits)")
    axes.set(ylabel="plateau length (training steps)")
    figure.legend(loc="outside right upper")
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
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Rectangle

    size, length = attention_map.shape
    selected = np.asarray(matrix[highlighted], bool)
    followed = 1 + (np.arange(size) == highlighted)[:, None]
    before, after, tokens = size + 2, size + 5, size + 11
    columns, rows = tokens + length, size + 5.5
    cell = float(np.clip(10 / columns, 0.17, 0.34))
    font = 72 * 0.55 * cell
    figure = _figure(cell * columns + 0.4, cell * rows + 0.5, title)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set(aspect="equal", xlim=(-0.2, columns + 0.2), ylim=(size + 2, -3.5))

    blocks = ((0, matrix * followed), (before, state[:, None]), (after, next_state[:, None]),
              (tokens, attention_map * followed))  # fmt: skip
    for left, values in blocks:
        axes.pcolormesh(
            left + np.arange(values.shape[1] + 1), np.arange(size + 1), values, vmin=0, vmax=2,
            cmap=ListedColormap(["white", "#8FA9BC", VERMILION]), edgecolors="#BFBFBF", linewidth=0.5,
        )  # fmt: skip
    for left, values in ((before, state), (after, next_state)):
        for row, value in enumerate(values):
            axes.text(left + 0.5, row + 0.5, str(value), fontsize=font, ha="center", va="center")
    boxes = [(0, highlighted, size), (after, highlighted, 1), (tokens, highlighted, length)]
    for left, row, width in boxes + [(before, int(row), 1) for row in np.flatnonzero(selected)]:
        axes.add_patch(Rectangle((left, row), width, 1, fill=False, edgecolor=VERMILION, linewidth=1.4))
    axes.plot([after + 1, tokens], [highlighted + 0.5] * 2, color=VERMILION, linewidth=1)

    for position, symbol in enumerate(symbols):
        read = attention_map[highlighted, position]
        axes.text(
            tokens + position + 0.5, -0.6, symbol, fontsize=font, ha="center", va="center",
            color=VERMILION if read else BLACK, fontweight="bold" if read else "normal",
        )  # fmt: skip
    headings = ((size / 2, "matrix A"), (before + 0.5, "$x_0$"), (after + 0.5, "$x_1$"))
    for middle, text in headings:
        axes.text(middle, -0.6, text, ha="center", va="center")
    axes.text(
        tokens + length / 2, -2, "tokens, and the attention map of the targets", ha="center", va="center"
    )
    for middle, sign in ((size + 1, "\u00d7"), (size + 4, "=")):
        axes.text(middle, size / 2, sign, fontsize=12, ha="center", va="center")
    terms = " + ".join(str(value) for value in state[selected]) or "0"
    axes.text(
        0, size + 1, f"target {highlighted}:  {terms} = {next_state[highlighted]}  (mod 2)",
        color=VERMILION, va="center",
    )  # fmt: skip
    return figure


def _median(length: Integers, observed: Bools) -> float:
    """Steps by which half of the runs have escaped, nan where censoring leaves it open.

    The lower of two middle runs, as the Kaplan-Meier estimate has it. It is known when it is the
    same whether the censored runs escape at once or never.
    """
    middle = (len(length) - 1) // 2
    earliest = np.sort(length)[middle]
    latest = np.sort(np.where(observed, length, np.inf))[middle]
    return float(earliest) if earliest == latest else np.nan


def _shares(rows: Floats | Bools) -> Floats:
    """Each row divided by its sum, `f64[R, L]`; a row of zeros stays zero."""
    values = np.asarray(rows, np.float64)
    total = values.sum(axis=1, keepdims=True)
    return np.divide(values, total, out=np.zeros_like(values), where=total != 0)


def _ticks(count: int) -> range:
    """At most eight indices below `count`, a power of two apart."""
    step = 1
    while count > 8 * step:
        step *= 2
    return range(0, count, step)


@contextmanager
def _style() -> Iterator[None]:
    """Draw alike whatever the user's own settings are, and leave them as they were."""
    try:
        import matplotlib.style
    except ImportError as error:
        raise AttnsearchError(
            "pictures need matplotlib: pip install 'attnsearch[plot]', or pass --no-plots"
        ) from error
    with matplotlib.style.context(["default", STYLE]):
        yield


def _figure(width: float, height: float, title: str) -> Figure:
    """An empty figure of that size in inches."""
    from matplotlib.figure import Figure

    figure = Figure((width, height), dpi=150, facecolor="white", layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure


loss_curves = _written(_loss_figure)
attention_maps = _written(_maps_figure)
plateau_against_search_space = _written(_plateau_figure)
linear_map_example = _written(_example_figure)
