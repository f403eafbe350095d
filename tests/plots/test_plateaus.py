"""The picture of plateaus: every run is one sign, and a median stands only where half have escaped."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.figures import censored_at, heights, lengthening_series, lines, places

from attnsearch.base import Plateaus
from attnsearch.plots import plateaus as pictures
from attnsearch.plots.plateaus import Dots


def test_every_run_is_one_symbol_and_censored_runs_are_triangles() -> None:
    series = lengthening_series("abc", 10_000)
    figure = pictures._plateau_figure(series, 10_000, "")
    seen, unseen = lines(figure, "observed"), lines(figure, "censored")
    for one, dots, triangles in zip(series, seen, unseen, strict=True):
        observed = one.plateaus.observed
        assert 0 < observed.sum() < len(observed)
        np.testing.assert_array_equal(heights(dots), one.plateaus.length[observed])
        np.testing.assert_array_equal(heights(triangles), one.plateaus.length[~observed])
        assert triangles.get_marker() == "^"
        assert triangles.get_fillstyle() == "none"
        assert dots.get_label() == one.label
    assert len({str(line.get_marker()) for line in seen}) == 3
    assert len({str(line.get_color()) for line in seen}) == 3
    (legend,) = figure.legends
    assert "not escaped within 10,000 steps" in [text.get_text() for text in legend.get_texts()]
    (budget,) = lines(figure, "budget")
    assert set(heights(budget)) == {10_000}
    assert figure.axes[0].get_yscale() == "log"


def test_whatever_a_series_is_called_stands_in_the_legend() -> None:
    labels = ["$\\frac$", "_hidden", "attention"]
    series = [Dots(label, np.array([4.0]), censored_at(100)) for label in labels]
    figure = pictures._plateau_figure(series, 100, "")
    figure.draw_without_rendering()
    (legend,) = figure.legends
    texts = [text.get_text().strip().replace("\\$", "$") for text in legend.get_texts()]
    assert set(labels) <= set(texts)


def test_no_two_runs_cover_each_other_and_none_strays_to_another_place() -> None:
    places_of_equal_runs = np.repeat([3.0, 3.4, 8.0], 5)
    series = [Dots(label, places_of_equal_runs, censored_at(*[100] * 15)) for label in "abc"]
    figure = pictures._plateau_figure(series, 100, "")
    drawn = np.stack([places(line) for line in lines(figure, "censored")])
    assert len(np.unique(drawn)) == drawn.size
    nearest = np.abs(drawn[..., None] - np.array([3.0, 3.4, 8.0])).argmin(axis=-1)
    np.testing.assert_array_equal(nearest, np.broadcast_to(np.repeat([0, 1, 2], 5), (3, 15)))
    # Series keep their sides at every place.
    for place in range(3):
        assert (np.diff(drawn[:, 5 * place : 5 * place + 5].ravel()) > 0).all()


@pytest.mark.parametrize(
    ("length", "observed", "median"),
    [
        ([100, 200, 300, 400], [True, True, True, True], 200),
        ([100, 200, 400, 400], [True, True, False, False], 200),
        ([100, 400, 400, 400], [True, False, False, False], None),
        ([400, 400, 400, 400], [False, False, False, False], None),
        # Few escaped, and the others ended too early to tell: no median, whatever the curve does.
        ([10, 10, 10, 100, 200], [False, False, False, True, True], None),
        # Alone, a run is its own median.
        ([100], [True], None),
    ],
)
def test_a_median_is_drawn_where_half_have_escaped(
    length: list[int], observed: list[bool], median: int | None
) -> None:
    waiting = Plateaus(np.array(length), np.array(observed))
    # Another place, whose median stands, so that the first is told from a line that is missing.
    both = Plateaus(np.append(waiting.length, [50, 50]), np.append(waiting.observed, [True, True]))
    bits = np.append(np.full(len(length), 4.0), [2.0, 2.0])
    figure = pictures._plateau_figure([Dots("a", bits, both)], 400, "")
    (line,) = lines(figure, "median")
    np.testing.assert_array_equal(heights(line), [50, np.nan if median is None else median])
