"""Two folders of the same runs, of made runs."""

from __future__ import annotations

from pathlib import Path

from helpers.made_runs import ATTENTION, run, runs, suite

from attnsearch.results.cells import plateau_of
from benchmarks.same_runs import page


def test_runs_are_paired_by_their_digests_and_differences_are_told(tmp_path: Path) -> None:
    here = runs(suite(tmp_path), ATTENTION)[:3]
    there = [run(here[0].spec, 50), run(here[1].spec, 90)]
    moved = [
        abs(int(plateau_of(two).length[0] - plateau_of(one).length[0]))
        for one, two in zip(here, there, strict=False)
    ]
    (row,) = (line for line in page(here, there).splitlines() if line.startswith("| cpu"))
    texts = [text.strip() for text in row.split("|")[1:-1]]
    assert texts[:3] == ["cpu, jax 0.8.0", "cpu, jax 0.8.0", "2"]
    assert texts[3:5] == [str(moved.count(0)), str(max(moved))]
    (same,) = (line for line in page(here, here).splitlines() if line.startswith("| cpu"))
    assert [text.strip() for text in same.split("|")[3:-1]] == ["3", "3", "0", "0", "0"]
