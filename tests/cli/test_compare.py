"""`attnsearch compare`: mixers, settings and folders beside each other; what cannot be compared is told."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from helpers import made_runs
from helpers.hand_made import run_of, spec_of
from helpers.terminal import attnsearch, complaint

from attnsearch.results.study import Study
from attnsearch.runs.store import StoredRun

PACE = {"attention": 100, "mlp_mixer": 200}


def runs(pace: int = 1, rates: tuple[float, ...] = (1e-3,)) -> list[StoredRun]:
    """Two mixers on two maps, the one twice as fast; at a higher rate all are half as fast."""
    return [
        run_of(
            spec_of(mixer, seed, support_size=support, learning_rate=rate),
            [pace * (1 + (rate > 1e-3)) * PACE[mixer] * support + 10 * seed] * 4,
        )
        for rate in rates
        for support in (1, 2)
        for mixer in PACE
        for seed in range(8)
    ]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return made_runs.stored(tmp_path / "results", runs())


def rows(*arguments: str) -> list[dict[str, str]]:
    done = attnsearch("compare", *arguments, "--format", "csv")
    assert done.status == 0, done.err
    return list(csv.DictReader(io.StringIO(done.out)))


@pytest.mark.usefixtures("folder")
def test_mixers_are_compared_cell_by_cell_and_together() -> None:
    *cells, together = rows("attention", "mlp_mixer")
    assert [cell["support_size"] for cell in cells] == ["1", "2"]
    reported = {
        (dict(one.candidate.spec.task.knobs)["support_size"]): one for one in Study(runs()).comparisons
    }
    for cell in cells:
        # The same numbers as the report's, which has attention as its reference.
        one = reported[int(cell["support_size"])]
        assert float(cell["ratio"]) == one.comparison.ratio
        assert float(cell["ratio_low"]) == one.comparison.low
        assert float(cell["p_value_adjusted"]) == one.p_value
        assert cell["verdict"] == one.verdict == "longer"
        assert "mixer" not in cell
    assert (together["what"], together["verdict"]) == ("together", "longer")
    product = float(cells[0]["ratio"]) * float(cells[1]["ratio"])
    assert float(together["ratio"]) == pytest.approx(product**0.5)


@pytest.mark.usefixtures("folder")
def test_the_table_says_which_side_is_which() -> None:
    done = attnsearch("compare", "attention", "mlp_mixer")
    assert "A is attention, B is mlp_mixer; they differ in mixer" in done.out
    assert "together" in done.out
    assert "8 / 8 seeds" in done.out
    turned = json.loads(attnsearch("compare", "mlp_mixer", "attention", "--format", "json").out)
    assert [row["verdict"] for row in turned["rows"]] == ["shorter"] * 3
    assert "mixer" in turned["differing"]


def test_settings_are_compared_within_each_mixer(tmp_path: Path) -> None:
    made_runs.stored(tmp_path / "rates", runs(rates=(1e-3, 3e-3)))
    where = ("--runs", str(tmp_path / "rates"))
    *cells, _ = rows("learning_rate=0.001", "learning-rate=3e-3", *where)
    assert {(cell["mixer"], cell["support_size"]) for cell in cells} == {
        (mixer, support) for mixer in PACE for support in ("1", "2")
    }
    assert {cell["verdict"] for cell in cells} == {"longer"}
    (one,) = rows(
        "mixer=attention,learning_rate=0.001,support_size=2",
        "mlp_mixer,support_size=2,learning_rate=0.003",
        *where,
    )
    assert one["what"] == "cell"


def test_folders_are_compared_by_equal_cells(folder: Path, tmp_path: Path) -> None:
    slow = made_runs.stored(tmp_path / "slow", runs(pace=2)[:16])
    done = attnsearch("compare", str(folder), str(slow))
    assert done.status == 0
    assert "they differ in their runs alone" in " ".join(done.out.split())
    assert "2 cells of A left out: B has none with the same settings" in done.err


def test_nothing_else_is_on_standard_output_than_what_is_asked_for(folder: Path) -> None:
    few = made_runs.stored(folder.parent / "few", [run_of(spec_of(seed=0), [100] * 4)])
    done = attnsearch("compare", str(few), str(folder / "runs"), "--format", "json")
    document = json.loads(done.out)
    assert document["rows"][0]["verdict"] == "too few data to tell"
    assert any("1 seed is too few" in line for line in document["notes"])
    assert "1 seed is too few" in done.err


@pytest.mark.parametrize(
    ("sides", "told"),
    [
        (("attention", "mlp"), "no run has mixer mlp. Did you mean mlp_mixer?"),
        (("sate_size=4", "attention"), "no run has a setting 'sate_size'. Did you mean state_size or"),
        (("support_size=1", "support_size=7"), "no run has support_size 7. Known: 1, 2."),
        (("attention,support_size=1", "nowhere/"), "no run has mixer nowhere/"),
        (
            ("attention,support_size=1", "mlp_mixer,attention"),
            "no run has all of mlp_mixer,attention",
        ),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_side_that_stands_for_nothing_is_told(sides: tuple[str, str], told: str) -> None:
    assert told in complaint("compare", *sides)


def test_cells_that_have_no_partner_or_several_are_told(tmp_path: Path) -> None:
    made = [
        run_of(spec_of(mixer, seed, steps=steps, **heads), [100] * 4)
        for mixer, steps, heads in (
            ("attention", 400, {"num_heads": 4}),
            ("attention", 400, {"num_heads": 8}),
            ("mlp_mixer", 400, {}),
            ("mlp_mixer", 800, {}),
        )
        for seed in range(4)
    ]
    where = ("--runs", str(made_runs.stored(tmp_path / "heads", made)))
    text = complaint("compare", "attention", "mlp_mixer,steps=400", *where)
    assert "A holds several cells that could be compared with one cell" in text
    assert "they differ in num_heads: choose one of them, as in num_heads=" in text
    assert rows("attention,num_heads=8", "mlp_mixer,steps=400", *where)[0]["what"] == "cell"


def test_sides_without_cells_in_common_are_told(folder: Path, tmp_path: Path) -> None:
    # Each side has both values of something, but never the same of everything.
    one = [run_of(spec_of(seed=0, support_size=s, steps=n), [100] * 4) for s, n in ((1, 400), (2, 800))]
    other = [run_of(spec_of(seed=0, support_size=s, steps=n), [100] * 4) for s, n in ((2, 400), (1, 800))]
    sides = [str(made_runs.stored(tmp_path / name, runs)) for name, runs in (("a", one), ("b", other))]
    text = complaint("compare", *sides)
    assert "no cell of A and B can be compared: even the most alike differ in" in text
