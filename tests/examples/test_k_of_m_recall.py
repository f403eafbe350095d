"""Recall by k of m attributes is drawn with a block a line, and the block that is asked for is marked."""

from __future__ import annotations

from attnsearch.examples.example import draw
from attnsearch.examples.k_of_m_recall import BlocksExample
from attnsearch.spec.run import TaskSpec, settings
from attnsearch.training.jax.backend import JaxBackend


def test_each_block_is_a_line_and_says_on_what_it_agrees() -> None:
    knobs = {"num_blocks": 3, "num_attributes": 4, "support_size": 2, "num_symbols": 5}
    drawn = draw(TaskSpec("mine", "k_of_m_recall", settings(knobs)), 1, JaxBackend())
    assert isinstance(drawn, BlocksExample)
    _, matters, *blocks, query, _, sentence, _ = drawn.terminal(0).plain.splitlines()
    hidden = {place for place, sign in enumerate(matters.split()[1:]) if sign == "#"}
    asked = query.split()[1:5]
    marked = [line for line in blocks if line.startswith("> block ")]
    assert len(blocks) == 3
    assert len(hidden) == 2
    assert len(marked) == 1
    for line in blocks:
        cells, agrees = line.removeprefix(">").split("agrees on")
        _, _, *attributes, value = cells.split()
        same = {place for place in range(4) if attributes[place] == asked[place]}
        assert same == set(map(int, agrees.split()))
        assert (hidden <= same) == (line in marked)
        if line in marked:
            assert query.split()[5] == value
            assert f" is {value}. It depends on " in sentence
