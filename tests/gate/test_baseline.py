"""What a baseline keeps of runs, and which recorded cell a cell is held against."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from helpers.complaint import message
from helpers.hand_made import run_of, spec_of
from helpers.recorded import baseline, made

from attnsearch.base import Curves
from attnsearch.gate.baseline import Baseline, curves_digest, matched, outcomes
from attnsearch.spec.run import CellSpec, PlateauRule, RunSpec, settings


def test_outcomes_are_what_a_gate_judges() -> None:
    found = outcomes(baseline().cells[0].runs)
    assert found.plateau.length.tolist() == [100, 100, 1_000]
    assert found.plateau.observed.tolist() == [True, True, False]
    assert found.mastery.observed.tolist() == [True, False, False]
    assert found.seeds.tolist() == [0, 1, 2]
    assert found.diverged == 1


def test_curves_are_told_apart_to_the_last_bit() -> None:
    curves = made()[0].curves
    same = curves._replace(loss=curves.loss.copy())
    assert curves_digest(same) == curves_digest(curves)
    loss = curves.loss.copy()
    loss[3, 1] = np.nextafter(loss[3, 1], np.float32(1))
    assert curves_digest(curves._replace(loss=loss)) != curves_digest(curves)
    shorter = Curves(curves.step[:-1], curves.loss[:-1], curves.accuracy[:-1])
    assert curves_digest(shorter) != curves_digest(curves)


def asked(*cells: CellSpec, seeds: int = 2, rule_seed: int | None = None) -> list[RunSpec]:
    return [
        RunSpec(cell, seed, seed if rule_seed is None else rule_seed)
        for cell in cells
        for seed in range(seeds)
    ]


ATTENTION, MLP_MIXER = spec_of().cell, spec_of("mlp_mixer").cell


def test_cells_are_matched_in_the_order_asked() -> None:
    found = matched(baseline(), asked(MLP_MIXER, ATTENTION))
    assert [recorded.spec for _, recorded in found] == [MLP_MIXER, ATTENTION]
    assert [[run.seed for run in runs] for runs, _ in found] == [[0, 1], [0, 1]]


def test_one_mixer_may_be_checked_alone() -> None:
    ((_, recorded),) = matched(baseline(), asked(MLP_MIXER, seeds=5))
    assert recorded.spec == MLP_MIXER


def test_another_suite_is_refused_with_what_differs() -> None:
    longer = replace(ATTENTION, budget=replace(ATTENTION.budget, steps=500, tokens_per_step=64))
    text = message(lambda: matched(baseline(), asked(longer)))
    assert text == (
        "baseline of another suite: cell linear_map, state size 4, support size 2, attention differs in"
        " steps 1000 -> 500, tokens per step 2048 -> 64; record it again with `attnsearch baseline`"
    )
    stricter = replace(ATTENTION, task=replace(ATTENTION.task, plateau=PlateauRule(escape=0.9)))
    assert "differs in escape threshold 0.938 -> 0.9;" in message(
        lambda: matched(baseline(), asked(stricter))
    )


def test_a_baseline_that_judged_escape_otherwise_is_refused() -> None:
    old = baseline()
    old = replace(old, cells=tuple(replace(cell, escape_below=0.938) for cell in old.cells))
    assert message(lambda: matched(old, asked(ATTENTION))) == (
        "the baseline judged escape of cell linear_map, state size 4, support size 2, attention below 0.938"
        " of chance, and it is 0.811 now; record it again with `attnsearch baseline`"
    )


def test_a_cell_too_few_and_a_cell_too_many_are_refused() -> None:
    other = spec_of("mlp_mixer", state_size=8).cell
    more = Baseline.of("mine", [*made(), run_of(spec_of("mlp_mixer", state_size=8), [80] * 8)])
    text = message(lambda: matched(more, asked(MLP_MIXER)))
    name = "linear_map, state size 8, support size 2, mlp_mixer"
    assert text.startswith(f"the suite has no cell {name} of the baseline; record it again")
    assert "differs in state size 4 -> 8;" in message(lambda: matched(baseline(), asked(MLP_MIXER, other)))


def test_a_mixer_that_was_not_recorded_is_refused() -> None:
    other = replace(ATTENTION, mixer=replace(ATTENTION.mixer, name="mypackage.mixers:Mine"))
    text = message(lambda: matched(baseline(), asked(other)))
    assert text.startswith("the baseline has no mixer mypackage.mixers:Mine, only attention, mlp_mixer: ")


def test_a_mixer_may_gain_and_lose_settings_but_not_change_them() -> None:
    def with_settings(**values: Any) -> CellSpec:
        return replace(MLP_MIXER, mixer=replace(MLP_MIXER.mixer, settings=settings(values)))

    for changed in (with_settings(expansion=4, gated=True), with_settings()):
        ((_, recorded),) = matched(baseline(), asked(changed))
        assert recorded.spec == MLP_MIXER
    text = message(lambda: matched(baseline(), asked(with_settings(expansion=2, gated=True))))
    assert "differs in expansion 4 -> 2;" in text
    both = asked(with_settings(expansion=4, gated=True), with_settings(expansion=4, gated=False))
    assert "asks more than once for cell" in message(lambda: matched(baseline(), both))


def test_another_hidden_rule_is_another_question() -> None:
    text = message(lambda: matched(baseline(), asked(MLP_MIXER, rule_seed=0)))
    assert "seed 1 of linear_map, state size 4, support size 2, mlp_mixer has rule_seed 1 -> 0;" in text
