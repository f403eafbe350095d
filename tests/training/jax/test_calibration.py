"""The number of lanes: doubled while that pays, never beyond memory or need."""

import jax
import pytest

from attnsearch.backends import specify
from attnsearch.training.jax import compiled as calibration
from attnsearch.training.jax.backend import JaxBackend
from attnsearch.training.jax.compiled import doubled_while_it_pays, lanes_that_pay


@pytest.mark.parametrize(
    ("rates", "most", "lanes"),
    [
        ({4: 100, 8: 190, 16: 300, 32: 320}, 64, 16),
        ({4: 100, 8: 105}, 64, 4),
        ({4: 100, 8: 200, 16: 400, 20: 500}, 20, 20),
        ({4: 100, 8: 200, 10: 205}, 10, 8),
        ({3: 100}, 3, 3),
        ({1: 100}, 1, 1),
    ],
)
def test_lanes_are_doubled_while_it_pays(rates: dict[int, float], most: int, lanes: int):
    tried: list[int] = []

    def rate(number: int) -> float:
        tried.append(number)
        return rates[number]

    assert doubled_while_it_pays(rate, most) == lanes
    assert tried == sorted(rates)


def test_what_does_not_fit_into_memory_is_not_taken():
    def rate(number: int) -> float:
        if number > 8:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")
        return float(number)

    assert doubled_while_it_pays(rate, 64) == 8


def test_other_failures_are_not_hidden():
    def rate(number: int) -> float:
        raise jax.errors.JaxRuntimeError(f"INTERNAL: {number}")

    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"):
        doubled_while_it_pays(rate, 64)


def test_a_cpu_is_not_measured_and_other_devices_are(monkeypatch: pytest.MonkeyPatch):
    values = {"state_size": [4], "width": [32], "num_heads": [4], "tokens_per_step": [64]}
    (cohort,) = JaxBackend().cohorts(specify(["linear_map"], ["attention"], values))
    assert lanes_that_pay(cohort) == 1

    class Accelerator:
        platform = "gpu"

    measured: list[int] = []

    def rate(_: object, available: list[Accelerator], lanes: int) -> float:
        assert len(available) == 2
        measured.append(lanes)
        return 1.0

    monkeypatch.setattr(jax, "local_devices", lambda: [Accelerator(), Accelerator()])
    monkeypatch.setattr(calibration, "_steps_per_second", rate)
    assert lanes_that_pay(cohort) == 4
    assert measured == [4]


def test_the_measurement_measures():
    values = {"state_size": [4], "width": [32], "num_heads": [4], "tokens_per_step": [64]}
    (cohort,) = JaxBackend().cohorts(specify(["linear_map"], ["attention"], values))
    assert calibration._steps_per_second(cohort, jax.local_devices()[:1], 2) > 0
