"""Trained runs in memory: whole where they are few, without their arrays where they are many."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.made_trainer import MadeTrainer, made_specs
from helpers.stored import assert_same

from attnsearch.runs.run_files import LAYOUTS
from attnsearch.runs.store import Store
from attnsearch.training import runner


def test_arrays_of_a_large_sweep_are_read_when_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = made_specs(range(3))
    whole = runner.run(specs, Store.open(tmp_path / "whole"), MadeTrainer())
    monkeypatch.setattr(runner, "WORTHWHILE", 3)
    large = runner.run(specs, Store.open(tmp_path / "large"), MadeTrainer())
    for run, other in zip(large, whole, strict=True):
        assert vars(run).keys().isdisjoint(LAYOUTS)
        assert vars(other).keys() >= LAYOUTS.keys()
        assert run.measures.plateau_length == other.measures.plateau_length
        assert_same(run, other)
