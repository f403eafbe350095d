"""The tables of the automaton's recipe, of made runs."""

from __future__ import annotations

from dataclasses import replace

from helpers import made_automata

from attnsearch.results.study import Study
from attnsearch.spec.run import MixerSpec, settings
from benchmarks.automaton_recipe import by_size, figure, growth, positions_of, table


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
    assert (learned[:3], learned[5]) == (("8", "2,048", "learned"), ">400")
    assert turned[2] == "rotary"
    assert [text.startswith(">") for text in turned[5].split(", ")] == [False, True]
    assert turned[6].split(", ")[1] == "1.39"


def test_what_else_is_unusual_is_named() -> None:
    plain = made_automata.spec()
    optimizer = replace(plain.cell.optimizer, weight_decay=0.0, warmup_steps=500)
    unusual = replace(plain, cell=replace(plain.cell, optimizer=optimizer))
    (row,) = table(Study([made_automata.run(unusual)]).cells).rows
    assert row[4] == "weight decay 0, warmup steps 500"


def test_growth_is_told_at_equal_tokens_and_at_equal_sequences_and_noise_apart() -> None:
    small = made_automata.spec(size=8)
    wide = made_automata.spec(size=16)
    twice = replace(wide, cell=replace(wide.cell, budget=replace(wide.cell.budget, tokens_per_step=4_096)))
    dipped = made_automata.run(twice, 200)
    # One point below the threshold, long before the plateau is over.
    loss = dipped.curves.loss.copy()
    loss[4] = 0.02
    dipped = replace(dipped, curves=dipped.curves._replace(loss=loss))
    study = Study([made_automata.run(small, 100), made_automata.run(wide, None), dipped])
    table = growth(study.cells)
    assert [row[:3] for row in table.rows] == [
        ("16", "2,048 tokens", "1"),
        ("16", "2,048 tokens", "3"),
        ("16", "42 sequences", "1"),
        ("16", "42 sequences", "3"),
    ]
    (short, never, times), _, (_, dip, _), (_, late, _) = [row[3:] for row in table.rows]
    grown = f"{400 / int(short):.1f}"
    assert (never, times) == (">400", f">{grown} ({grown} to >{grown})")
    assert (int(dip), int(late) - int(short)) == (50, 100)


def test_a_picture_has_a_panel_a_batch_and_a_colour_an_s() -> None:
    small, wide = made_automata.spec(size=8), made_automata.spec(size=16)
    large = replace(wide, cell=replace(wide.cell, budget=replace(wide.cell.budget, tokens_per_step=4_096)))
    cells = Study([made_automata.run(small), made_automata.run(wide), made_automata.run(large)]).cells
    drawn = figure(cells, "growth", "cells", by_size)
    assert [axes.get_title() for axes in drawn.axes] == ["2,048 tokens a step", "4,096 tokens a step"]
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == ["S = 8", "S = 16"]
    colours = [[line.get_color() for line in axes.lines[:2]] for axes in drawn.axes]
    assert colours[0][1] == colours[1][0] != colours[0][0]
