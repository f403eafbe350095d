"""What is said of the growth of hand-made runs: sentences, table and document, which agree."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers.hand_made import run_of, spec_of
from helpers.texts import shown

from attnsearch.results.document import law_document
from attnsearch.results.scaling import Growth, sentences, table
from attnsearch.results.study import Study
from attnsearch.runs.store import StoredRun
from attnsearch.stats.scaling_law import Law, NoLaw

BUDGET = 1_000


def runs_at(
    state_size: int,
    escapes: Sequence[int | None],
    *,
    support_size: int = 2,
    mixer: str = "attention",
    mastered: int | None = None,
    **values: Any,
) -> list[StoredRun]:
    """A cell whose runs escape at these steps, None for never; the first `mastered` of them, all that
    escape unless given, find every target ten steps later, the others all but one."""
    runs = []
    for seed, escape in enumerate(escapes):
        spec = spec_of(mixer, seed, state_size=state_size, support_size=support_size, **values)
        rest = None if escape is None or (mastered is not None and seed >= mastered) else escape + 10
        # A bag of two inputs tells as much as one of two targets.
        early = max(state_size - 1, 2)
        runs.append(run_of(spec, [*[escape] * early, rest][:state_size]))
    return runs


def doubling(**values: Any) -> list[StoredRun]:
    """Plateaus that double with each bit: 1, 2 and 3 bits."""
    return [
        *runs_at(2, [40, 50, 50, 60], support_size=1, **values),
        *runs_at(4, [80, 100, 100, 120], support_size=1, **values),
        *runs_at(8, [160, 190, 200, 240], support_size=1, **values),
    ]


def only(runs: Sequence[StoredRun]) -> Growth:
    (growth,) = Study(runs).laws
    return growth


def routed(run: StoredRun, bits: float) -> StoredRun:
    """`run` with a search space of its cheapest routes."""
    return replace(run, truth=run.truth._replace(log2_search_space=np.full(len(run.truth.is_target), bits)))


def test_the_law_in_words() -> None:
    growth = only(doubling())
    assert isinstance(growth.law, Law)
    assert growth.title == "linear_map, attention"
    law, fits, frontier = sentences(growth)
    factor, low, high = growth.law.factors
    assert 1.7 < low < factor < high < 2.5
    assert law.startswith(
        f"Each added bit multiplies the plateau by {factor:.2f}, 95 % {low:.2f} to {high:.2f}: log plateau = "
    )
    assert law.endswith("(12 of 12 runs escaped).")
    assert fits == f"Nothing speaks against the law (p = {growth.law.p_value:.2g})."
    assert frontier == (
        "Frontier: beyond 3.0 bits, the largest tried:"
        " 4 of 4 runs (51 to 100 %) master it within 1,000 steps."
    )


def test_the_table_has_what_was_observed_beside_the_law() -> None:
    growth = only([*doubling(), *runs_at(16, [None] * 4, support_size=1)])
    assert isinstance(growth.law, Law)
    column = shown(table(growth))
    assert column["state size"] == ["2", "4", "8", "16"]
    assert column["search space (bits)"] == ["1.0", "2.0", "3.0", "4.0"]
    assert column["runs"] == ["4"] * 4
    assert column["escaped / mastered"] == ["4 / 4", "4 / 4", "4 / 4", "0 / 0"]
    assert column["plateau length, median"] == ["50", "100", "190", "not reached"]
    assert column["by the law"] == [f"{growth.law.median(bits):,.0f}" for bits in (1, 2, 3, 4)]
    *alone, never = column["modelled, cell alone"]
    assert [float(text) for text in alone] == pytest.approx([45, 94, 192], rel=0.1)
    assert never == "> 1,000"
    *factors, bound = column["over the law"]
    for factor, residual in zip(factors, growth.law.residuals, strict=False):
        assert factor == f"{residual.factor:.2f}"
    assert bound == f"> {1000 / growth.law.median(4):.2f}"


def test_a_law_that_does_not_fit_says_so_and_how() -> None:
    growth = only([*doubling(), *runs_at(16, [None] * 4, support_size=1)])
    _, verdict, frontier = sentences(growth)
    assert verdict.startswith("The law does not fit: plateaus grow faster at large search spaces (p = ")
    assert verdict.endswith("The interval above takes it for granted.")
    assert frontier == (
        "Frontier: 3.0 bits, and below 4.0: 4 of 4 runs (51 to 100 %) master it within 1,000 steps,"
        " 0 of 4 runs (0 to 49 %) master it of the next size."
    )
    timed = only([*doubling(), *runs_at(16, [900, 910, 920, 990], support_size=1)])
    assert isinstance(timed.law, Law)
    assert timed.law.fits is False
    low, high = timed.law.factors_over_cells or (0.0, 0.0)
    assert low < timed.law.factors[1]
    expected = f"granted; a line through the cells, each a single point, has {low:.2f} to {high:.2f}."
    assert sentences(timed)[1].endswith(expected)


def test_one_cell_and_no_escape_are_no_law() -> None:
    growth = only(runs_at(4, [50, 60]))
    assert isinstance(growth.law, NoLaw)
    assert sentences(growth)[0] == (
        "No law: there is one search space only (2.6 bits), and a slope takes two."
    )
    assert shown(table(growth))["by the law"] == [""]
    silent = only([*runs_at(4, [None] * 3), *runs_at(8, [None] * 3)])
    assert sentences(silent) == [
        "No law: none of 6 runs escaped.",
        "Frontier: below 2.6 bits, the smallest tried: 0 of 3 runs (0 to 56 %) master it within 1,000 steps."
        " The runs are too few to settle that.",
    ]


def test_mastery_makes_the_frontier_and_not_escape() -> None:
    runs = [*runs_at(4, [50] * 8), *runs_at(6, [80] * 8, mastered=1), *runs_at(8, [120] * 8, mastered=4)]
    runs += runs_at(12, [200] * 8, mastered=0)
    assert sentences(only(runs))[-1] == (
        "Frontier: 4.8 bits, and below 6.0: 4 of 8 runs (22 to 78 %) master it within 1,000 steps,"
        " 0 of 8 runs (0 to 32 %) master it of the next size."
        " The edge is not clear: fewer than half master 3.9 bits. The runs are too few to settle that."
    )


def test_two_sizes_are_two_laws_where_they_differ() -> None:
    runs = doubling()
    assert [growth.size for growth in Study(runs).laws] == ["nominal"]
    barely = [routed(run, float(run.truth.nominal_log2_search_space) + 0.009) for run in runs]
    assert [growth.size for growth in Study(barely).laws] == ["nominal"]
    halved = [routed(run, float(run.truth.nominal_log2_search_space) / 2) for run in runs]
    nominal, route = Study(halved).laws
    assert (nominal.size, route.size) == ("nominal", "cheapest route")
    assert (nominal.bits, route.bits) == ((1, 2, 3), (0.5, 1, 1.5))
    assert isinstance(nominal.law, Law)
    assert isinstance(route.law, Law)
    assert route.law.slope == pytest.approx(2 * nominal.law.slope, rel=1e-3)
    assert route.title == "linear_map, attention, search space of the cheapest routes"
    assert shown(table(route))["search space (bits)"] == ["0.5", "1.0", "1.5"]
    assert "beyond 1.5 bits" in sentences(route)[-1]


def test_each_series_has_its_own_law() -> None:
    slow = [*runs_at(4, [400, 500, 500], steps=2_000), *runs_at(8, [800, 900, 990], steps=2_000)]
    first, second = Study([*doubling(), *slow]).laws
    assert (first.series.name, second.series.name) == ("attention, steps 1000", "attention, steps 2000")
    assert (len(first.cells), len(second.cells)) == (3, 2)
    assert sentences(second)[1] == "Two search spaces cannot show whether the law fits."
    assert "within 2,000 steps" in sentences(second)[2]


def test_diverged_runs_are_warned_about_and_wait_to_the_end_of_their_budget() -> None:
    spec = spec_of("attention", 4, state_size=8, support_size=1)
    diverged = run_of(spec, [None] * 8, diverges=200)
    runs = [*doubling(), diverged]
    assert Study(runs).warnings[-1] == (
        "1 run diverged: such a run counts as censored at its budget unless it had escaped before"
    )
    growth = only(runs)
    assert isinstance(growth.law, Law)
    assert (growth.law.runs, growth.law.observed) == (13, 12)
    assert growth.law.residuals[-1].waited == BUDGET
    assert shown(table(growth))["runs"][-1] == "5\n1 diverged"
    assert not any("diverged" in line for line in Study(doubling()).warnings)


def test_the_document_says_what_the_sentences_say() -> None:
    runs = [*doubling(), *runs_at(16, [None] * 4, support_size=1), *runs_at(4, [50], mixer="mlp_mixer")]
    study = Study(runs)
    found = json.loads(json.dumps(law_document(study, study.laws), allow_nan=False))
    assert found["warnings"] == list(study.warnings)
    assert found["warnings"]
    first, second = study.laws
    said, single = found["series"]
    assert (said["name"], said["size"], said["budget_steps"]) == ("attention", "nominal", BUDGET)
    assert said["in_words"] == sentences(first)
    assert isinstance(first.law, Law)
    for name in ("slope", "slope_low", "slope_high", "intercept", "sigma", "fits", "reason", "p_value"):
        assert said["law"][name] == getattr(first.law, name)
    assert said["law"]["factor"] == pytest.approx(math.exp(first.law.slope))
    assert said["law"]["factor_over_cells_low"] is None
    assert said["frontier"]["reached"]["bits"] == 3
    assert said["frontier"]["beyond"]["mastered"] == {
        "count": 0,
        "of": 4,
        "low": 0,
        "high": pytest.approx(0.49, abs=0.01),
    }
    assert [cell["escaped"] for cell in said["cells"]] == [4, 4, 4, 0]
    assert [cell["state_size"] for cell in said["cells"]] == [2, 4, 8, 16]
    assert [cell["plateau_length_median"] for cell in said["cells"]] == [50, 100, 190, None]
    assert said["cells"][3]["factor"] is said["cells"][3]["median_in_model"] is None
    assert said["cells"][3]["median_by_law"] == pytest.approx(first.law.median(4))
    assert isinstance(second.law, NoLaw)
    assert single["law"] == {"fits": None, "reason": second.law.reason}
    assert single["cells"][0]["median_by_law"] is None


def test_an_interval_without_end_is_json_too() -> None:
    law = only([*doubling()]).law
    assert isinstance(law, Law)
    endless = replace(law, slope_low=-math.inf, slope_high=math.inf)
    growth = replace(only(doubling()), law=endless)
    assert "95 % 0.00 to any number" in sentences(growth)[0]
