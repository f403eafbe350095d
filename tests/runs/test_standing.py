"""Whether a mixer's numbers may count: three states, and what a record does not speak of."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.hand_made import run_of, spec_of
from helpers.made_runs import verification

from attnsearch.runs.coverage import verify_command
from attnsearch.runs.lookup import standings
from attnsearch.runs.standing import standing
from attnsearch.runs.store import Store
from attnsearch.runs.verification import Verification
from attnsearch.spec.command import mixer_settings
from attnsearch.spec.run import CellSpec, MixerSpec, settings

CELL = spec_of("attention", num_heads=3).cell
PASSED = verification(CELL.mixer)
FAILED = verification(CELL.mixer, "failed")


def said(*records: Verification, cell: CellSpec = CELL) -> tuple[str, str]:
    found = standing(cell, records)
    assert (found.record is None) == (found.state == "not checked")
    return found.state, found.reason


def test_three_states() -> None:
    assert said() == ("not checked", "has not been checked")
    assert said(PASSED) == ("verified", "is verified on linear_map at width 128")
    assert said(FAILED) == ("failed", "failed verification: construction")
    assert standing(CELL, [FAILED]).failed == ("construction",)
    assert said(replace(PASSED, findings=())) == ("failed", "failed verification: it was asked nothing")


def test_a_sound_mixer_that_does_not_learn_may_count() -> None:
    *others, learning = PASSED.findings
    unable = replace(PASSED, findings=(*others, replace(learning, verdict="failed")))
    reason = "is verified on linear_map at width 128; it did not learn the easiest task"
    assert said(unable) == said(unable, PASSED) == said(PASSED, unable) == ("verified", reason)
    found = standing(CELL, [unable])
    assert (found.failed, found.inability) == ((), "it did not learn the easiest task")
    assert said(unable, FAILED)[0] == "failed"
    assert standing(CELL, [FAILED]).inability is None


def test_other_settings_are_another_mixer() -> None:
    other = replace(PASSED, mixer=MixerSpec("attention", settings({"num_heads": 8, "head_width": None})))
    assert said(other) == ("not checked", "has not been checked with these settings")
    assert said(other, FAILED)[0] == "failed"
    assert said(replace(other, findings=FAILED.findings), PASSED)[0] == "verified"


def test_another_width_is_another_mixer() -> None:
    records = [replace(PASSED, width=width) for width in (64, 32)]
    assert said(*records) == ("not checked", "has not been checked at width 128, only at 32, 64")


def test_a_record_speaks_of_networks_and_sequences_no_larger_than_were_tried() -> None:
    deep = replace(CELL, network=replace(CELL.network, num_layers=6))
    deeper = "has not been checked in networks of 6 layers, only of up to 4"
    assert said(PASSED, cell=deep) == ("not checked", deeper)
    tried = replace(PASSED, max_layers=6)
    assert said(PASSED, tried, cell=deep)[0] == "verified"
    knobs = settings({"state_size": 200, "support_size": 2})
    long = replace(deep, task=replace(CELL.task, knobs=knobs))
    assert said(tried, cell=long) == ("not checked", "has not been checked on 400 tokens, only on up to 256")
    # No record was tried in both.
    assert said(tried, replace(PASSED, max_context=400), cell=long)[0] == "not checked"
    assert said(replace(tried, max_context=400), cell=long)[0] == "verified"
    # What failed in smaller ones is not sound in larger ones.
    assert said(FAILED, cell=long)[0] == "failed"
    asked = " ".join(["attnsearch verify attention", *mixer_settings(CELL.mixer), "--width 128"])
    assert verify_command([CELL]) == asked
    assert verify_command([CELL, deep, long]) == f"{asked} --max-layers 6 --max-context 400"


def test_the_context_of_a_task_whose_code_is_not_known_is_not_compared() -> None:
    other = replace(CELL, task=replace(CELL.task, generator="mine:Generator"))
    assert said(PASSED, cell=other)[0] == "verified"
    broken = replace(CELL, task=replace(CELL.task, knobs=settings({"state_size": "many"})))
    assert said(PASSED, cell=broken)[0] == "verified"


def test_the_task_of_the_cell_counts_before_others() -> None:
    elsewhere = replace(FAILED, task="mine")
    assert said(PASSED, elsewhere)[0] == "verified"
    assert said(elsewhere)[0] == "failed"
    mine = replace(CELL, task=replace(CELL.task, name="mine"))
    assert said(PASSED, elsewhere, cell=mine)[0] == "failed"
    assert said(PASSED, cell=mine) == ("verified", "is verified on linear_map at width 128")


def test_a_failed_record_counts_before_a_passed_one() -> None:
    assert said(PASSED, FAILED)[0] == said(FAILED, PASSED)[0] == "failed"


def test_fewer_checks_than_today_are_not_enough() -> None:
    assert said(replace(PASSED, findings=PASSED.findings[:-1])) == (
        "not checked",
        "has not been checked for learning",
    )


def test_an_edit_of_a_helper_makes_the_record_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from attnsearch.runs.sources import sources

    monkeypatch.chdir(tmp_path)
    # Other tests import modules that are called so.
    for module in ("my_mixers", "my_helper"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    (tmp_path / "my_mixers.py").write_text("from my_helper import mask\n")
    (tmp_path / "my_helper.py").write_text("mask = 1\n")
    code = sources({"my_mixers": tmp_path / "my_mixers.py"})
    record = replace(PASSED, sources=tuple(code.items()))
    assert said(record)[0] == "verified"
    (tmp_path / "my_helper.py").write_text("mask = 0\n")
    stale = ("not checked", "has not been checked since the code of my_helper changed")
    assert said(record) == said(replace(record, findings=FAILED.findings)) == stale
    # A newer record, on another task, speaks for the code as it is.
    assert said(record, replace(PASSED, task="mine"))[0] == "verified"
    (tmp_path / "my_helper.py").unlink()
    (state, reason) = said(record)
    assert state == "not checked"
    assert reason == "has not been checked here: its module my_helper is not found from this folder"


def test_records_are_found_beside_the_runs_in_the_default_store_and_in_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = run_of(replace(spec_of("attention", num_heads=3), cell=CELL), [100] * 4)
    Store.open(tmp_path / "mine").save(run)
    names = [str(tmp_path / "mine")]
    assert standings(names)(CELL).state == "not checked"
    PASSED.save(Path("results"))
    assert standings(names)(CELL).state == "verified"
    FAILED.save(tmp_path / "mine")
    assert standings(names)(CELL).state == "failed"
    assert standings([str(next((tmp_path / "mine" / "runs").iterdir()))])(CELL).state == "failed"
