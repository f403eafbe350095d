"""A picture of one example of any task: the tokens, the answers, and the attention map beneath."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnsearch.base import Bools, Integers
from attnsearch.plots.style import BLUE, HIDDEN, SKY, VERMILION, empty_figure, written
from attnsearch.results.layout import runs_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_LABELLED = 64
"""Positions of a context whose tokens are written out."""


def _tokens_figure(
    tokens: Integers,
    queries: Integers,
    answers: Integers,
    targets: Integers,
    supports: Bools,
    routes: Bools,
    highlighted: int,
    sentence: str,
    title: str,
) -> Figure:
    """The attention map with the tokens above it; where few, each is written, and so are the answers.

    tokens:   `i32[L]`; queries, answers: `i32[R]`, where each target is asked, and what is right there
    targets:  `i[K]`, the targets whose rows are drawn, the highlighted one among them
    supports: `bool[R, L]`
    routes:   `bool[W, R, L]`, what each named route reads: a cell has the number of the first that reads it,
              from 1 on, and is pale where it is in no support
    """
    from matplotlib import patches

    length, rows = len(tokens), len(targets)
    wide, high = float(np.clip(0.3 * length, 4.0, 9.0)), float(np.clip(0.3 * rows, 1.2, 6.0))
    figure = empty_figure(wide + 1.4, high + 1.8, title)
    axes = figure.subplots()
    for row, target in enumerate(targets):
        chosen = target == highlighted
        axes.broken_barh([(int(queries[target]) + 1, length)], (row, 1), facecolor=HIDDEN)
        beside = routes[:, target].any(axis=0) & ~supports[target]
        axes.broken_barh(runs_of(beside), (row + 0.06, 0.88), facecolor=SKY, gid="route")
        # With an edge, so that one cell of a long context is seen.
        found = axes.broken_barh(runs_of(supports[target]), (row + 0.06, 0.88))
        found.set(color=VERMILION if chosen else BLUE, linewidth=0.8, gid="support")
        if chosen:
            axes.axhspan(row, row + 1, fill=False, color=VERMILION, linewidth=1)
    if length <= MOST_LABELLED:
        digits = float(np.clip(72 * 0.55 * wide / length, 4, 10))
        # A digit is about 0.6 as wide as it is high. Longer numbers than fit into a cell are turned.
        longest = len(str(max(tokens.max(), answers.max())))
        turned = 0 if 0.6 * digits * longest <= 72 * wide / length else 90
        read = supports[highlighted]
        for position, token in enumerate(tokens):
            text = axes.text(position + 0.5, -0.35, f"{token}", ha="center", fontsize=digits, rotation=turned)
            if read[position]:
                text.set(color=VERMILION, fontweight="bold")
        for row, target in enumerate(targets):
            place = int(queries[target]), row
            answer = f"{answers[target]}"
            text = axes.text(place[0] + 0.5, row + 0.5, answer, ha="center", va="center", fontsize=digits)
            text.set(rotation=turned, color="white" if supports[target, place[0]] else "black")
            axes.add_patch(patches.Rectangle(place, 1, 1, fill=False, linewidth=0.4))
            for position in np.flatnonzero(routes[:, target].any(axis=0)):
                if position != place[0]:
                    colour = "white" if supports[target, position] else "black"
                    number = f"{routes[:, target, position].argmax() + 1}"
                    text = axes.text(position + 0.5, row + 0.5, number, fontsize=digits)
                    text.set(ha="center", va="center", color=colour, gid="number")
    every = 1 << max(0, (rows - 1).bit_length() - 4)
    shown = np.arange(0, rows, every)
    axes.set_yticks(shown + 0.5, labels=list(map(str, targets[shown])))
    every = 1 << max(0, (length - 1).bit_length() - 5)
    axes.set_xticks(np.arange(0, length, every) + 0.5, labels=list(map(str, range(0, length, every))))
    axes.set(xlim=(0, length), ylim=(rows, -1), xlabel="position", ylabel="target")
    axes.tick_params(length=0)
    axes.set_title("attention map beneath the tokens, grey where a query cannot see", loc="left")
    figure.supxlabel(sentence, x=0.01, ha="left", color=VERMILION, fontsize="medium", wrap=True)
    return figure


tokens_example = written(_tokens_figure)
