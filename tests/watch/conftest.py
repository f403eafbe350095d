"""Runs of a sweep, and a folder for them."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.hand_made import run_of, spec_of

from attnsearch.runs.store import Store, StoredRun


@pytest.fixture(scope="session")
def runs() -> list[StoredRun]:
    """Two mixers, three seeds each, one with heads; the last never escapes."""
    made = [
        run_of(spec_of(mixer, seed), [100, 150, 200, 300], heads=heads)
        for mixer, heads in (("attention", 3), ("mlp_mixer", 0))
        for seed in range(3)
    ]
    made[-1] = run_of(made[-1].spec, [None] * 4)
    return made


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "results")
