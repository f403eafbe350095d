"""The picture of emergence: a panel a search space, a sign a run, triangles for those that did not emerge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.emerging import emerging
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from attnsearch.plots import emergence as pictures
from attnsearch.plots.emergence import Emerged
from attnsearch.plots.gallery import draw_emergence
from attnsearch.results.study import Study

EIGHT = [(20, 40, 60, 300 + 10 * seed) for seed in range(8)]
STUDY = Study(emerging({16: [*EIGHT[:5], *[(60, 60, 60, None)] * 3], 64: EIGHT}))


def groups(study: Study = STUDY) -> list[Emerged]:
    return [Emerged(one.series, one.bits, one.numbers, one.emerged, one.waiting) for one in study.emergences]


def drawn(axes: Axes, gid: str) -> list[tuple[list[float], list[float]]]:
    return [
        (np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist())
        for line in axes.lines
        if line.get_gid() == gid
    ]


def figure() -> Figure:
    return pictures._emergence_figure(groups(), "width", 1000, "")


def test_every_run_is_one_sign_and_a_censored_one_is_a_triangle_at_the_budget() -> None:
    easy, hard = figure().axes
    assert [axes.get_title() for axes in (easy, hard)] == [
        "16 supports (4.0 bits)",
        "1,024 supports (10.0 bits)",
    ]
    assert [heights for _, heights in drawn(easy, "observed")] == [[40] * 5 + [60] * 3, [40] * 8]
    assert [heights for _, heights in drawn(hard, "observed")] == [
        [300, 310, 320, 330, 340],
        [300, 310, 320, 330, 340, 350, 360, 370],
    ]
    assert [heights for _, heights in drawn(hard, "censored")] == [[1000] * 3, []]
    assert [line.get_marker() for line in hard.lines if line.get_gid() == "censored"] == ["^", "^"]
    assert hard.get_yscale() == "log"
    assert [text.get_text() for text in hard.get_xticklabels()] == ["16", "64"]


def test_runs_stand_side_by_side_round_their_size() -> None:
    _, hard = figure().axes
    observed, censored = drawn(hard, "observed"), drawn(hard, "censored")
    narrow, wide = (np.array(seen[0] + unseen[0]) for seen, unseen in zip(observed, censored, strict=True))
    for places, size in ((narrow, 16), (wide, 64)):
        assert len(np.unique(places)) == 8
        assert (np.abs(np.log2(places / size)) < 0.5).all()


def test_a_median_and_its_interval_stand_where_half_emerged() -> None:
    _, hard = figure().axes
    ((_, medians),) = drawn(hard, "median")
    assert medians == [330, 330]
    wide = STUDY.emergences[1].waiting[1]
    assert drawn(hard, "interval")[1][1] == [wide.median_low, wide.median_high]
    # The upper end at width 16 is not reached: the line goes to the budget.
    assert drawn(hard, "interval")[0][1][1] == 1000
    never = Study(emerging({16: [(50, 50, 50, None)] * 2, 32: [(50, 50, 50, None)] * 2}))
    _, hard = pictures._emergence_figure(groups(never), "width", 1000, "").axes
    ((_, medians),) = drawn(hard, "median")
    assert np.isnan(medians).all()
    assert drawn(hard, "interval") == []


def test_each_series_has_a_colour_and_a_place_of_its_own() -> None:
    both = Study(
        [run for rate in (1e-3, 3e-3) for run in emerging({16: EIGHT, 64: EIGHT}, learning_rate=rate)]
    )
    made = pictures._emergence_figure(groups(both), "width", 1000, "")
    easy, _ = made.axes
    first, second = drawn(easy, "median")
    assert first[0][0] < 16 < second[0][0]
    assert len({line.get_color() for line in easy.lines if line.get_gid() == "median"}) == 2
    (legend,) = made.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts[-2:] == ["attention, learning rate 0.001", "attention, learning rate 0.003"]


def test_a_picture_of_one_series_says_what_grows_with_the_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    titles: list[str] = []
    monkeypatch.setattr(
        "attnsearch.plots.gallery.emergence_against_size", lambda *given: titles.append(given[-1])
    )
    for hidden in (256, "4x"):
        draw_emergence(Study(emerging({16: EIGHT, 64: EIGHT}, mlp_width=hidden)), tmp_path)
    plain = "Steps to emergence against width: linear_map"
    assert titles == [plain, f"{plain}, attention, mlp width 4x"]


def test_a_study_has_a_picture_for_each_size_that_differs(tmp_path: Path) -> None:
    (picture,) = draw_emergence(STUDY, tmp_path)
    assert picture.name.startswith("emergence-against-width-")
    assert picture.exists()
    assert draw_emergence(Study(STUDY.runs[:8]), tmp_path) == []
