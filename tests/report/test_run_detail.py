"""How much of a run a report keeps: thinned curves, weights while there is room."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from helpers.hand_made import run_of, spec_of
from helpers.maps import maps_of
from helpers.page import Page

from attnsearch.report.report import report
from attnsearch.report.run_detail import POINTS, thinned
from attnsearch.results.study import Study


def test_curves_are_thinned_to_some_of_their_points() -> None:
    assert thinned(3).tolist() == [0, 1, 2]
    assert thinned(0).tolist() == []
    for points in (POINTS + 1, 1_000, 10_000):
        at = thinned(points)
        assert len(at) <= POINTS
        assert len(at) > POINTS / 2
        assert (np.diff(at) > 0).all()
        assert (at[0], at[-1]) == (0, points - 1)


def test_sixty_four_large_runs_fit_into_three_megabytes() -> None:
    drawn = np.random.default_rng(0)
    made = []
    for number in range(64):
        spec = spec_of("attention", number % 8, state_size=16, support_size=1 + number // 8, steps=10_000)
        run = run_of(spec, [10_000] * 16, heads=1)
        # Everything that compresses badly: every number is drawn.
        weights = drawn.integers(0, 256, (30, 16, 16, 32), np.uint8)
        mass = drawn.uniform(size=(30, 16, 16)).astype(np.float32)
        influence = drawn.uniform(size=(30, 16, 32)).astype(np.float32) * run.truth.replaceable
        maps = maps_of(run.truth, np.arange(30) * 100, influence)
        loss = drawn.uniform(0, 1, run.curves.loss.shape).astype(np.float32)
        made.append(
            replace(
                run,
                maps=maps,
                heads=run.heads._replace(weights=weights, mass=mass, entropy=mass),
                curves=run.curves._replace(loss=loss),
            )
        )
    text = report(Study(made))
    assert len(text.encode()) < 3_000_000
    heads = [run["detail"]["heads"] for run in Page(text).data["runs"]]
    kept = [number for number, one in enumerate(heads) if one["weights"] is not None]
    assert 0 < len(kept) < 64
    assert f"The attention weights of {64 - len(kept)} of 64 runs are left out" in text
    # The run at which the page opens goes first, then the middle run of each cell, as far as there is room.
    assert {number // 8 for number in kept} == {*range(len(kept) - 1), 7}
