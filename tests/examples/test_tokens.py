"""Any task is drawn: its tokens, its answers where they are asked for, and its map beneath."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from attnsearch.cli.main import main
from attnsearch.examples.example import draw
from attnsearch.examples.tokens import MOST_POSITIONS, MOST_ROWS, TokensExample
from attnsearch.generators import GENERATORS, LinearMap
from attnsearch.plots.tokens import _tokens_figure
from attnsearch.spec.run import TaskSpec, settings
from attnsearch.training.jax.backend import JaxBackend


@dataclass(frozen=True)
class Foreign(LinearMap):
    """A linear map in all, but without a drawing of its own."""


def example(size: int, support_size: int = 2) -> TokensExample:
    task = TaskSpec("mine", "mine", settings({"state_size": size, "support_size": support_size}))
    drawn = draw(task, 0, JaxBackend(generators=GENERATORS | {"mine": Foreign}))
    assert isinstance(drawn, TokensExample)
    return drawn


def test_the_rows_of_the_map_lie_beneath_the_tokens() -> None:
    drawn = example(4)
    position, token, answer, *rows = (line[14:] for line in drawn.terminal(1).plain.splitlines()[:7])
    columns = [position.index(str(column)) for column in range(8)]
    assert [token[column] for column in columns] == [str(value) for value in drawn.tokens]
    assert [answer[column] for column in columns if column < len(answer)][4:] == list(map(str, drawn.answers))
    for target, row in enumerate(rows):
        seen = columns[: 4 + target + 1]
        assert [row[column] for column in seen] == ["#" if one else "." for one in drawn.supports[target]][
            : len(seen)
        ]
        assert row.strip() == row[: seen[-1] + 1].strip()


def test_the_sentence_says_what_a_target_is_made_of() -> None:
    drawn = example(4)
    first, second = np.flatnonzero(drawn.supports[1])
    assert drawn.telling == 1
    assert drawn.sentence(1) == (
        f"target 1, asked at position 5, is {drawn.tokens[first] ^ drawn.tokens[second]}. It depends on"
        f" {drawn.tokens[first]} at {first}, {drawn.tokens[second]} at {second}:"
        " one of 6 supports it could have had (2.6 bits)"
    )


def test_a_long_context_is_cut_to_what_the_target_is_about() -> None:
    drawn = example(64, 3)
    position, *others = drawn.terminal(40).plain.splitlines()
    shown = [int(word) for word in position.replace("…", "").split()[1:]]
    assert set(np.flatnonzero(drawn.supports[40])) | {64 + 40} <= set(shown)
    assert len(shown) <= MOST_POSITIONS
    assert "…" in position
    assert sum(line[2:8] == "map of" for line in others) == MOST_ROWS
    assert max(map(len, (position, *others))) < 200


@pytest.mark.parametrize("size", [2, 4, 100])
def test_a_picture_of_any_task(size: int, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.image import imread

    drawn = example(size, 1)
    image = imread(drawn.picture(tmp_path / "example.png", drawn.telling, "An example"))
    assert len(np.unique(image.reshape(-1, image.shape[-1]), axis=0)) > 20
    for edge in (image[0], image[-1], image[:, 0], image[:, -1]):
        assert (edge == 1).all()


def test_a_picture_that_cannot_be_written_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as ended:
        main(["show", "--task", "linear_map", "--out", str(tmp_path / "file" / "results")])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("attnsearch: cannot write ")
    assert line.endswith("Not a directory; choose another place")


def test_a_picture_numbers_what_each_route_reads() -> None:
    pytest.importorskip("matplotlib")
    supports = np.array([[True, True, False, True]])
    routes = np.array([[[True, False, False, True]], [[False, True, True, False]]])
    asked = np.array([3]), np.array([0]), np.array([0])
    (axes,) = _tokens_figure(np.zeros(4, int), *asked, supports, routes, 0, "", "").axes
    numbers = [text for text in axes.texts if text.get_gid() == "number"]
    # Not where the target is asked, for the answer stands there; and dark beside the support.
    assert [text.get_text() for text in numbers] == ["1", "2", "2"]
    assert [text.get_color() for text in numbers] == ["white", "white", "black"]
