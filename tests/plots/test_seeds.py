"""The runs of a cell: a line a seed, in the order of their escapes."""

from __future__ import annotations

import numpy as np

from attnsearch.plots import seeds
from attnsearch.plots.seeds import SeedCurve

STEP = np.arange(10, 50, 10)


def test_a_line_a_seed_and_a_dot_at_each_escape() -> None:
    late = SeedCurve(4, STEP, np.array([1.0, 1.0, 1.0, 0.5]), 40)
    never = SeedCurve(1, STEP, np.ones(4), None)
    early = SeedCurve(2, STEP[:3], np.array([1.0, 0.9, 0.1]), 20)
    figure = seeds._seeds_figure([late, never, early], 0.938, 400, "")
    (axes,) = figure.axes
    named = [line.get_label() for line in axes.lines if line.get_gid() == "seed"]
    assert named == ["2: 20", "4: 40", "1: –"]
    dots = [np.asarray(line.get_xydata()).tolist() for line in axes.lines if line.get_gid() == "escape"]
    assert dots == [[[20, 0.9]], [[40, 0.5]]]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == named
