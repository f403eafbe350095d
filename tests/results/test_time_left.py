"""The time that is left is an estimate with its range, learnt from runs of the cell that have ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import made_runs
from helpers.hand_made import run_of, spec_of

from attnsearch.cli.observers import PlainProgress
from attnsearch.cli.work import Work
from attnsearch.results.time_left import Ends, TimeLeft
from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec.run import CellSpec, RunSpec
from attnsearch.training.observer import Progress

SPECS = [spec_of(seed=seed, steps=10_000) for seed in range(40)]
CELL = SPECS[0].cell
RATE = {CELL: 100.0}


def ended(specs: Sequence[RunSpec], steps: Sequence[int]) -> list[StoredRun]:
    """Runs that mastered so that they end at these steps."""
    return [run_of(spec, [step - 30] * 4) for spec, step in zip(specs, steps, strict=True)]


def left(
    stored: Sequence[StoredRun],
    running: Mapping[RunSpec, int],
    waiting: int,
    lanes: int = 1,
    rates: Mapping[CellSpec, float] = RATE,
) -> TimeLeft:
    found = Ends(stored).time_left(running, Counter({CELL: waiting} if waiting else {}), rates, lanes)
    assert found is not None
    return found


def test_of_a_cell_that_is_not_known_the_range_is_wide_and_within_the_budget() -> None:
    found = left([], {SPECS[0]: 1_000}, 0)
    assert 0 < found.low < found.middle < found.high <= 90
    # The first steps do not say "all of the budget": what is likeliest is much less.
    fresh = left([], {SPECS[0]: 10}, 0)
    assert fresh.middle < 30
    # Runs of one cell are slow together, so that more of them do not make the range narrower.
    many = left([], {}, 16)
    assert many.high / many.low > 8


def test_ended_runs_of_the_cell_narrow_it() -> None:
    steps = [int(step) for step in (*range(900, 1_100, 10), *range(900, 1_100, 10))]
    widths = []
    for known in (0, 2, 8, 32):
        found = left(ended(SPECS[:known], steps[:known]), {}, 8)
        widths.append(found.high - found.low)
    assert widths == sorted(widths, reverse=True)
    known = left(ended(SPECS[:32], steps[:32]), {}, 8)
    assert known.low <= 80 <= known.high
    assert known.middle == pytest.approx(80, rel=0.15)


def test_what_a_run_has_trained_already_counts() -> None:
    stored = ended(SPECS[:30], [1_000] * 30)
    assert left(stored, {SPECS[31]: 900}, 0).middle == pytest.approx(1, rel=0.01)
    # A run that has passed all ends that are known may last to its budget.
    assert 10 < left(stored, {SPECS[31]: 1_500}, 0).high <= 85


def test_lanes_share_the_work_but_no_run() -> None:
    stored = ended(SPECS[:30], [1_000] * 30)
    alone, shared = left(stored, {}, 8), left(stored, {}, 8, lanes=4)
    assert shared.middle == pytest.approx(alone.middle / 4, rel=0.1)
    assert left(stored, {}, 1, lanes=64).middle == left(stored, {}, 1).middle


def test_a_run_without_early_stopping_takes_its_budget() -> None:
    cell = replace(CELL, budget=replace(CELL.budget, early_stopping=False))
    spec = RunSpec(cell, 0, 0)
    found = Ends().time_left({spec: 4_000}, Counter({cell: 2}), {cell: 100.0}, 1)
    assert found == TimeLeft(260, 260, 260)
    assert str(found) == "about 4 min left"


def test_a_cell_without_a_speed_is_as_fast_as_others() -> None:
    other = spec_of(state_size=8, support_size=2, steps=10_000).cell
    known = left([], {}, 4, rates={CELL: 50.0})
    assert left([], {}, 4, rates={other: 50.0}) == known
    assert Ends().time_left({}, Counter({CELL: 1}), {}, 1) is None


def test_it_is_told_with_its_range() -> None:
    assert str(TimeLeft(60, 240, 900)) == "about 4 min left (60 s to 15 min)"
    assert str(TimeLeft(179, 180, 181)) == "about 3 min left"


def test_many_runs_are_estimated_in_a_moment() -> None:
    cells = [spec_of(width=width).cell for width in range(16, 16 * 201, 16)]
    waiting = Counter(dict.fromkeys(cells, 500))
    found = Ends().time_left({}, waiting, {cells[0]: 1_000.0}, 64)
    assert found is not None
    # 100,000 runs of 10 to 1,000 steps on 64 lanes at 1,000 steps/s.
    assert 100 < found.low < found.high < 1_600


def test_work_learns_from_stored_runs_and_from_those_that_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("attnsearch.cli.work.time.monotonic", lambda: now)
    stored, specs = ended(SPECS[:30], [1_000] * 30), SPECS[30:32]
    work = Work(specs, stored)
    assert work.describe() == "0 of 2 runs done, 0 running, 2 pending"
    for step in range(10, 510, 10):
        now += 0.1
        work.advanced([Progress(specs[0], step, 0.69, 0.693, 0, 4, 100.0)], 1)
    # One run at step 500 of 1,000, another to come: 1,500 steps at 100 a second.
    assert "about 15 s left" in work.describe()
    now += 5
    work.finished(ended(specs[:1], [1_000])[0])
    assert "1 of 2 runs done, 0 running, 1 pending" in work.describe()
    assert "about 10 s left" in work.describe()
    work.finished(ended(specs[1:], [1_000])[0])
    assert "left" not in work.describe()


def test_runs_of_other_seeds_in_the_folder_tell_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("attnsearch.cli.observers.PLAIN_INTERVAL", 0.0)
    stored = Store(made_runs.stored(tmp_path, ended(SPECS[2:20], [1_000] * 18)))
    said = []
    for store in (None, stored):
        tell = PlainProgress(store)
        tell.planned(SPECS[:1], [])
        for step in (100, 110):
            tell.advanced([Progress(SPECS[0], step, 0.69, 0.693, 0, 4, 100.0)], 1)
        # How far four futures of five lie apart.
        found = tell._work._estimate  # pyright: ignore[reportPrivateUsage]
        assert found is not None
        said.append(found.high / found.low)
        assert f"{found} | " in capsys.readouterr().err
    unknown, known = said
    assert known < unknown / 4
