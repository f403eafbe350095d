"""What a mixer costs: counted where it can be, and measured."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from attnsearch.backends import specify
from attnsearch.spec.run import RunSpec
from attnsearch.training.backend import Rate
from attnsearch.training.cost import cost
from attnsearch.training.jax.backend import JaxBackend
from attnsearch.training.jax.cohorts import JaxCohort
from attnsearch.training.jax.size import flops_per_token, parameters

BACKEND = JaxBackend()
WIDTH, MLP_WIDTH = 32, 64


def specs_of(mixer: str, sizes: list[int]) -> list[RunSpec]:
    values = {"state_size": sizes, "support_size": [1], "tokens_per_step": [64], "width": [WIDTH]}
    return specify(["linear_map"], [mixer], {**values, "mlp_width": [MLP_WIDTH]}, seeds=[0])


def test_parameters_are_those_of_the_whole_network() -> None:
    (cohort,) = BACKEND.cohorts(specs_of("attention", [4]))
    embedding = (3 + 8) * WIDTH  # three tokens, eight positions
    attention = 4 * WIDTH * WIDTH
    mlp = WIDTH * MLP_WIDTH + MLP_WIDTH + MLP_WIDTH * WIDTH + WIDTH
    norms = 3 * 2 * WIDTH
    unembedding = WIDTH * 3
    counted = parameters(cohort.trainer.network)
    biases = counted - (embedding + attention + mlp + norms + unembedding)
    assert biases in (0, 4 * WIDTH)


def test_operations_are_counted_by_the_compiler() -> None:
    few, many = (
        flops_per_token(BACKEND.cohorts(specs_of("attention", [size]))[0].trainer.network) for size in (4, 16)
    )
    assert few is not None
    assert many is not None
    # A multiplication and an addition for each weight, at the half of the positions that are asked at least.
    weights = 4 * WIDTH * WIDTH + 2 * WIDTH * MLP_WIDTH
    assert weights < few < 4 * weights
    assert few < many  # attention at longer contexts


def test_the_cost_is_that_of_the_largest_context(monkeypatch: pytest.MonkeyPatch) -> None:
    # Two lanes, ten steps of which take half a second; what is real is measured in the tests of the forecast.
    asked: list[tuple[int, float]] = []

    def measured(backend: JaxBackend, cohort: JaxCohort, pending: Sequence[RunSpec], seconds: float) -> Rate:
        asked.append((cohort.context_length, seconds))
        return Rate(lanes=2, compilation=1.0, point=0.5, map=1.0)

    monkeypatch.setattr(JaxBackend, "rate", measured)
    specs = specs_of("mlp_mixer", [8, 4])
    found = cost(specs, BACKEND, seconds=0.2)
    assert asked == [(16, 0.2)]
    largest = BACKEND.cohorts(specs_of("mlp_mixer", [8]))[0].trainer.network
    assert (found.context_length, found.parameters) == (16, parameters(largest))
    assert found.flops_per_token is not None
    assert found.tokens_per_second == 2 * 64 * 10 / 0.5
    assert re.match(r"\d+ x \w+", found.device)
    assert cost(specs, BACKEND, seconds=0).tokens_per_second is None
    assert len(asked) == 1
