"""The table of early warnings, on made runs with a planted signal and without one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from helpers.hand_made import run_of, spec_of

from attnsearch.results.cells import cells
from attnsearch.runs.store import StoredRun
from benchmarks.early_warning import table


def made(planted: bool) -> list[StoredRun]:
    """Runs whose targets are found after step 200; where planted, their map mass says in which order."""
    random, found = np.random.default_rng(0), []
    for seed in range(16):
        steps = [10 * int(step) for step in random.permutation(np.arange(25, 95))[:4]]
        run = run_of(spec_of("attention", seed), steps, heads=2)
        if planted:
            mass = np.tile(1 / np.array(steps, np.float32), (len(run.maps.step), 1))
            run = replace(run, maps=run.maps._replace(mass=mass))
        found.append(run)
    return found


def line(runs: list[StoredRun], signal: str) -> str:
    (said,) = (row for row in table(cells(runs), [200]).splitlines() if f"| {signal} |" in row)
    return said


def test_a_planted_signal_is_shown() -> None:
    said = line(made(planted=True), "map mass")
    assert said.endswith("| the larger, the sooner |")
    assert said.count("-1.00 (-1.00 to -1.00), 8 runs") == 2


def test_what_tells_nothing_is_not_shown() -> None:
    said = table(cells(made(planted=False)), [200]).splitlines()
    assert len(said) == 2 + 3
    assert all(row.endswith("| not shown |") for row in said[2:])


def test_few_runs_say_so() -> None:
    assert "too few runs | too few runs | not shown" in line(made(planted=True)[:6], "map mass")
