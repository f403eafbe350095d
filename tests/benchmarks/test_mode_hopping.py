"""The table of hops, of made runs."""

from __future__ import annotations

import runpy
from pathlib import Path

from helpers import made_runs
from helpers.contested import hopping_run
from helpers.hand_made import run_of, spec_of
from helpers.pages import DOCS


def test_each_run_on_whose_task_routes_compete_has_a_row(tmp_path: Path) -> None:
    plain = run_of(spec_of(seed=7), [100, 110, 120, None])
    made_runs.stored(tmp_path, [hopping_run(0), hopping_run(1), plain])
    script = runpy.run_path(str(DOCS.parent / "benchmarks" / "mode_hopping.py"))
    *_, first, second = script["page"](tmp_path).splitlines()
    assert "seed 0 | 70 % | 30 % | 0 % | 1 | 1.00 | 700+ | 100 % | 0.00 | 0.90 |" in first
    assert "seed 1 |" in second
