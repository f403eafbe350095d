"""Pictures say what the numbers say: the artists of each figure, and that a file comes out."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from helpers import made_automata
from helpers.maps import maps_of as recorded_maps
from helpers.maps import no_maps
from helpers.truths import whole

from attnsearch.base import AttnsearchError, Bools, Curves, Floats, Maps, Plateaus, Truth
from attnsearch.plots import examples as pictures_examples
from attnsearch.plots import runs as pictures
from attnsearch.plots.gallery import draw_losses, draw_maps
from attnsearch.plots.runs import Series
from attnsearch.spec.run import InterventionSpec

matplotlib = pytest.importorskip("matplotlib")
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.image import imread  # noqa: E402
from matplotlib.lines import Line2D  # noqa: E402
from matplotlib.patches import Rectangle  # noqa: E402

CHANCE = math.log(2)
Write = Callable[[Path], Path]


def falling_curves(falls: Floats, steps: int, noise: float = 0.02) -> Curves:
    """Losses that leave chance at `falls`, `f64[Q]`, recorded every 10 steps."""
    step = np.arange(10, steps + 1, 10)
    progress = np.clip((step[:, None] - falls) / (0.06 * falls + 15), -50, 50)
    wobble = 1 + noise * np.random.default_rng(0).standard_normal(progress.shape)
    loss = CHANCE / (1 + np.exp(progress)) * wobble + 0.002
    return Curves(step, loss.astype(np.float32), (1 - loss / 2).astype(np.float32))


def truth_of(matrix: Bools, autoregressive: bool) -> Truth:
    size = len(matrix)
    attention_map = np.concatenate([matrix, np.zeros_like(matrix)], axis=1)
    return whole(
        attention_map=attention_map,
        query_positions=np.arange(size) + size - autoregressive,
        is_target=np.ones(size, bool),
        replaceable=(np.arange(2 * size) < size) | autoregressive,
        log2_search_space=np.full(size, 3.0),
        nominal_log2_search_space=3.0,
        chance_loss=CHANCE,
    )


def sparse_matrix(size: int, support: int) -> Bools:
    noise = np.random.default_rng(1).random((size, size))
    return noise.argsort(axis=1).argsort(axis=1) < support


def sharpening_maps(truth: Truth) -> Maps:
    """Three maps: spread evenly, half way, and the true one."""
    visible = np.arange(len(truth.replaceable)) <= truth.query_positions[truth.is_target][:, None]
    spread = (visible & truth.replaceable) * 0.1
    exact = truth.attention_map * 1.0
    return recorded_maps(truth, np.array([0, 250, 1500]), np.stack([spread, (spread + exact) / 2, exact]))


def lengthening_series(labels: str, budget: int, runs: int = 8) -> list[Series]:
    """A series for each letter of `labels`, at 3, 6 and 12 bits, the last beyond most budgets."""
    generator = np.random.default_rng(2)
    series = []
    for label in labels:
        bits = np.repeat([3.0, 6.0, 12.0], runs)
        length = 50 * 2 ** (bits / 1.5) * np.exp(0.2 * generator.standard_normal(len(bits)))
        series.append(Series(label, bits, Plateaus(np.minimum(length, budget).astype(int), length < budget)))
    return series


def example_of(size: int, support: int) -> Write:
    matrix = sparse_matrix(size, support)
    state = np.arange(size) % 2
    following = matrix.astype(int) @ state % 2
    symbols = [*map(str, state), *"_" * size]
    truth = truth_of(matrix, False).attention_map
    return lambda path: pictures_examples.linear_map_example(
        path, matrix, state, following, symbols, truth, 1, "An example"
    )


def maps_of(truth: Truth, maps: Maps, moments: list[tuple[str, int]]) -> Write:
    return lambda path: pictures.attention_maps(path, maps, truth, moments, "Where it reads")


def losses_of(curves: Curves, escape: int | None, mastery: int | None, floor: float = 0) -> Write:
    truth = truth_of(np.eye(curves.loss.shape[1], dtype=bool), False)
    truth = truth._replace(bayes_loss=np.full_like(truth.bayes_loss, floor))
    return lambda path: pictures.loss_curves(path, curves, truth, escape, mastery, "Falls")


def plateaus_of(series: list[Series]) -> Write:
    return lambda path: pictures.plateau_against_search_space(path, series, 10_000, "Plateaus")


def censored_at(*lengths: int) -> Plateaus:
    return Plateaus(np.array(lengths), np.zeros(len(lengths), bool))


ISOLATED, WIDE = (truth_of(sparse_matrix(16, 3), autoregressive) for autoregressive in (False, True))
TINY = truth_of(np.eye(2, dtype=bool), False)
MOMENTS = [("start", 0), ("escape", 1), ("end", 2)]
FALLS = falling_curves(np.linspace(300, 1500, 16), 2000)
DIVERGED = Curves(FALLS.step, np.where(FALLS.step[:, None] > 700, np.nan, FALLS.loss), FALLS.accuracy)
NO_INFLUENCE = no_maps(np.array([0]), 16, 32)

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
    "single run": plateaus_of([Series("a", np.array([4.0]), Plateaus(np.array([90]), np.array([True])))]),
    "all censored": plateaus_of([Series("a", np.full(3, 4.0), censored_at(0, 0, 10_000))]),
    "empty series": plateaus_of([Series("a", np.empty(0), censored_at())]),
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
    code = "import sys, attnsearch.plots.runs; assert not {'matplotlib', 'jax'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def lines(figure: Figure, gid: str) -> list[Line2D]:
    return [line for line in figure.axes[0].lines if line.get_gid() == gid]


def heights(line: Line2D) -> Floats:
    return np.asarray(line.get_ydata(), np.float64)


def places(line: Line2D) -> Floats:
    return np.asarray(line.get_xdata(), np.float64)


def labels(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def cells(axes: Axes) -> np.ma.MaskedArray:
    return np.ma.masked_invalid(np.ma.asarray(axes.images[0].get_array()))


def loss_figure(curves: Curves, escape: int | None, mastery: int | None) -> Figure:
    # The first query is no target: it must not be drawn.
    unpredictable = np.full((len(curves.step), 1), CHANCE, np.float32)
    loss = np.concatenate([unpredictable, curves.loss], axis=1)
    truth = truth_of(np.eye(curves.loss.shape[1], dtype=bool), True)
    truth = truth._replace(
        is_target=np.arange(loss.shape[1]) > 0, query_positions=np.append(0, truth.query_positions)
    )
    return pictures._loss_figure(Curves(curves.step, loss, loss), truth, escape, mastery, "")


def test_losses_are_drawn_in_the_order_of_their_fall() -> None:
    falls = np.array([900.0, 300.0, 1500.0, 600.0])
    curves = falling_curves(falls, 2000)
    figure = loss_figure(curves, 420, 1720)
    drawn = lines(figure, "target")
    assert len(drawn) == 4
    for line, target in zip(drawn, falls.argsort(), strict=True):
        np.testing.assert_allclose(heights(line), curves.loss[:, target])
    assert len({str(line.get_color()) for line in drawn}) == 4
    (mean,) = lines(figure, "mean")
    np.testing.assert_allclose(heights(mean), curves.loss.mean(axis=1), rtol=1e-6)
    assert [heights(line)[0] for line in lines(figure, "level")] == [CHANCE, 0]
    assert labels(figure.axes[0]) == ["floor 0", "chance 0.693", "escape, step 420", "mastery, step 1,720"]
    assert [places(line)[0] for line in lines(figure, "mark")] == [420, 1720]


def test_what_was_not_reached_is_not_marked() -> None:
    figure = loss_figure(FALLS, None, None)
    assert not lines(figure, "mark")


def test_one_recorded_point_is_a_dot_inside_the_axes() -> None:
    figure = loss_figure(falling_curves(np.array([300.0, 600.0]), 10), None, None)
    dots = [*lines(figure, "target"), *lines(figure, "mean")]
    assert [(line.get_marker(), *places(line)) for line in dots] == [("o", 10)] * 3
    assert figure.axes[0].get_xlim()[1] > 10


def test_a_diverged_run_says_where() -> None:
    figure = loss_figure(DIVERGED, 420, None)
    assert labels(figure.axes[0])[-1] == "not finite, step 710"
    assert figure.axes[0].get_ylim()[1] <= 2 * CHANCE


def test_maps_are_shares_over_replaceable_positions_with_their_mass() -> None:
    figure = pictures._maps_figure(sharpening_maps(ISOLATED), ISOLATED, MOMENTS, "")
    *panels, _colour_bar = figure.axes
    titles = [axes.get_title() for axes in panels]
    # Evenly over 16 inputs is 3 / 16; the second map adds 1 / 2 to each of the three.
    half = 3 * (0.05 + 0.5) / (16 * 0.05 + 3 * 0.5)
    assert titles == [
        "start, step 0\nmap mass 0.19",
        f"escape, step 250\nmap mass {half:.2f}",
        "end, step 1,500\nmap mass 1.00",
        "ground truth\nmap mass 1.00",
    ]
    for axes in panels:
        shown = cells(axes)
        assert shown.shape == (16, 16)
        np.testing.assert_allclose(shown.sum(axis=1), 1)
        assert axes.images[0].get_clim() == (0, 1 / 3)
    assert figure.get_supxlabel().endswith("by chance 0.19")


def test_what_a_target_cannot_see_is_grey_unless_it_leaks() -> None:
    maps = sharpening_maps(WIDE)
    maps.influence[0, 0, 31] = 0.2
    figure = pictures._maps_figure(maps, WIDE, MOMENTS[:2], "")
    hidden = np.arange(32) > WIDE.query_positions[:, None]
    for axes, leaks in zip(figure.axes[:3], (True, False, False), strict=True):
        grey = np.ma.getmaskarray(cells(axes))
        expected = hidden.copy()
        expected[0, 31] = not leaks
        np.testing.assert_array_equal(grey, expected)
    # The chance level counts what each query sees: 16 tokens for the first target, 31 for the last.
    assert figure.get_supxlabel().endswith(f"by chance {np.mean(3 / np.arange(16, 32)):.2f}")


def test_a_map_without_influence_claims_no_mass() -> None:
    figure = pictures._maps_figure(NO_INFLUENCE, ISOLATED, [("start", 0)], "")
    assert figure.axes[0].get_title() == "start, step 0\nno influence"


def test_many_targets_are_one_line_a_state_with_bayes_beside_it() -> None:
    run = made_automata.run(made_automata.spec())
    figure = pictures._loss_figure(run.curves, run.truth, None, None, "")
    drawn = lines(figure, "state")
    assert len(drawn) == 5
    assert not lines(figure, "target")
    for state, line in enumerate(drawn, start=1):
        np.testing.assert_allclose(heights(line), run.curves.loss[:, run.truth.state == state].mean(axis=1))
    # In the order of the states, whichever falls first.
    shades = [str(line.get_color()) for line in drawn]
    assert len(set(shades)) == 5
    bayes = lines(figure, "bayes")
    assert [heights(line)[0] for line in bayes] == [0.5 * made_automata.CHANCE, 0, 0, 0, 0]
    assert [str(line.get_color()) for line in bayes] == shades
    assert "Bayes, state 1: 0.693" in labels(figure.axes[0])
    assert "floor 0.139" in labels(figure.axes[0])
    # A few targets of several states are still drawn one by one.
    small = made_automata.run(made_automata.spec(size=4, states=5))
    assert len(lines(pictures._loss_figure(small.curves, small.truth, None, None, ""), "target")) == 16


def test_positions_that_were_never_probed_are_hatched_and_rows_name_their_targets() -> None:
    run = made_automata.run(made_automata.spec())
    figure = pictures._maps_figure(run.maps, run.truth, [("end", 2)], "")
    measured, truth, _colour_bar = figure.axes
    positions = np.flatnonzero(run.truth.probed)
    gaps = sum(after - before > 1 for before, after in itertools.pairwise(positions)) + 1
    for axes in (measured, truth):
        hatched = [patch for patch in axes.patches if patch.get_gid() == "unprobed"]
        assert len(hatched) == gaps
        shown = cells(axes)
        assert shown.shape == (4, len(positions) + gaps)
        # Nothing is shown under the hatching, and it covers nothing else.
        columns = [round(patch.get_x() + 0.5) for patch in hatched if isinstance(patch, Rectangle)]
        assert all(patch.get_hatch() for patch in hatched)
        assert np.ma.getmaskarray(shown)[:, columns].all()
        others = np.delete(np.ma.filled(shown, 0.0), columns, axis=1)
        assert others.shape[1] == len(positions)
    np.testing.assert_array_equal(others > 0, run.truth.attention_map[:, positions])
    assert [text.get_text() for text in measured.get_yticklabels()] == ["1, 0", "1, 1", "5, 0", "5, 1"]
    assert sum(line.get_gid() == "edge" for line in measured.lines) == 5
    said = figure.get_supxlabel()
    assert f"hatched: {48 - len(positions)} of 48 positions, never replaced" in said
    assert "rows: 4 of 40 targets" in said


def test_the_gallery_draws_an_automaton_and_names_what_is_done_to_it(tmp_path: Path) -> None:
    biased = InterventionSpec(map_bias=5.0, map_bias_steps="0:500", map_bias_placebo=True)
    drawn = []
    for given in (None, biased):
        run = made_automata.run(made_automata.spec(intervention=given))
        drawn += [draw_losses(run, tmp_path), draw_maps(run, tmp_path)]
    assert len({path.name for path in drawn}) == 4
    assert "-attention-seed-0-" in drawn[0].name
    assert "-attention-map_bias-5-map_bias_steps-0-500-map_bias_placebo-yes-seed-0-" in drawn[2].name
    for path in drawn:
        assert min(imread(path).shape[:2]) > 300


def test_names_of_pictures_are_no_longer_than_file_systems_take(tmp_path: Path) -> None:
    plain = made_automata.spec()
    mixer = replace(plain.cell.mixer, name="a_package." * 20 + "mixers:Mine")
    run = made_automata.run(replace(plain, cell=replace(plain.cell, mixer=mixer)))
    path = draw_losses(run, tmp_path)
    assert path.name.endswith(f"-seed-0-{run.spec.digest[:8]}-losses.png")
    assert len(path.name) < 230


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


def test_no_two_runs_cover_each_other_and_none_strays_to_another_place() -> None:
    places_of_equal_runs = np.repeat([3.0, 3.4, 8.0], 5)
    series = [Series(label, places_of_equal_runs, censored_at(*[100] * 15)) for label in "abc"]
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
    figure = pictures._plateau_figure([Series("a", bits, both)], 400, "")
    (line,) = lines(figure, "median")
    np.testing.assert_array_equal(heights(line), [50, np.nan if median is None else median])


def test_the_example_follows_one_row_through() -> None:
    matrix = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1]], bool)
    attention_map = np.concatenate([matrix, np.zeros_like(matrix)], axis=1)
    state, following = np.array([1, 0, 1]), np.array([1, 1, 0])
    figure = pictures_examples._linear_map_figure(matrix, state, following, "101abc", attention_map, 1, "")
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
