"""Steps to emergence: which targets, which cells, and what the tables say of them."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.emerging import EASY, HARD, emerging
from helpers.hand_made import run_of, spec_of
from helpers.texts import shown

from attnsearch.results.document import document
from attnsearch.results.emergence import emergences
from attnsearch.results.emergence_table import emergence_tables
from attnsearch.results.study import Study
from attnsearch.results.tables import tables
from attnsearch.stats.scaling_law import Law, NoLaw

FOUND = {
    64: [(20, 40, 60, 500), (30, 30, 90, 700), (20, 20, 40, 400)],
    16: [(40, 80, 120, 900), (60, 80, 160, None), (40, 60, 80, 800)],
}


def test_targets_of_one_search_space_emerge_when_half_of_them_are_found() -> None:
    easy, hard = Study(emerging(FOUND)).emergences
    assert (easy.name, easy.bits, hard.bits) == ("width", EASY, HARD)
    # From the narrowest, whatever the order of the runs.
    assert easy.numbers == (16, 64)
    assert [steps.length.tolist() for steps in easy.emerged] == [[80, 80, 60], [40, 30, 20]]
    assert hard.emerged[0].length.tolist() == [900, 1000, 800]
    assert hard.emerged[0].observed.tolist() == [True, False, True]


def test_a_doubling_multiplies_the_steps_by_what_they_were_made_with() -> None:
    drawn = np.random.default_rng(0)
    steps = {
        width: [
            (int(4000 * width**-0.5 * np.exp(0.1 * drawn.standard_normal())) // 10 * 10,) * 4
            for _ in range(8)
        ]
        for width in (16, 32, 64, 128)
    }
    for one in Study(emerging(steps)).emergences:
        assert isinstance(one.law, Law)
        factor, low, high = one.law.factors
        assert low < 2**-0.5 < high
        assert factor == pytest.approx(2**-0.5, rel=0.05)


def test_cells_that_differ_otherwise_are_series_of_their_own() -> None:
    fast, slow = (emerging(FOUND, learning_rate=rate) for rate in (1e-3, 3e-3))
    found = Study([*fast, *slow]).emergences
    assert [(one.series, one.bits) for one in found] == [
        ("attention, learning rate 0.001", EASY),
        ("attention, learning rate 0.001", HARD),
        ("attention, learning rate 0.003", EASY),
        ("attention, learning rate 0.003", HARD),
    ]


def test_a_hidden_layer_that_grows_with_the_width_makes_a_series() -> None:
    # At width 64 both ways are one network, which is trained once.
    fixed, scaled = emerging(FOUND, mlp_width=256), emerging({16: FOUND[16], 32: FOUND[16]}, mlp_width="4x")
    found = [one for one in Study([*fixed, *scaled]).emergences if one.name == "width"]
    assert [(one.series, one.bits, one.numbers, one.coupled) for one in found] == [
        ("attention, mlp width 256", EASY, (16, 64), False),
        ("attention, mlp width 256", HARD, (16, 64), False),
        ("attention, mlp width 4x", EASY, (16, 32, 64), True),
        ("attention, mlp width 4x", HARD, (16, 32, 64), True),
    ]
    assert [cell.spec.network.mlp_width for cell in found[-1].cells] == [64, 128, 256]
    # Alone, too, it says what grows.
    steps, _ = emergence_tables(Study(scaled).emergences)
    assert shown(steps)["series"] == ["attention, mlp width 4x"] * 4


def test_a_full_grid_of_two_widths_has_no_series_in_which_both_grow() -> None:
    runs = [run for hidden in (64, 128) for run in emerging({16: FOUND[16], 32: FOUND[64]}, mlp_width=hidden)]
    assert {(one.name, one.series) for one in Study(runs).emergences} == {
        ("width", "attention, mlp width 64"),
        ("width", "attention, mlp width 128"),
        ("mlp_width", "attention, width 16"),
        ("mlp_width", "attention, width 32"),
    }


def test_a_number_of_the_mixer_counts_and_one_of_the_training_does_not() -> None:
    heads = [run_of(spec_of(num_heads=number), [50, 60, 70, 80]) for number in (2, 4)]
    rates = [run_of(spec_of(learning_rate=rate), [50, 60, 70, 80]) for rate in (1e-3, 3e-3)]
    (one,) = Study(heads).emergences
    assert (one.name, one.numbers) == ("num_heads", (2, 4))
    assert Study(rates).emergences == ()
    assert Study(heads[:1]).emergences == ()
    # Both differ: no two cells differ in the number alone.
    assert Study([heads[0], run_of(spec_of(num_heads=4, learning_rate=3e-3), [50] * 4)]).emergences == ()


def test_search_spaces_that_not_all_runs_have_are_left_out() -> None:
    runs = emerging(FOUND)
    changed = runs[0].truth._replace(log2_search_space=np.array([EASY, EASY, EASY, 9.0]))
    vars(runs[0])["truth"] = changed
    assert [one.bits for one in Study(runs).emergences] == [EASY]


def test_tables_say_how_far_seeds_scatter_and_mark_censored_ones() -> None:
    study = Study(emerging(FOUND))
    steps, trend = (shown(table) for table in emergence_tables(study.emergences))
    assert steps["search space (bits)"] == ["4.0", "4.0", "10.0", "10.0"]
    assert steps["width"] == ["16", "64"] * 2
    assert steps["emerged"] == ["3 of 3", "3 of 3", "2 of 3", "3 of 3"]
    assert steps["first seed"] == ["60", "20", "800", "400"]
    assert steps["last seed"] == ["80", "40", ">1,000", "700"]
    assert steps["last over first"] == ["1.3", "2.0", ">1.2", "1.8"]
    assert trend["emerged"] == ["6 of 6", "5 of 6"]
    assert trend["does one factor fit?"] == ["two values of width cannot show whether the law fits"] * 2
    assert [table.caption for table in tables(study)[3:5]] == [
        table.caption for table in emergence_tables(study.emergences)
    ]


def test_json_has_the_steps_of_every_run() -> None:
    easy, hard = document(Study(emerging(FOUND)), "", [])["emergence"]
    assert (easy["against"], easy["log2_search_space"], hard["log2_search_space"]) == ("width", EASY, HARD)
    assert hard["cells"][0] == {"width": 16, "steps": [900, 1000, 800], "observed": [True, False, True]}
    assert hard["law"]["factor_low"] < hard["law"]["factor"] < hard["law"]["factor_high"]


def test_where_nothing_emerged_there_is_a_reason_in_place_of_a_trend() -> None:
    found = Study(emerging({16: [(50, 50, 50, None)] * 2, 32: [(50, 50, 50, None)] * 2})).emergences
    assert isinstance(found[1].law, NoLaw)
    steps, trend = (shown(table) for table in emergence_tables(found))
    assert steps["first seed"][2:] == ["–", "–"]
    assert trend["emerged"] == ["4 of 4", "0 of 4"]
    assert trend["does one factor fit?"][1] == "none of 4 runs escaped"


def test_a_cell_with_a_leaking_run_is_left_out() -> None:
    cells = Study(emerging(FOUND)).cells
    vars(cells[0])["leaking"] = 1
    assert emergences(cells) == ()
