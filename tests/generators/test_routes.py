"""Cheapest routes against an oracle that tries every set of visible tokens on every input."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from attnsearch.base import Bools, Integers
from attnsearch.generators.routes import EARLIER_TARGETS_BEYOND, EXACT_UP_TO, cheapest_routes


def random_matrix(seed: int, size: int, support: int) -> Bools:
    """`bool[S, S]` with `support` ones in each row."""
    return np.random.default_rng(seed).random((size, size)).argsort(axis=1) < support


def every_set(count: int) -> Bools:
    """`bool[2**count, count]`."""
    return np.array(list(itertools.product([False, True], repeat=count)), bool)


def cheapest_by_trial(matrix: Bools) -> Integers:
    """`i64[S, 2]`: fewest visible tokens whose XOR is each target, and the fewest targets among them."""
    size = len(matrix)
    inputs = every_set(size)
    tokens = np.concatenate([inputs, inputs @ matrix.T.astype(int) % 2], axis=1)
    sets = every_set(2 * size)
    parity = sets @ tokens.T.astype(int) % 2
    best = []
    for target in range(size):
        hidden = sets[:, size + target :].any(axis=1)
        right = (parity == tokens[:, size + target]).all(axis=1) & ~hidden
        best.append(min(zip(sets[right].sum(axis=1), sets[right, size:].sum(axis=1), strict=True)))
    return np.array(best)


def assert_valid(matrix: Bools, routes: Bools) -> None:
    """Each route sees earlier tokens only, and its XOR is the target: as rows, hence on every input."""
    size = len(matrix)
    assert routes.dtype == bool
    assert routes.shape == (size, 2 * size)
    assert not np.triu(routes[:, size:]).any()
    through_targets = routes[:, size:].astype(int) @ matrix
    np.testing.assert_array_equal((routes[:, :size] + through_targets) % 2, matrix)


def matrices() -> list[Bools]:
    """Every one of two or three rows, none empty, and random ones of four."""
    small = [
        np.array(rows, bool)
        for size in (2, 3)
        for rows in itertools.product(list(every_set(size)[1:]), repeat=size)
    ]
    return small + [random_matrix(seed, 4, support) for support in (1, 2, 3, 4) for seed in range(15)]


def test_no_set_of_visible_tokens_is_cheaper() -> None:
    for matrix in matrices():
        routes = cheapest_routes(matrix)
        assert_valid(matrix, routes)
        found = np.stack([routes.sum(axis=1), routes[:, len(matrix) :].sum(axis=1)], axis=1)
        np.testing.assert_array_equal(found, cheapest_by_trial(matrix), err_msg=str(matrix.astype(int)))


def test_a_row_that_comes_again_is_a_copy() -> None:
    matrix = random_matrix(1, 8, 3)
    matrix[5] = matrix[2]
    routes = cheapest_routes(matrix)
    np.testing.assert_array_equal(routes[5].nonzero()[0], [8 + 2])
    # The first of the two has its own row: what comes later is not visible.
    np.testing.assert_array_equal(routes[2, :8], matrix[2])
    assert not routes[2, 8:].any()


def test_a_row_that_is_another_but_for_an_input_is_that_target_and_the_input() -> None:
    matrix = np.zeros((4, 4), bool)
    matrix[0, :3] = matrix[1, [0, 1, 3]] = matrix[2, [0, 2, 3]] = matrix[3, :] = True
    # Row 3 is row 0 and input 3; rows 1 and 2 have no way shorter than three tokens.
    routes = cheapest_routes(matrix)
    np.testing.assert_array_equal(routes[3].nonzero()[0], [3, 4 + 0])
    np.testing.assert_array_equal(routes[:3, :4], matrix[:3])


def test_among_equally_cheap_routes_the_one_with_the_fewest_targets_wins() -> None:
    matrix = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 0], [1, 1, 1, 1]], bool)
    # Row 3 is also targets 0 and 1.
    np.testing.assert_array_equal(cheapest_routes(matrix)[3].nonzero()[0], [3, 4 + 2])


@pytest.mark.parametrize("size", [4, EXACT_UP_TO, EXACT_UP_TO + 1])
def test_where_all_inputs_are_read_all_targets_but_the_first_are_copies(size: int) -> None:
    routes = cheapest_routes(np.ones((size, size), bool))
    assert routes.sum(axis=1).tolist() == [size, *[1] * (size - 1)]
    assert not routes[1:, :size].any()


def test_rows_of_one_input_have_nothing_cheaper() -> None:
    matrix = np.eye(6, dtype=bool)[[0, 0, 3, 3, 5, 1]]
    np.testing.assert_array_equal(cheapest_routes(matrix)[:, :6], matrix)


@pytest.mark.parametrize(("support", "mean"), [(3, 2.99), (8, 5.77), (13, 4.83), (16, 1.94)])
def test_mean_length_of_routes_is_as_others_measured_it(support: int, mean: float) -> None:
    # A trial elsewhere, over 60 random matrices at S = 16.
    routes = [cheapest_routes(random_matrix(seed, 16, support)) for seed in range(60)]
    assert np.mean([route.sum(axis=1).mean() for route in routes]) == pytest.approx(mean, abs=0.15)


def least(matrix: Bools, target: int, largest_set: int) -> int:
    """Fewest tokens of `target` through at most so many earlier ones, tried one by one."""
    return min(
        (matrix[list(chosen)].sum(axis=0) % 2 ^ matrix[target]).sum() + len(chosen)
        for count in range(min(target, largest_set) + 1)
        for chosen in itertools.combinations(range(target), count)
    )


def test_up_to_the_exact_size_any_number_of_targets_may_help() -> None:
    matrix = random_matrix(1, 10, 8)
    routes = cheapest_routes(matrix)
    assert_valid(matrix, routes)
    assert routes.sum(axis=1).tolist() == [least(matrix, target, 10) for target in range(10)]
    # A bound on their number would have missed one.
    bounds = [least(matrix, target, EARLIER_TARGETS_BEYOND) for target in range(10)]
    assert routes.sum(axis=1).tolist() != bounds


@pytest.mark.parametrize("support", [3, 10, 17, 20])
def test_beyond_the_exact_size_a_route_is_a_bound(support: int) -> None:
    matrix = random_matrix(2, 20, support)
    routes = cheapest_routes(matrix)
    assert_valid(matrix, routes)
    assert (routes.sum(axis=1) <= support).all()
    assert routes[:, 20:].sum(axis=1).max() <= EARLIER_TARGETS_BEYOND
    bounds = [least(matrix, target, EARLIER_TARGETS_BEYOND) for target in range(20)]
    assert routes.sum(axis=1).tolist() == bounds
    if support == 10:
        assert bounds != [least(matrix, target, EARLIER_TARGETS_BEYOND - 1) for target in range(20)]


def test_a_matrix_is_left_as_it_was() -> None:
    matrix = random_matrix(3, 8, 4)
    before = matrix.copy()
    cheapest_routes(matrix)
    np.testing.assert_array_equal(matrix, before)


def determining(matrix: Bools, modulus: int, num_states: int) -> list[int]:
    """Fewest visible tokens that determine each target, in any way: every set is tried on every input."""
    size = len(matrix)
    states = [np.array(list(itertools.product(range(modulus), repeat=size)))]
    for _ in range(num_states - 1):
        states.append(states[-1] @ matrix.T.astype(int) % modulus)
    tokens = np.concatenate(states, axis=1)

    def kinds(*columns: int) -> int:
        return len(np.unique(tokens[:, columns], axis=0))

    return [
        next(
            count
            for count in range(target + 1)
            for read in itertools.combinations(range(target), count)
            if kinds(*read) == kinds(*read, target)
        )
        for target in range(size, tokens.shape[1])
    ]


@pytest.mark.parametrize(("modulus", "num_states", "size"), [(3, 2, 3), (4, 2, 3), (2, 3, 3), (3, 3, 2)])
def test_no_set_determines_a_target_of_other_moduli_or_later_states_with_fewer(
    modulus: int, num_states: int, size: int
) -> None:
    for seed, support in itertools.product(range(3), range(1, size + 1)):
        matrix = random_matrix(seed, size, support)
        routes = cheapest_routes(matrix, modulus, num_states)
        assert not np.triu(routes[:, size:]).any()
        assert routes.sum(axis=1).tolist() == determining(matrix, modulus, num_states), matrix.astype(int)


@pytest.mark.parametrize(("modulus", "num_states"), [(5, 2), (2, 4), (3, 3)])
def test_a_row_is_never_cheaper_than_its_route_where_not_every_set_is_tried(modulus: int, num_states: int):
    routes = cheapest_routes(random_matrix(4, 8, 6), modulus, num_states)
    assert routes.shape == (8 * (num_states - 1), 8 * num_states)
    sizes = routes.sum(axis=1)
    assert sizes.max() <= 6
    # A later row differs from an earlier one in few inputs: subtracted, it leaves those alone.
    assert sizes.min() < 6
