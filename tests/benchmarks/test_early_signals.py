"""The page of early signals, of made runs."""

from __future__ import annotations

import runpy
from dataclasses import replace

import numpy as np
from helpers.foretold import foretold
from helpers.pages import DOCS

from attnsearch.base import Updates
from attnsearch.results.study import Study


def test_targets_and_runs_have_a_table_each() -> None:
    script = runpy.run_path(str(DOCS.parent / "benchmarks" / "early_signals.py"))
    runs = []
    for run in foretold(planted=False):
        # The further a step moves a run, the sooner it escapes.
        norm = np.full(len(run.curves.step), 1 / run.measures.plateau_length, np.float32)
        runs.append(replace(run, updates=Updates(run.curves.step, norm)))
    study = Study(runs)
    signals = {(one.signal.key, one.step): one for one in script["of_runs"](study)}
    assert {step for _, step in signals} == {one.step for one in study.early_signals}
    told = signals["update_norm", 200]
    assert [half.value for half in told.halves] == [-1, -1]
    assert told.tells
    assert not any(one.tells for (key, _), one in signals.items() if key != "update_norm")
    targets, of_runs = (part for part in script["page"](study).split("\n\n") if part.startswith("**"))
    assert targets.startswith("**Early signals")
    assert of_runs.startswith("**The same of runs")
