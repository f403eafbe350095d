"""The table of laws, of made runs."""

from __future__ import annotations

from pathlib import Path

from helpers.ladder import LADDER
from helpers.made_runs import ATTENTION, runs, suite

from attnsearch.results.study import Study
from benchmarks.family_laws import page


def test_a_row_is_a_law_of_cells_with_enough_runs(tmp_path: Path) -> None:
    asked = suite(tmp_path, LADDER)
    lines = page(Study(runs(asked, ATTENTION)), ["state_size", "num_pairs"]).splitlines()
    rows = [[text.strip() for text in line.split("|")[1:-1]] for line in lines if line.startswith("| linear")]
    # Runs grow fourfold with each bit. The seeds by which the learning rate is chosen are too few for a row.
    bits = next(row for row in rows if row[3] == "added bit")
    assert bits[:3] == ["linear\\_map", "attention", "0.003"]
    assert (bits[4], bits[8]) == ("2.0", "–")
    low, high = bits[7].split("; ")[1].split(" to ")
    assert float(low) < 4 < float(high)
    # Support size 2 alone has two state sizes in which runs escape. No cell has pairs.
    (doubled,) = (row for row in rows if row[3] != "added bit")
    assert doubled[3:6] == ["doubling of state size, support size 2", "4", "8"]
    assert float(doubled[8].split(";")[0]) > 0
