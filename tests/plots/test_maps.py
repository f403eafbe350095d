"""The picture of maps: shares of the influence, what is hidden, and what was never probed."""

from __future__ import annotations

import itertools

import numpy as np
from helpers import made_automata
from helpers.figures import ISOLATED, MOMENTS, NO_INFLUENCE, WIDE, cells, sharpening_maps
from matplotlib.patches import Rectangle

from attnsearch.plots import maps as pictures


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
    maps.later[0] = 0.2
    figure = pictures._maps_figure(maps, WIDE, MOMENTS[:2], "")
    hidden = np.arange(32) > WIDE.query_positions[:, None]
    for axes, leaks in zip(figure.axes[:3], (True, False, False), strict=True):
        grey = np.ma.getmaskarray(cells(axes))
        expected = hidden.copy()
        expected[0, 31] = not leaks
        np.testing.assert_array_equal(grey, expected)
    # The chance level counts what each query sees: 16 tokens for the first target, 31 for the last.
    first, second = figure.get_supxlabel().split("\n")
    assert first.endswith(f"by chance {np.mean(3 / np.arange(16, 32)):.2f}")
    assert second == "leaking: tokens behind a query moved its answer by 0.2"


def test_a_map_without_influence_claims_no_mass() -> None:
    figure = pictures._maps_figure(NO_INFLUENCE, ISOLATED, [("start", 0)], "")
    assert figure.axes[0].get_title() == "start, step 0\nno influence"


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
