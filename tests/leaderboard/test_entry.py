"""Entries: what is kept of runs, what is measured from that, and what an entry lacks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import made_automata
from helpers.made_runs import ATTENTION, BEST, MINE, SUITE, run, runs, suite, verification

from attnsearch.base import AttnsearchError
from attnsearch.leaderboard.entry import (
    Entry,
    EntryCell,
    assemble,
    cells_of,
    environment_of,
    learning_rate,
)
from attnsearch.leaderboard.entry_file import parsed, written
from attnsearch.leaderboard.shortcomings import shortcomings, unverified
from attnsearch.runs.outline import Outline
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import RunSpec
from attnsearch.spec.suite import Suite


@pytest.fixture
def asked(tmp_path: Path) -> Suite:
    return suite(tmp_path)


@pytest.fixture
def one(asked: Suite) -> RunSpec:
    return asked.reduced(None, {}, [ATTENTION]).selection()[0]


# What is kept, and measured.


def test_an_entry_says_of_its_runs_what_they_say_themselves(asked: Suite) -> None:
    made = {one.spec: one for one in runs(asked, ATTENTION)}
    entry = assemble(asked, ATTENTION, list(made.values()))
    cells = [*entry.selection, *entry.scored]
    assert {kept.spec for cell in cells for kept in cell.runs} == set(made)
    for cell in cells:
        truths = [made[kept.spec].truth for kept in cell.runs]
        assert cell.bits == truths[0].nominal_log2_search_space
        assert cell.chance_loss == truths[0].chance_loss
        measures = [made[kept.spec].measures for kept in cell.runs]
        assert cell.plateau.observed.tolist() == [one.escaped for one in measures]
        assert cell.plateau.length.tolist() == [one.plateau_length for one in measures]
        assert cell.mastery.observed.tolist() == [one.mastered for one in measures]
        waited = [one.mastery_step if one.mastered else 400 for one in measures]
        assert cell.mastery.length.tolist() == waited
        for kept, one in zip(cell.runs, measures, strict=True):
            assert (kept.found > 0).tolist() == one.found.observed.tolist()
            assert kept.found[kept.found > 0].tolist() == one.found.length[one.found.observed].tolist()
    outcomes = [bool(seen) for cell in cells for seen in cell.plateau.observed]
    assert set(outcomes) == {False, True}


def test_mastery_has_to_hold(one: RunSpec) -> None:
    (cell,) = cells_of([run(one, 50, 70)])
    (kept,) = cell.runs
    # Below the threshold at 70 and 80, above it once more at 90.
    assert cell.mastery.length.tolist() == [70]
    longer = [np.concatenate([curve, curve[-3:]]) for curve in kept.outline]
    longer[1][8] = 1.0
    again = replace(kept, outline=Outline(*longer))
    assert replace(cell, runs=(again,)).mastery.length.tolist() == [100]


def test_an_entry_on_what_cannot_be_foreseen_says_what_its_runs_say() -> None:
    made = [automaton_run(seed, first) for seed, first in enumerate((100, 160, None))]
    assert made[0].truth.bayes_loss.any()
    (cell,) = cells_of(made)
    again = parsed(written(automaton_entry(cell)).encode())
    for kept in (cell, *again.scored):
        assert kept.plateau.observed.tolist() == [True, True, False]
        for own, one in zip(made, kept.runs, strict=True):
            measures = own.measures
            assert (bool(one.plateau.observed[0]), bool(one.mastery.observed[0])) == (
                measures.escaped,
                measures.mastered,
            )
            if measures.escaped:
                assert one.plateau.length[0] == measures.plateau_length
                assert one.mastery.length[0] == measures.mastery_step
            assert (one.found > 0).tolist() == measures.found.observed.tolist()
            np.testing.assert_array_equal(one.targets.bayes_loss, own.truth.bayes_loss)
            # Two groups: the cells that can be foreseen, and the first state.
            assert one.outline.mean.shape == (40, 2)
    # Half of chance cannot be foreseen of the first state, so that none of its targets is found.
    assert made[0].measures.mastered
    assert cell.found.observed.sum() == 2 * 4 * 8
    assert cell.mastery.observed.tolist() == [True, True, False]


def automaton_run(seed: int, first: int | None) -> StoredRun:
    """A run that trains to its end, whatever it has mastered."""
    given = made_automata.spec(seed=seed)
    budget = replace(given.cell.budget, early_stopping=False)
    made = made_automata.run(replace(given, cell=replace(given.cell, budget=budget)), first=first)
    # No two seeds have the same curves.
    loss = made.curves.loss * np.float32(1 - 1e-4 * seed)
    made = replace(made, curves=made.curves._replace(loss=loss))
    return replace(made, status="mastered" if made.measures.mastered else "exhausted")


def automaton_entry(cell: EntryCell) -> Entry:
    """An entry of one scored cell, of a generator that does not ship: made curves are of another task."""
    task = replace(cell.spec.task, generator="own:Automaton")
    spec = replace(cell.spec, task=task)
    runs = tuple(replace(run, spec=replace(run.spec, cell=spec)) for run in cell.runs)
    return Entry("automata", spec.mixer, (), (EntryCell(spec, cell.bits, runs),), None, None, {})


def test_a_run_that_diverged_is_censored_at_the_budget(one: RunSpec) -> None:
    early = replace(one, seed=90)
    (cell,) = cells_of([run(one, 50, 300, diverged=90), run(early, 50, 300, diverged=10)])
    assert [len(kept.loss) for kept in cell.runs] == [8, 0]
    assert all(np.isfinite(kept.loss).all() for kept in cell.runs)
    assert (cell.plateau.length.tolist(), cell.plateau.observed.tolist()) == ([50, 400], [True, False])
    assert (cell.mastery.length.tolist(), cell.mastery.observed.tolist()) == ([400, 400], [False, False])


def test_runs_of_a_cell_stand_in_order_of_their_seeds(one: RunSpec) -> None:
    (cell,) = cells_of([run(replace(one, seed=seed), 50) for seed in (3, 1, 2)])
    assert [kept.spec.seed for kept in cell.runs] == [1, 2, 3]


def test_the_environment_is_all_that_runs_were_trained_with(one: RunSpec) -> None:
    first, second = (
        replace(run(one, 50), environment=environment)
        for environment in (
            {"device": "cpu", "processor": "", "lanes": 3, "versions": {"jax": "0.9", "attnsearch": "1"}},
            {"device": "gpu", "versions": {"jax": "0.8", "attnsearch": "1"}},
        )
    )
    expected = {"device": "cpu, gpu", "lanes": "3", "jax": "0.8, 0.9", "attnsearch": "1"}
    assert environment_of([first, second, first]) == expected


# What it lacks.


def test_a_complete_entry_lacks_nothing(asked: Suite) -> None:
    # Runs of others are left alone.
    made = [*runs(asked, MINE), *runs(asked, ATTENTION)]
    entry = assemble(asked, ATTENTION, made, verification(ATTENTION))
    assert shortcomings(asked, entry) == []
    assert unverified(entry) is None
    assert entry.choice().learning_rate == BEST == learning_rate(asked, entry)
    assert {cell.spec.optimizer.learning_rate for cell in entry.scored} == {BEST}


def test_runs_that_are_missing_are_named(asked: Suite) -> None:
    made = runs(asked, ATTENTION)
    selection = [one for one in made if one.spec.seed in asked.selection_seeds]
    entry = assemble(asked, ATTENTION, selection[1:])
    assert entry.scored == ()
    assert shortcomings(asked, entry) == [
        "1 of 12 selection runs are missing:"
        " attention, state size 4, support size 1, learning rate 0.001: seeds 6"
    ]
    assert shortcomings(asked, assemble(asked, ATTENTION, selection)) == [
        "18 of 18 scored runs are missing:"
        " attention, state size 4, support size 1, learning rate 0.003: seeds 0 to 5;"
        " attention, state size 4, support size 2, learning rate 0.003: seeds 0 to 5;"
        " attention, state size 8, support size 4, learning rate 0.003: seeds 0 to 5"
    ]


def test_of_many_cells_that_are_missing_a_few_are_named(tmp_path: Path) -> None:
    asked = suite(tmp_path, SUITE.replace("support_size = 4", "support_size = [1, 2, 3, 4]"))
    (text,) = shortcomings(asked, assemble(asked, ATTENTION, []))
    assert text.startswith("24 of 24 selection runs are missing: ")
    assert text.endswith("; and 8 more cells")


def test_what_was_scored_at_another_rate_than_the_best_is_missing(asked: Suite) -> None:
    made = runs(asked, ATTENTION)
    selection = [one for one in made if one.spec.seed in asked.selection_seeds]
    wrong = [run(spec, 50) for spec in asked.reduced(None, {}, [ATTENTION]).scored({ATTENTION: 1e-3})]
    (text,) = shortcomings(asked, assemble(asked, ATTENTION, [*selection, *wrong]))
    assert text.startswith("18 of 18 scored runs are missing: attention, state size 4, support size 1, learn")
    assert "learning rate 0.003" in text
    # Where they are in the entry all the same, this is said of them.
    entry = assemble(asked, ATTENTION, made)
    forged = replace(entry, scored=cells_of(wrong))
    assert shortcomings(asked, forged) == [
        "scored runs: another learning rate: learning rate 0.001 instead of 0.003"
    ]


@pytest.mark.parametrize(
    ("right", "wrong", "reason"),
    [
        ('name = "small"', 'name = "large"', "it answers suite large, not small"),
        ("steps = 400", "steps = 500", "selection runs: another budget: steps 500 instead of 400"),
        (
            "support_size = 4",
            "support_size = 3",
            "selection runs: another task: support size 3 instead of 4",
        ),
        ("steps = 400", "steps = 400\nwidth = 32", "selection runs: other settings: width 32 instead of 128"),
        (
            "[1e-3, 3e-3]",
            "[1e-3, 1e-2]",
            "selection runs: another learning rate: learning rate 0.01 instead of",
        ),
        (
            "selection_seeds = 2",
            "selection_seeds = 3",
            "6 selection runs have seeds that the suite does not ask for",
        ),
        ("selection_seeds = 2", "selection_seeds = 1", "6 of 12 selection runs are missing"),
        ("seeds = 6\n", "seeds = [0, 1, 2, 3, 4, 5, 99]\n", "selection runs"),
        (
            "selection_seeds = 2",
            "selection_seeds = 2\nrule_seed = 1",
            "12 selection runs have seeds that",
        ),
    ],
)
def test_an_entry_on_another_question_says_which(
    asked: Suite, tmp_path: Path, right: str, wrong: str, reason: str
) -> None:
    (tmp_path / "other").mkdir()
    other = suite(tmp_path / "other", SUITE.replace(right, wrong, 1))
    best = 1e-2 if "1e-2" in wrong else BEST
    entry = assemble(other, ATTENTION, runs(other, ATTENTION, best=best))
    assert shortcomings(other, entry) == []
    (text, *_) = shortcomings(asked, entry)
    assert reason in text


def test_another_plateau_rule_is_another_question(asked: Suite) -> None:
    entry = assemble(asked, ATTENTION, runs(asked, ATTENTION))
    cell = entry.selection[0]
    rule = replace(cell.spec.task.plateau, escape=0.99)
    forged = replace(cell, spec=replace(cell.spec, task=replace(cell.spec.task, plateau=rule)))
    assert shortcomings(asked, replace(entry, selection=(forged, *entry.selection[1:]))) == [
        "selection runs: another plateau rule: escape threshold 0.99 instead of 0.938"
    ]


def test_a_suite_without_selection_has_one_learning_rate(tmp_path: Path) -> None:
    text = SUITE.replace("selection_seeds = 2\n", "")
    asked = suite(tmp_path, text.replace("[1e-3, 3e-3]", "3e-3"))
    entry = assemble(asked, ATTENTION, runs(asked, ATTENTION))
    assert shortcomings(asked, entry) == []
    assert (entry.selection, learning_rate(asked, entry), entry.choice().note) == ((), BEST, None)
    undecided = suite(tmp_path, text)
    with pytest.raises(AttnsearchError, match="suite small has 2 learning rates: give it selection_seeds"):
        learning_rate(undecided, entry)


def test_what_stands_against_a_mixer_is_said(asked: Suite) -> None:
    entry = assemble(asked, ATTENTION, [])
    assert unverified(entry) == "has not been checked"
    failed = replace(entry, verification=verification(ATTENTION, "failed"))
    assert unverified(failed) == "failed verification: construction"
    empty = replace(entry, verification=replace(verification(ATTENTION), findings=()))
    assert unverified(empty) == "failed verification: it was asked nothing"


def test_a_record_of_fewer_checks_than_there_are_does_not_count(asked: Suite) -> None:
    record = verification(ATTENTION)
    fewer = replace(record, findings=record.findings[:-1])
    entry = replace(assemble(asked, ATTENTION, []), verification=fewer)
    assert unverified(entry) == "has not been checked for learning"


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [
        ({"width": 64}, "has not been checked at width 128, only at 64"),
        ({"max_layers": 0}, "has not been checked in networks of 1 layers, only of up to 0"),
        ({"max_context": 12}, "has not been checked on 16 tokens, only on up to 12"),
    ],
)
def test_a_record_of_other_sizes_than_the_runs_does_not_count(
    asked: Suite, sizes: dict[str, int], reason: str
) -> None:
    record = verification(ATTENTION)
    entry = assemble(asked, ATTENTION, runs(asked, ATTENTION), record)
    assert unverified(entry) is None
    said = unverified(replace(entry, verification=replace(record, **sizes)))  # pyright: ignore[reportArgumentType]
    command = "attnsearch verify attention --mixer-set num_heads=3 --width 128"
    assert said == f"{reason}: give `{command}`, and submit its runs again"
