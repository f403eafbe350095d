"""What cells are called: always by what tells them apart, in labels, titles and file names."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import Any

import pytest
from helpers.hand_made import spec_of

from attnsearch.spec.names import (
    ABSENT,
    LONGEST_STEM,
    Names,
    contrast,
    duration,
    facts,
    file_stem,
    interventions,
    mixer_names,
    told_apart,
    written,
)
from attnsearch.spec.run import (
    CellSpec,
    InterventionSpec,
    MixerSpec,
    PlateauRule,
    RunSpec,
    TaskSpec,
    settings,
)

PLAIN = spec_of()


def changed(**parts: Any) -> CellSpec:
    """The plain cell with other parts."""
    return replace(PLAIN.cell, **parts)


def at(**values: Any) -> CellSpec:
    return spec_of(**values).cell


def named(name: str) -> CellSpec:
    return changed(task=replace(PLAIN.cell.task, name=name), mixer=MixerSpec(name, ()))


def run_of(cell: CellSpec, seed: int = 0) -> RunSpec:
    return RunSpec(cell, seed, seed)


# What differs is said, whatever it is.

NEAR = (1e-3, 1.0000001e-3, 1.00000000000001e-3)
UNLIKE = {
    "learning rates that print alike": [at(learning_rate=rate) for rate in NEAR],
    "thresholds": [
        changed(task=replace(PLAIN.cell.task, plateau=PlateauRule(escape))) for escape in (0.9, 0.5)
    ],
    "generators": [changed(task=replace(PLAIN.cell.task, generator=name)) for name in ("a", "b")],
    "tasks": [at(), changed(task=replace(PLAIN.cell.task, name="mine"))],
    "mixers": [at(), changed(mixer=MixerSpec("mine", ()))],
    "a setting that one lacks": [
        changed(mixer=MixerSpec("attention", settings(given))) for given in ({}, {"gated": False})
    ],
    "derived, and a word for it": [
        changed(mixer=MixerSpec("attention", (("head_width", value),))) for value in (None, "derived")
    ],
    "a number, and a word for it": [
        changed(mixer=MixerSpec("attention", (("head_width", value),))) for value in (4, "4")
    ],
    "signs that nobody sees": [named(name) for name in ("a", "a\u200b", "a\u202e", "a\x1b", "a\n")],
    "interventions": [
        changed(intervention=one)
        for one in (InterventionSpec(), InterventionSpec(5.0), InterventionSpec(8.0))
    ],
    "budgets": [at(steps=500), at(steps=1_000)],
    "everything at once": [
        spec_of(mixer, state_size=size, support_size=1, learning_rate=rate).cell
        for mixer, size, rate in itertools.product(("attention", "mlp_mixer"), (4, 8), NEAR)
    ],
    "names longer than a line": [named("a_package." * 20 + end) for end in ("one", "two")],
}


@pytest.mark.parametrize("cells", UNLIKE.values(), ids=UNLIKE)
def test_different_cells_are_called_differently_everywhere(cells: list[CellSpec]) -> None:
    names = Names(cells)
    for what in (names.label, names.full, names.differences):
        if what == names.differences and len({(cell.task.name, cell.mixer.name) for cell in cells}) > 1:
            continue
        assert len({what(cell) for cell in cells}) == len(cells), what
    assert len({names.run(run_of(cell)) for cell in cells}) == len(cells)
    stems = {names.stem(run_of(cell, seed), "maps").lower() for cell in cells for seed in (0, 1)}
    assert len(stems) == 2 * len(cells)
    for stem in stems:
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*", stem)
        assert len(stem) <= LONGEST_STEM
    assert all(names.label(cell).isprintable() and names.full(cell).isprintable() for cell in cells)


def test_no_more_digits_are_shown_than_tell_numbers_apart() -> None:
    first, second, _ = UNLIKE["learning rates that print alike"]
    names = Names([first, second])
    assert [names.label(cell) for cell in (first, second)] == [
        "attention, learning rate 0.001",
        "attention, learning rate 0.0010000001",
    ]
    assert names.value(second, "learning_rate") == "0.0010000001"
    assert told_apart([0.5, 0.25]) == {0.5: "0.5", 0.25: "0.25"}
    # Alone, a number is short.
    assert Names([second]).full(second) == "linear_map, state size 4, support size 2, attention"
    assert written(1 / 3) == "0.333333"


# What each name says.


def test_a_label_says_the_mixer_and_what_differs() -> None:
    cells = [at(support_size=support, learning_rate=rate) for support in (1, 2) for rate in (1e-3, 3e-3)]
    names = Names([*cells, *cells])
    assert names.cells == tuple(cells)
    assert names.differing == ("support_size", "learning_rate")
    assert names.differences(cells[0]) == "support size 1, learning rate 0.001"
    assert names.label(cells[0]) == "attention, support size 1, learning rate 0.001"
    assert names.full(cells[0]) == (
        "linear_map, state size 4, support size 1, attention, learning rate 0.001"
    )
    assert names.run(RunSpec(cells[0], 3, 3)).endswith("learning rate 0.001, seed 3")
    assert names.run(RunSpec(cells[0], 3, 7)).endswith("seed 3, rule seed 7")
    assert names.place(cells[0]) == "support size 1"
    assert names.common == "state size 4"
    assert names.stem(run_of(cells[0])).startswith("linear_map-attention-support-size-1-learning-rate")


def test_one_cell_is_called_by_its_mixer_and_in_full_by_its_knobs() -> None:
    names = Names([PLAIN.cell])
    assert names.differing == ()
    assert (names.differences(PLAIN.cell), names.label(PLAIN.cell)) == ("", "attention")
    assert names.place(PLAIN.cell) == "linear_map"
    assert names.stem(PLAIN) == f"linear_map-attention-seed-0-{PLAIN.digest[:8]}"
    biased = changed(intervention=InterventionSpec(4.0, map_bias_placebo=True))
    assert Names([biased]).full(biased).endswith("attention, map bias 4, map bias placebo yes")
    assert interventions(biased) == {"map_bias": 4.0, "map_bias_placebo": True}


def test_several_tasks_are_named() -> None:
    other = changed(task=TaskSpec("other", "linear_map", settings({"depth": 3})))
    names = Names([at(), at(state_size=8), other])
    assert [names.place(cell) for cell in names.cells] == [
        "linear_map, state size 4",
        "linear_map, state size 8",
        "other",
    ]
    assert names.label(other) == "other, attention"
    assert names.common == "linear_map: support size 2; other: depth 3"
    assert names.value(other, "state_size") == ""


def test_a_setting_that_is_none_is_called_derived() -> None:
    cells = [changed(mixer=MixerSpec("attention", (("head_width", width),))) for width in (None, 4)]
    names = Names(cells)
    assert [names.label(cell) for cell in cells] == [
        "attention, head width derived",
        "attention, head width 4",
    ]


def test_settings_of_different_mixers_do_not_differ() -> None:
    assert Names([at(), spec_of("mlp_mixer").cell]).differing == ()


def test_facts_are_all_there_is_to_a_cell() -> None:
    found = facts(PLAIN.cell)
    assert found["generator"] == "linear_map"
    assert found["escape_threshold"] == 0.938
    assert {name: found[name] for name in PLAIN.cell.flat()} == PLAIN.cell.flat()


def test_cells_are_contrasted_fact_by_fact() -> None:
    other = changed(
        mixer=MixerSpec("attention", ()), optimizer=replace(PLAIN.cell.optimizer, learning_rate=NEAR[1])
    )
    assert contrast(PLAIN.cell, other) == {
        "head_width": ("derived", ABSENT),
        "learned_temperature": ("no", ABSENT),
        "num_heads": ("16", ABSENT),
        "qk_norm": ("no", ABSENT),
        "relative_positions": ("none", ABSENT),
        "learning_rate": ("0.001", "0.0010000001"),
    }
    assert contrast(PLAIN.cell, PLAIN.cell) == {}


def test_mixers_are_named_by_the_settings_in_which_their_namesakes_differ() -> None:
    mixers = [
        MixerSpec("mine", settings({"gain": 0.5, "depth": 2})),
        MixerSpec("mine", settings({"gain": None, "depth": 2})),
        MixerSpec("attention", settings({"heads": 4})),
    ]
    assert list(mixer_names(mixers).values()) == ["mine, gain 0.5", "mine, gain derived", "attention"]
    older = [MixerSpec("mine", ()), MixerSpec("mine", settings({"depth": 2}))]
    assert list(mixer_names(older).values()) == ["mine", "mine, depth 2"]


# File names.


def test_a_file_name_suits_every_system() -> None:
    assert (
        file_stem("example, linear_map, state size 8", "-seed-0") == "example-linear_map-state-size-8-seed-0"
    )
    assert file_stem("rate 0.001, steps 0:500", "-x").startswith("rate-0.001-steps-0-500-")
    hostile = [
        r'a\b/c:d*e?f"g<h>i|j',
        "..",
        ".",
        "",
        "é",
        "con.",
        "a" * 300,
        "a" * 299 + "b",
        "a/b",
        "a:b",
        "\ud800",
    ]
    stems = [file_stem(words, "-maps") for words in hostile]
    assert len(set(stems)) == len(hostile)
    for stem in stems:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*-maps", stem)
        assert len(stem) <= LONGEST_STEM


def test_cells_that_differ_in_thresholds_alone_have_files_of_their_own() -> None:
    cells = [
        changed(task=replace(PLAIN.cell.task, name="a" * 90, plateau=PlateauRule(e))) for e in (0.9, 0.5)
    ]
    first, second = map(run_of, cells)
    # Trained in the same way, they have one digest.
    assert first.digest == second.digest
    names = Names(cells)
    assert names.stem(first) != names.stem(second)


def test_digits_stand_for_a_set_of_cells() -> None:
    cells = UNLIKE["learning rates that print alike"]
    assert Names(cells).digits == Names(cells[::-1]).digits
    assert Names(cells).digits != Names(cells[1:]).digits


@pytest.mark.parametrize(("seconds", "words"), [(40, "40 s"), (700, "12 min"), (12_600, "3.5 h")])
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_run_beside_others_is_called_what_tells_it_from_them() -> None:
    cells = [spec_of().cell, spec_of(learning_rate=3e-3).cell, spec_of("mlp_mixer").cell]
    assert Names(cells[:1]).short(RunSpec(cells[0], 3, 3)) == "seed 3"
    assert Names(cells[:2]).short(RunSpec(cells[1], 3, 7)) == "learning rate 0.003, seed 3, rule seed 7"
    assert Names([cells[0], cells[2]]).short(RunSpec(cells[2], 0, 0)) == "mlp_mixer, seed 0"
