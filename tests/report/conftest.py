"""Hand-made runs, and the report of them."""

from __future__ import annotations

import pytest
from helpers.hand_made import run_of, spec_of
from helpers.page import Page

from attnsearch.report.report import report
from attnsearch.results.study import Study
from attnsearch.runs.store import StoredRun


@pytest.fixture(scope="session")
def runs() -> list[StoredRun]:
    """Two sizes, two mixers, eight seeds; some never escape, one diverges."""
    made = []
    for support in (1, 2):
        for mixer, pace in (("attention", 100), ("mlp_mixer", 200)):
            for seed in range(8):
                spec = spec_of(mixer, seed, support_size=support)
                first = pace * support + 10 * seed
                found: list[int | None] = [first, first + 20, first + 50, None if seed == 3 else first + 90]
                made.append(run_of(spec, found, heads=3 if mixer == "attention" else 0))
    spec = made[-1].spec
    made[-1] = run_of(spec, [None] * 4, diverges=120)
    made[-2] = run_of(made[-2].spec, [None] * 4)
    return made


@pytest.fixture(scope="session")
def page(runs: list[StoredRun]) -> Page:
    return Page(report(Study(runs)))
