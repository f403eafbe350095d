"""The law against a knob of the task, or against the context, on hand-made runs."""

from __future__ import annotations

import json

import pytest
from helpers.complaint import message
from helpers.hand_made import run_of, spec_of
from helpers.texts import shown

from attnsearch.results.document import law_document
from attnsearch.results.scaling import sentences, table
from attnsearch.results.study import Study
from attnsearch.runs.store import StoredRun
from attnsearch.stats.scaling_law import Law, NoLaw


def runs_at(state_size: int, support_size: int, middle: int) -> list[StoredRun]:
    """A cell whose runs escape about that step."""
    found = []
    for seed, escape in enumerate((middle - 20, middle - 10, middle + 10, middle + 20)):
        spec = spec_of("attention", seed, state_size=state_size, support_size=support_size)
        found.append(run_of(spec, [escape] * state_size))
    return found


def growing() -> list[StoredRun]:
    """Plateaus in proportion to S at s = 1 and to S^2 at s = 2. At S = 4 the second is shorter."""
    singles = [*runs_at(4, 1, 100), *runs_at(8, 1, 200), *runs_at(16, 1, 400)]
    return [*singles, *runs_at(4, 2, 50), *runs_at(8, 2, 200), *runs_at(16, 2, 800)]


def test_each_doubling_of_a_knob_multiplies_the_plateau() -> None:
    singles, pairs = Study(growing()).laws_against("state_size")
    assert (singles.title, pairs.title) == (
        "linear_map, attention, support size 1",
        "linear_map, attention, support size 2",
    )
    for growth, factor in ((singles, 2.0), (pairs, 4.0)):
        assert isinstance(growth.law, Law)
        found, low, high = growth.law.factors
        assert low < factor < high
        law, power, _, frontier = sentences(growth)
        assert law.startswith(f"Each doubling of state size multiplies the plateau by {found:.2f}, 95 % ")
        assert "x log2(state size) +" in law
        assert power.startswith("The plateau grows as state size to the power ")
        assert frontier.startswith("Frontier: beyond state size 16, the largest tried: 4 of 4 runs ")
    column = shown(table(singles))
    assert column["state size"] == ["4", "8", "16"]
    assert "search space (bits)" not in column


def test_the_power_is_the_exponent() -> None:
    growth = Study(growing()).laws_against("state_size")[1]
    exponent = sentences(growth)[1].split("power ")[1].split(",")[0]
    assert float(exponent) == pytest.approx(2, abs=0.2)


def test_the_context_is_a_number_of_every_task() -> None:
    growth = Study(growing()).laws_against("context_length")[0]
    column = shown(table(growth))
    assert column["context length"] == ["8", "16", "32"]
    assert column["state size"] == ["4", "8", "16"]
    # What makes the context goes with it, which needs no warning.
    assert not any("differ in" in sentence for sentence in sentences(growth))


def test_a_size_of_the_network_has_a_law_in_cells_that_differ_in_nothing_else() -> None:
    def at(width: int, middle: int, num_heads: int = 16) -> list[StoredRun]:
        escapes = enumerate((middle - 20, middle - 10, middle + 10, middle + 20))
        return [
            run_of(spec_of(seed=seed, width=width, num_heads=num_heads), [escape] * 4)
            for seed, escape in escapes
        ]

    runs = [*at(16, 400), *at(32, 200), *at(64, 100), *at(16, 700, num_heads=2), *at(32, 600, num_heads=2)]
    many, few = Study(runs).laws_against("width")
    assert (many.title, few.title) == (
        "linear_map, attention, num heads 16",
        "linear_map, attention, num heads 2",
    )
    assert isinstance(many.law, Law)
    assert many.law.factors[0] == pytest.approx(0.5, abs=0.05)
    assert shown(table(many))["width"] == ["16", "32", "64"]
    assert len(few.cells) == 2
    assert [len(one.cells) for one in Study(runs).laws_against("num_heads")] == [2, 2, 1]


def test_a_law_against_the_width_says_that_the_hidden_layer_grows_too() -> None:
    runs = [
        run_of(spec_of(seed=seed, width=width, mlp_width="4x"), [6_400 // width + 10 * seed] * 4)
        for width in (16, 32)
        for seed in range(4)
    ]
    (growth,) = Study(runs).laws_against("width")
    assert growth.title == "linear_map, attention, mlp width 4x"
    assert "The cells differ in mlp width too; the factor is of all together." in sentences(growth)


def test_a_knob_that_goes_with_another_is_named() -> None:
    (growth,) = Study([*runs_at(4, 1, 100), *runs_at(8, 2, 200)]).laws_against("state_size")
    expected = "The cells differ in support size too; the factor is of all together."
    assert sentences(growth)[3] == expected


def test_words_of_what_holds_no_law_and_of_a_law_that_does_not_fit() -> None:
    (lone,) = Study(runs_at(8, 1, 100)).laws_against("state_size")
    assert isinstance(lone.law, NoLaw)
    assert sentences(lone)[0] == (
        "No law: there is one value of state size only (state size 8), and a slope takes two."
    )
    bent = [*runs_at(2, 1, 100), *runs_at(4, 1, 110), *runs_at(8, 1, 130), *runs_at(16, 1, 900)]
    (growth,) = Study(bent).laws_against("state_size")
    said = sentences(growth)[2]
    assert "plateaus grow faster at large values of state size" in said
    assert "times the law at state size " in said


def test_the_document_says_against_what() -> None:
    study = Study(growing())
    found = json.loads(json.dumps(law_document(study, study.laws_against("state_size")), allow_nan=False))
    assert {one["against"] for one in found["series"]} == {"state_size"}
    cells = found["series"][0]["cells"]
    assert [cell["log2_state_size"] for cell in cells] == [2, 3, 4]
    assert [cell["log2_search_space"] for cell in cells] == [2, 3, 4]
    nominal = law_document(study, study.laws)["series"][0]
    assert nominal["against"] == "log2_search_space"


def test_what_is_not_a_number_is_refused() -> None:
    study = Study(growing())
    assert message(lambda: study.laws_against("state_siz")).startswith(
        "no cell has a number 'state_siz'. Did you mean state_size"
    )
    assert "context_length" in message(lambda: study.laws_against("mixer"))
    said = message(lambda: study.laws_against("row_exponent"))
    assert said.startswith("row_exponent is 0 in cells of linear_map, and its log2 makes no law.")
