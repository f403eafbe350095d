"""The automaton obeys a rule written out here once more, its map is proved by substitution, and its Bayes
loss by going through every sequence there is."""

import itertools
import math
from typing import Any

import jax
import numpy as np
import pytest

from attnsearch.base import AttnsearchError
from attnsearch.generators import CellularAutomaton
from attnsearch.generators.bayes import fresh_loss, pool_loss
from attnsearch.runs.outline import Targets, masters, outlined
from attnsearch.spec.run import PlateauRule
from attnsearch.spec.task_file import find_task
from attnsearch.training.jax.backend import JaxBackend

AUTOMATON = CellularAutomaton(
    state_size=6, num_colours=3, window_size=3, compositions=1, num_states=4, rule_pool=5
)


def automaton(**knobs: Any) -> CellularAutomaton:
    made = JaxBackend().generator(find_task("cellular_automaton").resolve(knobs))
    assert isinstance(made, CellularAutomaton)
    return made


def stepped(table: np.ndarray, state: list[int], made: CellularAutomaton) -> list[int]:
    """The next state, cell by cell as the definition has it."""
    for _ in range(made.compositions):
        before, state = state, []
        for cell in range(len(before)):
            entry = 0
            for offset in range(made.window_size):
                read = before[(cell - made.window_size // 2 + offset) % len(before)]
                entry = entry * made.num_colours + read
            state.append(int(table[entry]))
    return state


@pytest.mark.parametrize(("window_size", "compositions"), [(3, 1), (3, 2), (1, 1), (2, 1), (4, 1)])
def test_every_state_follows_from_the_one_before_by_one_rule_of_the_pool(window_size: int, compositions: int):
    made = CellularAutomaton(6, 2, window_size, compositions, 5, rule_pool=3)
    pool = made.init(jax.random.key(0), {})
    used = set()
    for key in jax.random.split(jax.random.key(1), 20):
        example = made.sample(pool, key)
        states = np.asarray(example.tokens).reshape(5, 6).tolist()
        fitting = [
            rule
            for rule, table in enumerate(np.asarray(pool))
            if all(stepped(table, one, made) == other for one, other in itertools.pairwise(states))
        ]
        assert fitting
        used.update(fitting if len(fitting) == 1 else [])
        np.testing.assert_array_equal(example.answers, np.asarray(example.tokens)[6:])
    assert len(used) > 1


def test_fresh_rules_differ_from_sequence_to_sequence():
    made = CellularAutomaton(8, 2, 1, 1, 3, rule_pool="fresh")
    nothing = made.init(jax.random.key(0), {})
    many = jax.vmap(made.sample, (None, 0))(nothing, jax.random.split(jax.random.key(1), 200))
    states = np.asarray(many.tokens).reshape(200, 3, 8)
    tables = set()
    for first, second, _ in states:
        table = dict(zip(first.tolist(), second.tolist(), strict=True))
        tables.add(tuple(sorted(table.items())))
    assert {((0, a), (1, b)) for a in (0, 1) for b in (0, 1)} <= tables


@pytest.mark.parametrize(("compositions", "size"), [(1, 6), (2, 7), (2, 5), (3, 4)])
def test_an_answer_depends_on_its_window_and_on_nothing_else(compositions: int, size: int):
    """By substitution, the rule being given: a cell of the state before is replaced, and the state after is
    computed once more. Over many rules every position of the window matters to some, and no other to any."""
    made = CellularAutomaton(size, 3, 3, compositions, 3, rule_pool=40)
    pool = np.asarray(made.init(jax.random.key(2), {}))
    truth = made.truth(pool, {})
    support = truth.attention_map.reshape(2, size, 3, size)
    random = np.random.default_rng(0)
    matters = np.zeros((size, size), bool)
    for table in pool:
        for _ in range(6):
            state = random.integers(3, size=size).tolist()
            after = np.array(stepped(table, state, made))
            for position in range(size):
                replaced = state.copy()
                replaced[position] = (state[position] + 1) % 3
                matters[:, position] |= np.array(stepped(table, replaced, made)) != after
    for state in (1, 2):
        np.testing.assert_array_equal(support[state - 1, :, state - 1], matters)
        others = [other for other in range(3) if other != state - 1]
        assert not support[state - 1][:, others].any()
    assert truth.state.tolist() == [1] * size + [2] * size
    assert truth.queries.tolist() == list(range(size - 1, 3 * size - 1))


def test_search_space_is_the_windows_of_the_states_before():
    truth = AUTOMATON.truth(AUTOMATON.init(jax.random.key(0), {}), {})
    np.testing.assert_allclose(truth.log2_search_space.reshape(3, 6), np.log2([[6] * 6, [12] * 6, [18] * 6]))
    assert truth.nominal_log2_search_space == pytest.approx(truth.log2_search_space.mean())
    # One window that holds the whole ring has no other place in it.
    whole = CellularAutomaton(3, 2, 3, 1, 3, rule_pool=1)
    np.testing.assert_allclose(
        whole.truth(whole.init(jax.random.key(0), {}), {}).log2_search_space, [0] * 3 + [1] * 3
    )


def test_long_contexts_keep_some_rows_and_probe_their_windows_and_a_sample_of_the_rest():
    made = automaton(state_size=32)
    truth = made.truth(made.init(jax.random.key(0), {}), {})
    kept = len(truth.mapped)
    assert kept == len(truth.attention_map) == 16
    assert kept * made.context_length <= 2**13
    # Neighbours in the first, the last, and two states between.
    np.testing.assert_array_equal(np.unique(truth.state[truth.mapped]), [1, 6, 10, 15])
    assert (truth.attention_map.sum(axis=1) == 3).all()
    assert not (truth.attention_map & ~truth.probed).any()
    assert truth.attention_map.any(axis=0).sum() < truth.probed.sum() < 80
    longest = automaton(state_size=512)
    assert len(longest.mapped_targets) == 8
    assert longest.probed_positions.sum() < 64


def test_a_perfect_predictor_masters_rules_that_are_new_in_every_sequence():
    """It knows every entry of a table that the sequence has used before, and guesses the others."""
    made = automaton(rule_pool="fresh", num_states=3)
    truth = made.truth(made.init(jax.random.key(0), {}), {})
    drawn = jax.vmap(made.sample, (None, 0))(
        made.init(jax.random.key(0), {}), jax.random.split(jax.random.key(1), 800)
    )
    losses = np.zeros((800, 32))
    for sequence, tokens in enumerate(np.asarray(drawn.tokens).reshape(800, 3, 16)):
        seen = set()
        for target in range(32):
            state, cell = divmod(target, 16)
            window = tuple(tokens[state][[cell - 1, cell, (cell + 1) % 16]])
            losses[sequence, target] = 0.0 if window in seen else np.log(4)
            seen.add(window)
    points = losses.reshape(10, 80, 32).mean(axis=1)
    rule = PlateauRule(escape=0.938, found=0.5, mastery=0.1)
    # As many sequences as make a point of 2,048 tokens a step at the default size: single cells are off.
    assert ((points - truth.bayes_loss).max(axis=1) > 0.1 * np.log(4)).any()
    targets = Targets.of(truth)
    assert masters(outlined(points, targets), targets, rule).all()
    assert not masters(outlined(points + 0.2, targets), targets, rule).any()


def bayes_by_enumeration(tables: np.ndarray, made: CellularAutomaton) -> np.ndarray:
    """Every table and first state once: the mean of -log of the share of sequences with the same past that
    go on in the same way."""
    sequences = []
    for table in tables:
        for first in itertools.product(range(made.num_colours), repeat=made.state_size):
            states = [list(first)]
            for _ in range(made.num_states - 1):
                states.append(stepped(table, states[-1], made))
            sequences.append(tuple(itertools.chain(*states)))
    losses = np.zeros((len(sequences), made.context_length - made.state_size))
    for index in range(losses.shape[1]):
        end = made.state_size + index
        past: dict[tuple[int, ...], int] = {}
        present: dict[tuple[int, ...], int] = {}
        for sequence in sequences:
            past[sequence[:end]] = past.get(sequence[:end], 0) + 1
            present[sequence[: end + 1]] = present.get(sequence[: end + 1], 0) + 1
        losses[:, index] = [math.log(past[s[:end]] / present[s[: end + 1]]) for s in sequences]
    return losses.mean(axis=0)


@pytest.mark.parametrize("compositions", [1, 2])
def test_bayes_loss_of_a_pool_is_that_of_an_enumeration(compositions: int):
    made = CellularAutomaton(4, 2, 3, compositions, 3, rule_pool=6)
    tables = np.random.default_rng(3).integers(2, size=(6, 8))
    exact = bayes_by_enumeration(tables, made)
    measured = pool_loss(tables, 2, made.offsets, compositions, 4, 3)
    # 4,096 sequences, and a cell's loss deviates by less than ln 2.
    np.testing.assert_allclose(measured, exact, atol=4 * math.log(2) / 64)
    assert exact[0] > 0.5 > exact[-1]


def test_bayes_loss_of_fresh_rules_is_that_of_every_rule_there_is():
    made = CellularAutomaton(3, 2, 2, 1, 3, rule_pool="fresh")
    every = np.array(list(itertools.product((0, 1), repeat=4)))
    exact = bayes_by_enumeration(every, made)
    np.testing.assert_allclose(fresh_loss(2, made.offsets, 3, 3), exact, atol=4 * math.log(2) / 64)
    assert exact[0] == pytest.approx(math.log(2))
    truth = made.truth(np.zeros((0, 4), int), {})
    np.testing.assert_array_equal(truth.bayes_loss, fresh_loss(2, made.offsets, 3, 3))


def test_where_no_bayes_loss_is_known_it_is_taken_for_nothing():
    made = CellularAutomaton(3, 2, 3, 2, 3, rule_pool="fresh")
    assert not made.truth(np.zeros((0, 8), int), {}).bayes_loss.any()
    # The bound that the documentation states: what a table holds.
    exact = bayes_by_enumeration(np.array(list(itertools.product((0, 1), repeat=8))), made)
    assert 0 < exact.sum() <= 8 * math.log(2)


def test_known_by_heart_one_rule_leaves_nothing_to_infer():
    assert not pool_loss(np.ones((1, 64), int), 4, np.arange(-1, 2), 1, 16, 16).any()


@pytest.mark.parametrize(
    ("knobs", "complaint"),
    [
        ({"num_colours": 256, "window_size": 3}, "a table of more than 65,536 entries"),
        ({"num_colours": 16, "window_size": 4, "rule_pool": 65}, "at most 64, or fresh"),
        ({"rule_pool": "none"}, "rule_pool 'none' must be a number, at least 1 or fresh"),
        ({"rule_pool": 0}, "rule_pool 0 must be at least 1"),
        ({"num_states": 1}, "num_states 1 must be at least 2"),
        ({"loss": "some"}, "loss 'some' is unknown: targets or all"),
    ],
)
def test_what_cannot_be_drawn_is_refused(knobs: dict[str, Any], complaint: str):
    with pytest.raises(AttnsearchError, match=complaint):
        automaton(**knobs)
