"""The tasks that copy, and the moving window sum: each drawn sequence obeys the task as written out here once
more, and what a network may do instead stays above the threshold of its plateau."""

from __future__ import annotations

import itertools
import math
from typing import Any

import jax
import numpy as np
import pytest

from attnsearch.base import AttnsearchError, Integers
from attnsearch.generators import GENERATORS, Generator
from attnsearch.generators.bags import bag_loss
from attnsearch.generators.shortcut_loss import loss_of
from attnsearch.sequences.sequences import probe_sequences
from attnsearch.spec.plugins import generator
from attnsearch.spec.task_file import find_task, shipped_tasks


def made(task: str, **knobs: Any) -> Generator:
    return generator(find_task(task).resolve(knobs), GENERATORS)


def drawn(of: Generator, count: int = 200) -> tuple[Integers, Integers]:
    """`i32[N, L]` and `i32[N, R]`."""
    keys = jax.random.split(jax.random.key(5), count)
    tokens, answers = jax.jit(jax.vmap(of.sample, (None, 0)))((), keys)
    return np.asarray(tokens), np.asarray(answers)


@pytest.mark.parametrize("gap", [0, 2])
@pytest.mark.parametrize("emitted", ["hidden", "shown"])
def test_a_copy_is_the_string_after_a_gap(emitted: str, gap: int) -> None:
    tokens, answers = drawn(made("copy", string_length=4, num_symbols=3, gap=gap, emitted=emitted))
    string, blank = tokens[:, :4], np.full((200, 1), 3)
    asked = np.concatenate([blank, string[:, :3]] if emitted == "shown" else [blank] * 4, axis=1)
    np.testing.assert_array_equal(answers, string)
    np.testing.assert_array_equal(tokens[:, 4:], np.concatenate([blank] * gap + [asked], axis=1))


def test_a_selective_copy_is_what_is_marked_in_its_order() -> None:
    tokens, answers = drawn(made("selective_copy", string_length=3, num_noise=4, num_symbols=5))
    for row, answer in zip(tokens, answers, strict=True):
        assert [token for token in row[:7] if token >= 5] == answer.tolist()
        assert row[7:].tolist() == [10] * 3
    places = np.argwhere(tokens[:, :7] >= 5)[:, 1].reshape(-1, 3)
    assert len(np.unique(places, axis=0)) == math.comb(7, 3)


def test_induction_asks_what_followed_the_last_time() -> None:
    tokens, answers = drawn(made("induction", string_length=6, num_symbols=3))
    for row, answer in zip(tokens.tolist(), answers.tolist(), strict=True):
        assert sorted(row[:3]) == [0, 1, 2]
        for query in range(3, 9):
            last = max(earlier for earlier in range(query) if row[earlier] == row[query])
            assert answer[query - 3] == row[last + 1]


@pytest.mark.parametrize("training_gap", ["any", 2])
def test_a_trigger_is_there_twice_and_probes_have_other_gaps(training_gap: int | str) -> None:
    of = made("trigger_copy", string_length=7, num_symbols=4, training_gap=training_gap)
    tokens, answers = drawn(of)
    rows = [(row, answer) for row, (answer,) in zip(tokens.tolist(), answers.tolist(), strict=True)]
    probed = [(row, None) for row in np.asarray(probe_sequences(of, (), 0)).tolist()]
    gaps: list[set[int]] = []
    for sequences in (rows, probed):
        gaps.append(set())
        for row, answer in sequences:
            assert row.count(row[-1]) == 2
            place = 1 + row.index(row[-1])
            assert answer in (None, row[place])
            gaps[-1].add(7 - place - 1)
    assert gaps[0] == (set(range(6)) if training_gap == "any" else {2})
    assert gaps[1] == (set(range(6)) if training_gap == "any" else {0, 1, 3, 4, 5})


def test_a_fixed_position_is_the_cheapest_route_where_training_has_one_gap() -> None:
    of = made("trigger_copy", string_length=7, num_symbols=4, training_gap=2)
    truth = of.truth((), {})
    assert np.flatnonzero(truth.cheapest_route).tolist() == [4]
    assert np.flatnonzero(truth.attention_map).tolist() == [3, 4, 7]


def test_a_moving_window_adds_a_number_to_the_one_before() -> None:
    tokens, answers = drawn(made("moving_window_sum", string_length=4, modulus=5))
    before = np.pad(tokens[:, :3], ((0, 0), (1, 0)))
    np.testing.assert_array_equal(answers, (before + tokens[:, :4]) % 5)
    np.testing.assert_array_equal(tokens[:, 4:], np.pad(answers[:, :3], ((0, 0), (1, 0)), constant_values=5))


def test_no_answer_of_a_moving_window_is_cheaper_though_earlier_ones_are_shown() -> None:
    """By going through every string: no single token that a query sees tells anything of its answer."""
    strings = np.array(list(itertools.product(range(3), repeat=4)))
    answers = (strings + np.pad(strings[:, :3], ((0, 0), (1, 0)))) % 3
    for target in range(1, 4):
        for seen in (*strings.T, *answers[:, :target].T):
            counts = np.zeros((3, 3), int)
            np.add.at(counts, (seen, answers[:, target]), 1)
            assert (counts == 9).all()


@pytest.mark.parametrize(("count", "num_symbols"), [(1, 4), (4, 2), (3, 3)])
def test_the_loss_of_a_bag_is_the_mean_over_every_bag(count: int, num_symbols: int) -> None:
    losses = []
    for bag in itertools.product(range(num_symbols), repeat=count):
        losses += [-math.log(bag.count(symbol) / count) for symbol in bag]
    assert bag_loss(count, num_symbols) == pytest.approx(np.mean(losses))


@pytest.mark.parametrize("task", ["induction", "moving_window_sum", "selective_copy"])
def test_shortcuts_do_not_end_a_plateau(task: str) -> None:
    of = made(task)
    assert of.shortcuts
    for shortcut in of.shortcuts:
        assert loss_of(shortcut, of, {}) > shipped_tasks()[task].plateau.escape * of.chance_loss, (
            shortcut.name
        )


def test_where_a_position_is_enough_it_is_known_as_a_shortcut() -> None:
    of = made("trigger_copy", string_length=7, num_symbols=4, training_gap=2)
    (position,) = of.shortcuts
    assert loss_of(position, of, {}) < 0.01
    assert not made("trigger_copy").shortcuts


def test_emitted_answers_make_a_copy_cheaper() -> None:
    hidden, shown = (made("copy", emitted=word) for word in ("hidden", "shown"))
    losses = [loss_of(shortcut, shown, {}) / shown.chance_loss for shortcut in shown.shortcuts]
    assert not hidden.shortcuts
    assert min(losses) < 0.5 < max(losses) < 0.8


@pytest.mark.parametrize(
    ("task", "knobs", "complaint"),
    [
        ("copy", {"emitted": "some"}, "emitted 'some' is unknown: hidden or shown"),
        (
            "trigger_copy",
            {"training_gap": 30},
            "training_gap 30 does not fit string_length 15: choose 0 to 13",
        ),
        ("trigger_copy", {"string_length": 2}, "string_length 2 must be at least 3"),
    ],
)
def test_what_cannot_be_drawn_is_refused(task: str, knobs: dict[str, Any], complaint: str) -> None:
    with pytest.raises(AttnsearchError, match=complaint):
        made(task, **knobs)
