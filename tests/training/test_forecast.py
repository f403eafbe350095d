"""Estimates are bounds: whole budgets, spread over lanes, and nothing where nothing is pending."""

from __future__ import annotations

from pathlib import Path

import pytest

from attnsearch.backends import specify
from attnsearch.cli.plan import document, summary
from attnsearch.runs.store import Store
from attnsearch.training.backend import Rate
from attnsearch.training.forecast import Forecast, forecast
from attnsearch.training.jax.backend import JaxBackend
from attnsearch.training.jax.cohorts import JaxCohort

BACKEND = JaxBackend()
TINY = {"state_size": [4], "width": [32], "num_heads": [4], "mlp_width": [64], "tokens_per_step": [64]}
# Compiled in 5 s, 0.01 s for ten steps, 1 s for a map.
RATE = Rate(lanes=2, compilation=5.0, point=0.01, map=1.0)


def cohort(steps: list[int], seeds: int, support_sizes: tuple[int, ...] = (1,)) -> JaxCohort:
    values = {**TINY, "steps": steps, "support_size": support_sizes}
    (only,) = BACKEND.cohorts(specify(["linear_map"], ["attention"], values, seeds=range(seeds)))
    return only


def test_a_run_takes_its_whole_budget_and_the_maps_within() -> None:
    one = cohort([40], 1)
    # Maps at 0 and at the escape.
    assert Forecast(one, one.specs, RATE).seconds == pytest.approx(5 + 4 * 0.01 + 2)
    # Those at 50, 60, 70 and 80 as well.
    longer = cohort([90], 1)
    assert Forecast(longer, longer.specs, RATE).seconds == pytest.approx(5 + 9 * 0.01 + 6)


def test_runs_are_spread_over_lanes() -> None:
    three = cohort([40], 3)
    assert Forecast(three, three.specs, RATE).seconds == pytest.approx(5 + 2 * (4 * 0.01 + 2))
    # The long run keeps one lane while the other two share the other.
    uneven = cohort([400, 10, 20], 1)
    found = Forecast(uneven, uneven.specs, RATE._replace(map=0.0))
    assert found.seconds == pytest.approx(5 + 40 * 0.01)
    assert (found.steps, found.cells, found.compilations) == (430, 3, 1)


def test_what_is_stored_costs_nothing_and_what_is_not_measured_is_not_known() -> None:
    two = cohort([40], 1, support_sizes=(1, 2))
    stored, unknown = Forecast(two, (), None), Forecast(two, two.specs[:1], None)
    assert (stored.seconds, stored.steps, stored.compilations) == (0, 0, 0)
    assert unknown.seconds is None
    total = document([stored, unknown], "mine.toml", "results")["total"]
    assert (total["runs"], total["stored"], total["seconds_at_most"]) == (4, 3, None)
    assert summary([stored, unknown]).endswith("; 1 compilation, at most 40 steps")
    assert summary([stored]).endswith("; 0 compilations, at most 0 steps, at most 0 s")


def test_what_fixes_shapes_is_static() -> None:
    static = Forecast(cohort([40], 1), (), None).static
    assert static == {
        **{"state_size": 4, "num_states": 2, "modulus": 2, "row_exponent": 0, "batch_size": 8},
        **{"num_heads": 4, "head_width": None},
        **{"relative_positions": "none", "qk_norm": False, "learned_temperature": False},
        **{"width": 32, "num_layers": 1, "mlp_width": 64, "positions": "learned", "map_bias": False},
    }


def test_a_rate_is_measured_by_training_a_little(tmp_path: Path) -> None:
    # More steps than there is time for: a run is not trained to its end.
    long = cohort([2_000_000_000], 1)
    found = forecast(long, Store(tmp_path / "none"), JaxBackend(), 0.01)
    assert found.rate is not None
    assert found.rate.lanes == 1
    assert min(found.rate) > 0
    assert found.pending == long.specs
    assert not list(tmp_path.iterdir())
