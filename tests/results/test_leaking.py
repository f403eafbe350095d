"""A leaking run is shown, and its cell is neither compared nor fitted."""

from __future__ import annotations

import pytest
from helpers.hand_made import run_of, spec_of
from helpers.maps import leaking

from attnsearch.base import AttnsearchError
from attnsearch.results.contrast import contrast
from attnsearch.results.study import Study
from attnsearch.results.tables import run_table, trained_table
from attnsearch.results.warnings import flags
from attnsearch.runs.leaks import LEAK
from attnsearch.runs.leaks import leaking as leaks
from attnsearch.runs.store import StoredRun


def runs(mixer: str, size: int, escape: int) -> list[StoredRun]:
    return [run_of(spec_of(mixer, seed, support_size=size), [escape] * 4) for seed in range(8)]


@pytest.fixture(scope="module")
def made() -> list[StoredRun]:
    """Two mixers on two maps; one run of the second leaks."""
    sound = [*runs("attention", 1, 100), *runs("attention", 2, 200)]
    first, *others = runs("mlp_mixer", 2, 50)
    return [*sound, *runs("mlp_mixer", 1, 100), leaking(first), *others]


def test_it_is_named_wherever_runs_are(made: list[StoredRun]) -> None:
    study = Study(made)
    (warning,) = (line for line in study.warnings if "leak" in line)
    assert warning == (
        "mlp_mixer on linear_map, seed 0, leaks: tokens behind a query moved its answer by 0.25:"
        " it sees the future, and its cell does not count"
    )
    assert flags(study.cells[-1]) == ("⚠ 1 leaking",)
    (place,) = (n for n, heading in enumerate(trained_table(study).columns) if heading == "leaking")
    assert [row[place] for row in trained_table(study).rows] == ["0", "0", "0", "1"]
    rows = run_table(study).rows
    assert ["leaking" in " ".join(row) for row in rows] == [run.leaking for run in made]
    assert [row["leaking"] for row in study.by_run] == [run.leaking for run in made]
    assert [row["later_influence"] for row in study.by_run][24] == 0.25


def test_its_cell_is_neither_compared_nor_fitted(made: list[StoredRun]) -> None:
    study = Study(made)
    (compared,) = study.comparisons
    assert compared.candidate is study.cells[2]
    assert [len(law.cells) for law in study.laws] == [2, 1]
    with pytest.raises(
        AttnsearchError, match=r"^B cannot be compared: mlp_mixer on linear_map, seed 0, leaks"
    ):
        contrast(study.cells[:2], study.cells[2:])


def test_rounding_is_not_a_leak(made: list[StoredRun]) -> None:
    assert not leaks(leaking(made[0], 0.5 * LEAK).maps)
    assert not leaks(leaking(made[0], float("nan")).maps)
    assert leaks(leaking(made[0], 2 * LEAK).maps)
