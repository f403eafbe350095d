"""The picture of losses: every target in its order, and what was reached."""

from __future__ import annotations

import numpy as np
from helpers import made_automata
from helpers.figures import CHANCE, DIVERGED, FALLS, falling_curves, heights, labels, lines, places, truth_of
from matplotlib.figure import Figure

from attnsearch.base import Curves
from attnsearch.plots import losses as pictures


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
