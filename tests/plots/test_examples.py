"""The picture of one example: a row of the matrix, followed through."""

from __future__ import annotations

import numpy as np
from helpers.figures import labels
from matplotlib.patches import Rectangle

from attnsearch.plots import examples as pictures_examples


def test_the_example_follows_one_row_through() -> None:
    matrix = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1]], bool)
    attention_map = np.concatenate([matrix, np.zeros_like(matrix)], axis=1)
    state, following = np.array([1, 0, 1]), np.array([1, 1, 0])
    figure = pictures_examples._linear_map_figure(matrix, state, following, 2, "101abc", attention_map, 1, "")
    axes = figure.axes[0]
    assert "target 1:  0 + 1 = 1  (mod 2)" in labels(axes)
    marked = [text.get_text() for text in axes.texts if text.get_fontweight() == "bold"]
    assert marked == ["0", "1"]
    # Cells hold 1 for a one and 2 for a one of the row that is followed.
    shown = [np.asarray(block.get_array()).reshape(3, -1).tolist() for block in axes.collections]
    rows = [[1, 1, 0], [0, 2, 2], [1, 0, 1]]
    assert shown == [rows, [[1], [0], [1]], [[1], [1], [0]], [[*row, 0, 0, 0] for row in rows]]
    # The matrix, two columns and the map begin at cells 0, 5, 8 and 13.
    boxes = [box.get_xy() for box in axes.patches if isinstance(box, Rectangle)]
    assert sorted(boxes) == [(0, 1), (5, 1), (5, 2), (8, 1), (13, 1)]
