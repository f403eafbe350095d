"""Pictures of one example of a task: what a target is made of, and the attention map that follows.

A builder returns each figure; the public functions at the end write it, see `attnsearch.plots.style`.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnsearch.base import Bools, Integers
from attnsearch.plots.style import BLUE, GREY, HIDDEN, VERMILION, empty_figure, written
from attnsearch.results.layout import runs_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Light enough for black digits; vermilion is kept for what is highlighted.
_COLOURS = ("#EFEBDD", "#56B4E9", "#E69F00", "#3FB894", "#CC79A7", "#F0E442", "#8FA3BF", "#B7B1A5")


def colours_of(count: int) -> list[str]:
    """A colour for each value of a cell, all light enough for black digits."""
    if count <= len(_COLOURS):
        return list(_COLOURS[:count])
    wheel = (colorsys.hls_to_rgb(index / count, 0.68 + 0.14 * (index % 2), 0.65) for index in range(count))
    return ["#" + "".join(f"{round(255 * part):02X}" for part in shade) for shade in wheel]


def _linear_map_figure(
    matrix: Bools,
    state: Integers,
    next_state: Integers,
    modulus: int,
    symbols: Sequence[str],
    attention_map: Bools,
    highlighted: int,
    title: str,
) -> Figure:
    """One linear map: matrix times state is the next state, and the same rows as an attention map.

    matrix: `bool[S, S]`; state, next_state: `i32[S]`, sums mod `modulus`; attention_map: `bool[S, L]`
    symbols: L strings, the tokens of the sequence; highlighted: the target that is followed through
    """
    from matplotlib import colors, patches

    size, length = attention_map.shape
    selected = np.asarray(matrix[highlighted], bool)
    followed = 1 + (np.arange(size) == highlighted)[:, None]
    # Left edges in cells: the matrix is at 0, signs and the followed line fill the gaps.
    before, after, tokens = size + 2, size + 5, size + 10
    cell = float(np.clip(10 / (tokens + length), 0.17, 0.34))
    figure = empty_figure(cell * (tokens + length) + 0.2, cell * (size + 4.4) + 0.4, title)
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
    axes.text(
        0, size + 0.9, f"target {highlighted}:  {followed_sum}  (mod {modulus})", color=VERMILION, va="center"
    )
    return figure


def _automaton_figure(
    states: Integers,
    num_colours: int,
    window: Integers,
    entry: Sequence[int],
    rule: str,
    targets: Integers,
    attention_map: Bools,
    highlighted: int,
    sentence: str,
    title: str,
) -> Figure:
    """A cellular automaton: its states, the window of one cell with the entry of the rule, the map.

    states:         `i[T, S]`
    window:         cells of the state before that the highlighted target depends on
    entry:          the colours that the rule is looked up for, in their order; rule: what to call that
    targets:        `i[K]` the targets whose row of the map is drawn, the highlighted one among them
    attention_map:  `bool[K, T * S]`; highlighted: a target
    sentence:       what is said below
    """
    from matplotlib import colors, patches

    (num_states, size), length = states.shape, states.size
    state, cell = 1 + highlighted // size, highlighted % size
    side = float(np.clip(4.4 / max(size, num_states), 0.012, 0.3))
    across = max(side * size, 1.2)
    between = 0.3 * (len(entry) + 2)
    wide = float(np.clip(0.05 * length, 3.2, 7.5))
    height = max(side * num_states, 2.2)
    figure = empty_figure(across + between + wide + 1.9, height + 1.3, title)
    ratios = {"width_ratios": [across, between, wide]}
    cells, lookup, mapped = figure.subplots(1, 3, gridspec_kw=ratios)

    shades = colors.ListedColormap(colours_of(num_colours))
    centred = {"ha": "center", "va": "center"}
    cells.pcolormesh(states, cmap=shades, vmin=-0.5, vmax=num_colours - 0.5)
    cells.collections[0].set(edgecolor="white", linewidth=0.4 if side > 0.05 else 0)
    digits = 72 * 0.5 * side / max(1, len(str(num_colours - 1)) / 1.6)
    if digits > 3:
        for (row, column), value in np.ndenumerate(states):
            cells.text(column + 0.5, row + 0.5, f"{value}", centred, fontsize=digits)
    boxes = [(start, state - 1, count) for start, count in runs_of(np.isin(np.arange(size), window))]
    for left, row, width in [*boxes, (cell, state, 1)]:
        dashes = "-" if row == state else (0, (3, 1.2))
        box = patches.Rectangle((left, row), width, 1, fill=False, color=VERMILION, linewidth=1.8)
        cells.add_patch(box).set(linestyle=dashes, gid="target" if row == state else "window")
    every = 1 << max(0, (num_states - 1).bit_length() - 4)
    cells.set_yticks(np.arange(0, num_states, every) + 0.5, labels=np.arange(0, num_states, every).tolist())
    every = 1 << max(0, (size - 1).bit_length() - 4)
    cells.set_xticks(np.arange(0, size, every) + 0.5, labels=np.arange(0, size, every).tolist())
    cells.set(xlim=(0, size), ylim=(num_states, 0), xlabel="cell, in a ring", ylabel="state")
    cells.set_title("states, time downwards", loc="left")

    lookup.set_axis_off()
    lookup.set(aspect="equal", xlim=(-0.6, len(entry) + 0.6), ylim=(4.2, -1.6))
    drawn = [(column, 0, value) for column, value in enumerate(entry)]
    for left, top, value in [*drawn, ((len(entry) - 1) / 2, 2, int(states[state, cell]))]:
        box = patches.Rectangle(
            (left, top), 1, 1, facecolor=shades(value), edgecolor=VERMILION, linewidth=1.4
        )
        lookup.add_patch(box).set_linestyle("-" if top else (0, (3, 1.2)))
        lookup.text(left + 0.5, top + 0.5, f"{value}", centred, fontsize=10)
    arrow = {"arrowstyle": "->", "color": VERMILION}
    lookup.annotate("", (len(entry) / 2, 1.95), (len(entry) / 2, 1.05), arrowprops=arrow)
    lookup.text(len(entry) / 2, -0.5, rule, centred)

    for row, (target, support) in enumerate(zip(targets, attention_map, strict=True)):
        query, chosen = size + target - 1, target == highlighted
        mapped.broken_barh([(query + 1, length)], (row, 1), facecolor=HIDDEN)
        # With an edge, so that one cell of a long context is seen.
        found = mapped.broken_barh(runs_of(support), (row + 0.06, 0.88))
        found.set(color=VERMILION if chosen else BLUE, linewidth=0.8, gid="support")
        if chosen:
            mapped.axhspan(row, row + 1, fill=False, color=VERMILION, linewidth=1)
    for edge in range(size, length, size):
        mapped.axvline(edge, color=GREY, linewidth=0.4, gid="edge")
    every = 1 << max(0, (num_states - 1).bit_length() - 4)
    names = np.arange(0, num_states, every)
    mapped.set_xticks(names * size + size / 2, labels=names.tolist())
    every = 1 << max(0, (len(targets) - 1).bit_length() - 4)
    shown = sorted({*range(0, len(targets), every)})
    labels = [f"{1 + targets[row] // size}, {targets[row] % size}" for row in shown]
    mapped.set_yticks(np.array(shown) + 0.5, labels=labels)
    mapped.set(xlim=(0, length), ylim=(len(targets), 0), ylabel="target: state, cell")
    mapped.set_xlabel("token, by the state that it is in")
    mapped.tick_params(length=0)
    mapped.set_title("attention map: a row a target, grey where it cannot see", loc="left")
    figure.supxlabel(sentence, x=0.01, ha="left", color=VERMILION, fontsize="medium", wrap=True)
    return figure


linear_map_example = written(_linear_map_figure)
automaton_example = written(_automaton_figure)
