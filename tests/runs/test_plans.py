"""What processes are about to train is written down, for as long as they live, and never in their way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.claimed import many, names
from helpers.hand_made import KNOWN_MIXERS, spec_of
from helpers.made_trainer import FAULTY, MadeCohort, MadeTrainer, made_specs

from attnsearch.cli.train import Output, sweep_suite
from attnsearch.runs.plans import PLAN, is_followed, planning, read_plan
from attnsearch.runs.store import Store
from attnsearch.spec.run import RunSpec
from attnsearch.spec.suite import Suite
from attnsearch.training.backend import Ended, Runs, TrainingSettings
from attnsearch.training.observer import Observer
from attnsearch.training.runner import run

SUITE = """\
name = "choosing"
title = "Choosing"
source = "nowhere"
seeds = 2
selection_seeds = 1

[[tasks]]
task = "linear_map"
state_size = 4
support_size = 2

[[mixers]]
mixer = "attention"

[training]
steps = 100
learning_rate = [1e-3, 3e-3]
"""


def plans(root: Path) -> list[Path]:
    return sorted((root / "runs").glob(f"{PLAN}*"))


class Looking(MadeTrainer):
    """Notes what is planned each time that it trains: the runs of each plan that is followed."""

    def __init__(self, root: Path):
        super().__init__()
        self.root = root
        self.seen: list[set[frozenset[RunSpec]]] = []

    def train(
        self,
        cohort: MadeCohort,
        pending: Sequence[RunSpec],
        runs: Runs,
        observer: Observer,
        settings: TrainingSettings,
    ) -> Iterator[Ended]:
        followed = [read_plan(path) for path in plans(self.root) if is_followed(path)]
        self.seen.append({frozenset(plan.specs.values()) for plan in followed})
        return super().train(cohort, pending, runs, observer, settings)


def test_a_plan_is_read_as_it_was_written(store: Store):
    specs = [*many(spec_of(), 3), *many(spec_of("mlp_mixer"), 2), replace(spec_of(), rule_seed=7)]
    with planning(store.root, specs):
        (path,) = plans(store.root)
        assert is_followed(path)
        plan = read_plan(path)
    assert list(plan.specs.values()) == specs
    assert list(plan.specs) == [spec.digest for spec in specs]
    assert names(store.root) == []


def test_the_runs_that_are_not_stored_are_planned_while_they_are_trained(store: Store):
    specs = made_specs(range(3))
    run(specs[:1], store, MadeTrainer())
    trainer = Looking(store.root)
    run(specs, store, trainer)
    assert trainer.seen == [{frozenset(specs[1:])}]
    assert not plans(store.root)


def test_the_plan_of_a_process_that_fails_or_was_killed_means_nothing(store: Store):
    with pytest.raises(ValueError, match="cannot be trained"):
        run(made_specs([FAULTY]), store, MadeTrainer())
    assert not plans(store.root)
    with planning(store.root, made_specs([0])):
        left = plans(store.root)[0].read_bytes()
    (store.root / "runs" / f"{PLAN}1-dead").write_bytes(left)
    assert not is_followed(store.root / "runs" / f"{PLAN}1-dead")
    with planning(store.root, made_specs([1])), planning(store.root, made_specs([2])):
        assert f"{PLAN}1-dead" not in names(store.root)
        assert len(plans(store.root)) == 2


def test_where_a_plan_cannot_be_written_training_goes_on(tmp_path: Path):
    went_on: Sequence[int] = []
    with planning(tmp_path / "absent", made_specs([0])):
        went_on = [1]
    assert went_on


def test_scored_runs_wait_while_their_learning_rates_are_chosen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "choosing.toml"
    file.write_text(SUITE)
    suite, trainer = Suite.read(file, KNOWN_MIXERS), Looking(tmp_path / "out")
    output = Output(tmp_path / "out", as_json=True, quiet=True, no_plots=True, track=())
    assert sweep_suite(suite, output, trainer, TrainingSettings())
    selection, scored = trainer.seen
    waiting = frozenset(suite.planned()) - frozenset(suite.selection())
    assert selection == {frozenset(suite.selection()), waiting}
    assert [len(planned) for planned in scored] == [2]
    assert not plans(tmp_path / "out")
