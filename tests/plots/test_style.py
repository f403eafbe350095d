"""Pictures as files: whole or not at all, alike everywhere, of realistic and of degenerate runs."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import matplotlib
import numpy as np
import pytest
from helpers.figures import (
    DIVERGED,
    FALLS,
    ISOLATED,
    MOMENTS,
    NO_INFLUENCE,
    TINY,
    WIDE,
    censored_at,
    falling_curves,
    lengthening_series,
    sharpening_maps,
    sparse_matrix,
    truth_of,
)
from helpers.maps import maps_of as recorded_maps
from matplotlib.figure import Figure
from matplotlib.image import imread

from attnsearch.base import AttnsearchError, Curves, Maps, Plateaus, Truth
from attnsearch.plots.examples import linear_map_example
from attnsearch.plots.losses import loss_curves
from attnsearch.plots.maps import attention_maps
from attnsearch.plots.plateaus import Dots, plateau_against_search_space
from attnsearch.plots.style import COLOURS
from attnsearch.report.page import FOLDER

Write = Callable[[Path], Path]


def example_of(size: int, support: int) -> Write:
    matrix = sparse_matrix(size, support)
    state = np.arange(size) % 2
    following = matrix.astype(int) @ state % 2
    symbols = [*map(str, state), *"_" * size]
    truth = truth_of(matrix, False).attention_map
    return lambda path: linear_map_example(path, matrix, state, following, 2, symbols, truth, 1, "An example")


def maps_of(truth: Truth, maps: Maps, moments: list[tuple[str, int]]) -> Write:
    return lambda path: attention_maps(path, maps, truth, moments, "Where it reads")


def losses_of(curves: Curves, escape: int | None, mastery: int | None, floor: float = 0) -> Write:
    truth = truth_of(np.eye(curves.loss.shape[1], dtype=bool), False)
    truth = truth._replace(bayes_loss=np.full_like(truth.bayes_loss, floor))
    return lambda path: loss_curves(path, curves, truth, escape, mastery, "Falls")


def plateaus_of(series: list[Dots]) -> Write:
    return lambda path: plateau_against_search_space(path, series, 10_000, "Plateaus")


REALISTIC: dict[str, Write] = {
    "losses": losses_of(FALLS, 420, 1720),
    "isolated maps": maps_of(ISOLATED, sharpening_maps(ISOLATED), MOMENTS),
    "autoregressive maps": maps_of(WIDE, sharpening_maps(WIDE), MOMENTS),
    "plateaus": plateaus_of(lengthening_series("abc", 10_000)),
    "example": example_of(16, 3),
}
DEGENERATE: dict[str, Write] = {
    "one target": losses_of(falling_curves(np.array([300.0]), 600), 250, 400),
    "one recorded point": losses_of(falling_curves(np.linspace(300, 900, 4), 10), None, None),
    "nothing recorded": losses_of(falling_curves(np.linspace(300, 900, 4), 0), None, None),
    "diverged": losses_of(DIVERGED, 420, None),
    "diverged at once": losses_of(Curves(FALLS.step, FALLS.loss * np.nan, FALLS.accuracy), None, None),
    "exploding": losses_of(Curves(FALLS.step, FALLS.loss * np.inf, FALLS.accuracy), None, None),
    "marks at one step, and a floor": losses_of(FALLS, 1720, 1720, 0.3),
    "two cells": maps_of(TINY, sharpening_maps(TINY), MOMENTS),
    "no moments": maps_of(ISOLATED, sharpening_maps(ISOLATED), []),
    "a row that is not full": maps_of(WIDE, sharpening_maps(WIDE), MOMENTS[:2]),
    "no influence": maps_of(ISOLATED, NO_INFLUENCE, [("start", 0)]),
    "unknown influence": maps_of(
        ISOLATED, recorded_maps(ISOLATED, np.array([0]), np.full((1, 16, 32), np.nan)), [("start", 0)]
    ),
    "single run": plateaus_of([Dots("a", np.array([4.0]), Plateaus(np.array([90]), np.array([True])))]),
    "all censored": plateaus_of([Dots("a", np.full(3, 4.0), censored_at(0, 0, 10_000))]),
    "empty series": plateaus_of([Dots("a", np.empty(0), censored_at())]),
    "no series": plateaus_of([]),
    "more series than colours and shapes": plateaus_of(lengthening_series("abcdefghij", 10_000, runs=2)),
    "smallest example": example_of(2, 1),
    "dense example": example_of(4, 4),
}


@pytest.mark.parametrize("name", REALISTIC)
def test_a_picture_is_drawn_whole(name: str, tmp_path: Path) -> None:
    path = tmp_path / "made" / "on the way" / "picture.png"
    assert REALISTIC[name](path) == path
    image = imread(path)
    assert min(image.shape[:2]) > 300
    assert len(np.unique(image.reshape(-1, image.shape[-1]), axis=0)) > 50
    # White round the edge: nothing runs out of the picture.
    for edge in (image[0], image[-1], image[:, 0], image[:, -1]):
        assert (edge == 1).all()
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_runs_have_pictures_too(name: str, tmp_path: Path) -> None:
    image = imread(DEGENERATE[name](tmp_path / "picture.png"))
    assert len(np.unique(image.reshape(-1, image.shape[-1]), axis=0)) > 20


def test_settings_of_the_user_neither_matter_nor_change(tmp_path: Path) -> None:
    write = REALISTIC["plateaus"]
    expected = write(tmp_path / "plain.png").read_bytes()
    with matplotlib.rc_context({"figure.facecolor": "black", "font.size": 20, "axes.grid": True}):
        before = dict(matplotlib.rcParams)
        assert write(tmp_path / "odd.png").read_bytes() == expected
        assert dict(matplotlib.rcParams) == before


def test_a_picture_that_fails_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = REALISTIC["losses"](tmp_path / "picture.png")
    before = path.read_bytes()

    def half(self: Figure, file: IO[bytes], **settings: object) -> None:
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Figure, "savefig", half)
    with pytest.raises(OSError, match="disk full"):
        REALISTIC["example"](path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_without_matplotlib_the_error_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for write in REALISTIC.values():
        with pytest.raises(AttnsearchError, match=r"pip install 'attnsearch\[plot\]', or pass --no-plots"):
            write(tmp_path / "picture.png")
    assert not list(tmp_path.iterdir())


def test_importing_pictures_loads_neither_matplotlib_nor_jax() -> None:
    code = "import sys, attnsearch.plots.gallery; assert not {'matplotlib', 'jax'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_series_have_the_colours_of_the_report() -> None:
    palette = (FOLDER / "palette.css").read_text(encoding="utf-8").partition("@media")[0]
    of_report = re.findall(r"--series-\d: (#\w+);", palette)
    assert [colour.lower() for colour in COLOURS] == of_report
