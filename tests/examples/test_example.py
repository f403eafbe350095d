"""The examples that `show` draws say what is so: windows, entries of the rule, what can be highlighted."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np
import pytest

from attnsearch.cli.main import main
from attnsearch.examples.cellular_automaton import AutomatonExample
from attnsearch.examples.example import draw
from attnsearch.plots import examples as pictures_examples
from attnsearch.spec.run import TaskSpec, Value, settings
from attnsearch.training.jax.backend import JaxBackend

AUTOMATON: dict[str, Value] = {
    "state_size": 6,
    "num_colours": 3,
    "window_size": 3,
    "compositions": 1,
    "num_states": 5,
    "rule_pool": 4,
    "loss": "targets",
}


def example(seed: int = 0, **knobs: Value) -> AutomatonExample:
    task = TaskSpec("cellular_automaton", "cellular_automaton", settings(AUTOMATON | knobs))
    drawn = draw(task, seed, JaxBackend())
    assert isinstance(drawn, AutomatonExample)
    return drawn


def test_equal_windows_of_a_sequence_have_equal_answers() -> None:
    drawn = example()
    seen: dict[str, int] = {}
    for row in range(drawn.targets):
        name, _, answer = drawn.sentence(row).partition(" = ")[2].partition(",")[0].partition(" = ")
        state, cell = divmod(row, 6)
        state += 1
        # Round the ring: cell 0 reads the last one.
        read = [drawn.states[state - 1, (cell + offset) % 6] for offset in (-1, 0, 1)]
        assert name == f"rule[{read[0]} {read[1]} {read[2]}]"
        assert int(answer) == drawn.states[state, cell]
        used = drawn.history(row)
        assert (name in seen) == ("has been used" in used and "not been" not in used)
        assert seen.setdefault(name, int(answer)) == int(answer)
    assert len(seen) > 3


@pytest.mark.parametrize("compositions", [1, 2])
def test_the_window_is_the_support_that_the_generator_states(compositions: int) -> None:
    drawn = example(compositions=compositions, state_size=7)
    tokens = np.asarray(drawn.states).reshape(-1)
    for row in (0, 6, 9, 27):
        state, _ = drawn._place(row)
        found = np.zeros(35, bool)
        found[7 * (state - 1) + drawn._window(row)] = True
        rule = jax.numpy.zeros(0, int)
        stated = drawn.automaton.supports(rule, jax.numpy.asarray(tokens), np.array([row]))
        np.testing.assert_array_equal(found, stated[0])
        assert found.sum() == 1 + 2 * compositions


def test_the_sentence_counts_the_windows_that_could_have_been() -> None:
    drawn = example()
    assert drawn.telling == 7
    assert drawn.sentence(7).startswith("target 7 (state 2, cell 1) = rule[")
    assert drawn.sentence(7).endswith("one of 12 windows it could have had (3.6 bits)")
    assert "= rule, 2 times, on [" in example(compositions=2).sentence(7)
    # Of two states there is only the first to highlight.
    assert example(num_states=2).telling == 1


def test_the_terminal_marks_target_and_window_by_signs() -> None:
    drawn = example()
    lines = drawn.terminal(6).plain.splitlines()
    before, after = (next(line for line in lines if line.startswith(f"state {t}")) for t in (1, 2))
    states = drawn.states
    cells = (
        f"({states[1, 0]})({states[1, 1]}) {states[1, 2]}  {states[1, 3]}  {states[1, 4]} ({states[1, 5]})"
    )
    entry = f"({states[1, 5]})({states[1, 0]})({states[1, 1]})"
    assert before[10:].startswith(f"{cells}  {entry}")
    assert after[10:].startswith(f"[{states[2, 0]}] {states[2, 1]} ")
    # The map of that state: the others are folded, the ring goes round.
    rows = [line[40:].rstrip() for line in lines if line[42:47] == "cell "]
    assert rows[0] == "> cell 0  -##...#---"
    assert rows[1] == "  cell 1  -###...---"
    assert rows[5] == "  cell 5  -#...##---"
    assert len(rows) == 6


def test_a_large_automaton_is_cut_to_what_surrounds_the_target() -> None:
    drawn = example(state_size=100, num_states=30, num_colours=12)
    text = drawn.terminal(100 * 20 + 99)
    lines = text.plain.splitlines()
    assert max(map(len, lines)) < 250
    assert len(lines) < 50
    assert sum(line.startswith("state ") for line in lines) == 24
    assert "[" in next(line for line in lines if line.startswith("state 21"))
    # The ring goes on beyond its last cell.
    assert " 99 " in lines[1]
    assert "  0 " in lines[1]


@pytest.mark.parametrize("count", [2, 4, 8, 30, 256])
def test_every_colour_is_its_own_and_light_enough_for_digits(count: int) -> None:
    colours = pictures_examples.colours_of(count)
    assert len(colours) == count
    if count <= 30:
        assert len(set(colours)) == count
    for colour in colours:
        red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        assert 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.3


@pytest.mark.parametrize(
    "knobs",
    [{}, {"window_size": 9, "state_size": 4}, {"compositions": 3}, {"num_states": 2}, {"rule_pool": "fresh"}],
    ids=str,
)
def test_a_picture_of_any_automaton(knobs: dict[str, Value], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.image import imread

    drawn = example(0, **knobs)
    assert "target" in drawn.terminal(drawn.telling).plain
    image = imread(drawn.picture(tmp_path / "example.png", drawn.telling, "An example"))
    assert len(np.unique(image.reshape(-1, image.shape[-1]), axis=0)) > 50
    for edge in (image[0], image[-1], image[:, 0], image[:, -1]):
        assert (edge == 1).all()


def test_the_picture_holds_the_rows_of_recorded_maps_and_the_highlighted_one() -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.collections import PolyCollection
    from matplotlib.patches import Rectangle

    drawn = example(state_size=16, num_states=16)
    mapped = drawn.automaton.mapped_targets
    row = next(target for target in range(17, drawn.targets) if target not in mapped)
    shown = np.union1d(mapped, [row])
    figure = pictures_examples._automaton_figure(
        drawn.states,
        3,
        drawn._window(row),
        drawn._read(row),
        drawn._rule(row),
        shown,
        drawn._supports(shown),
        row,
        drawn.sentence(row),
        "",
    )
    cells, _, attention = figure.axes
    supports = [one for one in attention.collections if one.get_gid() == "support"]
    assert len(supports) == len(mapped) + 1
    for target, support in zip(shown, supports, strict=True):
        assert isinstance(support, PolyCollection)
        edges = [path.get_extents() for path in support.get_paths()]
        covered = np.concatenate([np.arange(round(edge.x0), round(edge.x1)) for edge in edges])
        np.testing.assert_array_equal(covered, np.flatnonzero(drawn._supports(np.array([target]))[0]))
    assert sum(line.get_gid() == "edge" for line in attention.lines) == 15
    (box,) = [patch for patch in cells.patches if patch.get_gid() == "target"]
    state, cell = drawn._place(row)
    assert isinstance(box, Rectangle)
    assert box.get_xy() == (cell, state)


def test_targets_that_are_not_there_are_refused_with_their_range(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small = ["show", "--task", "cellular_automaton", "--state-size", "4", "--num-states", "3"]
    with pytest.raises(SystemExit) as ended:
        main([*small, "--target", "8"])
    assert ended.value.code == 2
    assert "target 8 is outside 0 to 7" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*small, "--no-plots"])
    assert "target 5 (state 2, cell 1) = rule[" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
