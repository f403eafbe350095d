"""Early signals of made runs, with a planted signal and without one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from helpers.foretold import foretold
from helpers.hand_made import run_of, spec_of
from helpers.texts import shown

from attnsearch.base import Updates
from attnsearch.results.document import document
from attnsearch.results.early_signals import EarlySignal
from attnsearch.results.study import Study
from attnsearch.results.tables import signal_table, tables
from attnsearch.runs.store import StoredRun


def found(runs: list[StoredRun]) -> dict[tuple[str, int], EarlySignal]:
    return {(one.signal.key, one.step): one for one in Study(runs).early_signals}


def test_a_planted_signal_is_told_and_the_others_are_not() -> None:
    signals = found(foretold())
    assert {key for key, _ in signals} == {"map_mass", "entropy", "loss"}
    told = signals["map_mass", 200]
    assert [(half.value, half.low, half.runs) for half in told.halves] == [(-1, -1, 8)] * 2
    assert all(-1 < half.high < 0 for half in told.halves)
    assert told.verdict == "the larger, the sooner"
    others = [one for (key, _), one in signals.items() if key != "map_mass"]
    assert {one.verdict for one in others} == {"not shown"}


def test_the_norm_of_updates_is_one_number_a_run() -> None:
    runs = foretold(planted=False)
    moved = []
    for run in runs:
        # The sooner a run finds half of its targets, the further a step moves it.
        norm = np.full(len(run.curves.step), 1 / np.median(run.measures.found.length), np.float32)
        moved.append(replace(run, updates=Updates(run.curves.step, norm)))
    told = found(moved)["update_norm", 200]
    assert told.verdict == "the larger, the sooner"
    # Targets of one run are equal by it, and count as pairs that it does not order.
    assert -1 < told.even.value < -0.2
    # Where half of the runs are of an earlier version, the others are asked alone, and nobody is warned.
    mixed = Study([*moved[:8], *runs[8:]])
    assert {one.even.runs for one in mixed.early_signals if one.signal.key == "update_norm"} == {4}
    assert {one.even.runs for one in mixed.early_signals if one.signal.key == "loss"} == {8}
    assert mixed.warnings == Study(runs).warnings


def test_what_tells_nothing_is_not_shown() -> None:
    signals = found(foretold(planted=False))
    assert {step for _, step in signals} == {50, 100, 200}
    assert not any(one.tells for one in signals.values())


def test_a_run_that_has_escaped_counts_no_longer() -> None:
    runs = foretold()
    early = [run_of(run.spec, [110, 600, 700, 800], heads=2) for run in runs[:4]]
    signals = found([*early, *runs[4:]])
    assert [half.runs for half in signals["map_mass", 100].halves] == [8, 8]
    assert [half.runs for half in signals["map_mass", 200].halves] == [6, 6]
    # From 250 on too few have not escaped.
    assert max(step for _, step in signals) == 200


def test_halves_that_say_the_opposite_tell_nothing() -> None:
    runs = foretold()
    turned = [
        replace(run, maps=run.maps._replace(mass=-run.maps.mass)) if run.spec.seed % 2 else run
        for run in runs
    ]
    told = found(turned)["map_mass", 200]
    assert (told.even.value, told.odd.value, told.tells) == (-1, 1, False)


def test_every_cell_needs_its_own_seeds() -> None:
    assert not found(foretold(7))
    single = [run_of(spec_of(seed=seed, state_size=4 + seed), [300] * (4 + seed)) for seed in range(16)]
    assert not found(single)
    assert signal_table(Study(single)) is None


def test_cells_are_not_compared_with_each_other() -> None:
    runs = foretold(planted=False)
    # Of another width, with ten times the map mass, and found later.
    wide = []
    for run in foretold(planted=False):
        spec = replace(run.spec, cell=spec_of(steps=2_000).cell)
        later = run_of(spec, [step + 1_000 for step in run.measures.found.length.tolist()], heads=2)
        wide.append(replace(later, maps=later.maps._replace(mass=later.maps.mass * 10)))
    assert not found([*runs, *wide])["map_mass", 200].tells


def test_a_signal_that_was_not_recorded_is_not_there() -> None:
    runs = [run_of(spec_of(seed=seed), [300 + 10 * seed] * 4) for seed in range(8)]
    assert {key for key, _ in found(runs)} == {"map_mass", "loss"}
    # What breaks by step 100 is not seen at step 100.
    broken = [run_of(run.spec, [None] * 4, diverges=60) for run in runs]
    assert {step for _, step in found([*broken, *foretold()])} == {50, 100, 200}
    assert not found(broken)


def test_table_rows_and_document_say_the_same() -> None:
    study = Study(foretold())
    table = tables(study)[-1]
    texts, records = shown(table), list(study.by_signal)
    assert texts["does it tell?"][:3] == ["the larger, the sooner", "not shown", "not shown"]
    high = study.early_signals[0].even.high
    assert texts["even seeds"][0] == f"-1.00\n-1.00 to {high:.2f}, 8 runs"
    first = records[0]
    assert (first["step"], first["signal"], first["tells"]) == (50, "map_mass", True)
    assert (first["even_correlation"], first["odd_low"], first["odd_runs"]) == (-1, -1, 8)
    assert study.by_signal.to_polars()["odd_low"].to_list() == [one["odd_low"] for one in records]
    assert document(study, "", [])["early_signals"] == records
    for one in study.early_signals:
        assert all(half.low <= half.value <= half.high for half in one.halves)
