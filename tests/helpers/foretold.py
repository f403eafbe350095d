"""Made runs whose map mass says in which order their targets will be found, or says nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from attnsearch.runs.store import StoredRun
from helpers.hand_made import run_of, spec_of


def foretold(seeds: int = 16, *, planted: bool = True) -> list[StoredRun]:
    """Runs of one cell whose four targets are found between steps 250 and 940."""
    random, found = np.random.default_rng(0), []
    for seed in range(seeds):
        steps = [10 * int(step) for step in random.permutation(np.arange(25, 95))[:4]]
        run = run_of(spec_of("attention", seed), steps, heads=2)
        if planted:
            mass = np.tile(1 / np.array(steps, np.float32), (len(run.maps.step), 1))
            run = replace(run, maps=run.maps._replace(mass=mass))
        found.append(run)
    return found
