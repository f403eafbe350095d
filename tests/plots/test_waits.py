"""Mixers side by side: a panel each, with the reference in every other."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from attnsearch.base import Plateaus
from attnsearch.plots import waits
from attnsearch.plots.waits import Waits
from attnsearch.stats.survival import Waiting, summarise

BITS = [3.0, 5.0]


def waiting(*lengths: int) -> Waiting:
    length = np.array(lengths)
    return summarise(Plateaus(length, length < 400), 400)


REFERENCE = Waits("attention", BITS, [waiting(20, 30, 40), waiting(100, 200, 300)])
OTHER = Waits("mine", BITS, [waiting(50, 60, 400), waiting(400, 400, 400)])


def lines(axes: Axes, kind: str) -> list[list[float]]:
    return [np.asarray(line.get_ydata()).tolist() for line in axes.lines if line.get_gid() == kind]


def test_each_mixer_has_a_panel_with_its_means_and_the_reference() -> None:
    figure = waits._waits_figure([REFERENCE, OTHER], REFERENCE, 400, "")
    first, second = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["attention", "mine"]
    assert lines(first, "mean") == [[30, 200]]
    assert lines(first, "reference") == []
    assert lines(second, "mean") == [[170, 400]]
    assert lines(second, "reference") == [[30, 200]]


def test_a_cell_in_which_no_run_escaped_is_hollow() -> None:
    (axes,) = waits._waits_figure([OTHER], None, 400, "").axes
    assert lines(axes, "escaped") == [[170]]
    assert lines(axes, "censored") == [[400]]


def test_many_mixers_take_rows_and_the_rest_of_the_last_stays_empty() -> None:
    figure = waits._waits_figure([OTHER] * 6, None, 400, "")
    assert [axes.axison for axes in figure.axes] == [True] * 6 + [False] * 2
    named = [axes.get_xlabel() for axes in figure.axes]
    assert named == ["", "", *["search space (bits)"] * 4, "", ""]
