"""The table of the automaton's recipe, of made runs."""

from __future__ import annotations

from dataclasses import replace

from helpers import made_automata

from attnsearch.results.study import Study
from attnsearch.spec.run import MixerSpec, settings
from benchmarks.automaton_recipe import positions_of, table


def test_a_row_is_a_recipe_with_every_run_and_rotary_positions_are_named() -> None:
    plain = made_automata.spec()
    mixer = MixerSpec(
        "attention", settings({**dict(plain.cell.mixer.settings), "relative_positions": "rotary"})
    )
    network = replace(plain.cell.network, positions="none")
    rotary = [
        replace(made_automata.spec(seed=seed), cell=replace(plain.cell, mixer=mixer, network=network))
        for seed in (0, 1)
    ]
    study = Study(
        [
            made_automata.run(plain, None),
            made_automata.run(rotary[0], 100),
            made_automata.run(rotary[1], None),
        ]
    )
    learned, turned = table(study.cells).rows
    assert [positions_of(cell) for cell in study.cells] == ["learned", "rotary"]
    assert (learned[:3], learned[4]) == (("8", "2,048", "learned"), ">400")
    assert turned[2] == "rotary"
    assert [text.startswith(">") for text in turned[4].split(", ")] == [False, True]
    assert turned[5].split(", ")[1] == "1.39"
