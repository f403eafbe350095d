"""What the arguments of a leaderboard stand for: entries, folders of them, and stored runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from helpers.ladder import SLOW, only
from helpers.made_runs import ATTENTION, MINE, run, stored, verification

from attnsearch.base import AttnsearchError
from attnsearch.leaderboard.board import board
from attnsearch.leaderboard.candidates import LeftOut, gather, given
from attnsearch.leaderboard.entry import Entry
from attnsearch.leaderboard.entry_file import written
from attnsearch.runs.store import StoredRun
from attnsearch.runs.verification import read as read_record
from attnsearch.spec.run import MixerSpec
from attnsearch.spec.suite import Suite


def test_stored_runs_make_a_candidate_for_each_mixer(
    ladder: Suite, made: dict[MixerSpec, list[StoredRun]], tmp_path: Path
) -> None:
    verification(MINE).save(tmp_path / "one")
    # A record at another width says nothing of these runs.
    replace(verification(MINE, "failed"), width=64).save(tmp_path / "two")
    # Those of one mixer may lie in several stores.
    stored(tmp_path / "one", [*made[MINE][:30], *made[ATTENTION]])
    stored(tmp_path / "two", made[MINE][30:])
    stray = made[SLOW][0]
    shorter = replace(stray.spec.cell, budget=replace(stray.spec.cell.budget, steps=200))
    stored(tmp_path / "two", [run(replace(stray.spec, cell=shorter), 50)])
    candidates, left_out = gather(given([str(tmp_path / "one"), str(tmp_path / "two")]), [ladder])
    assert {one.source for one in candidates} == {"stored runs"}
    assert left_out == [LeftOut("1 stored run of slow", "another budget: steps 200 instead of 1000")]
    family = only(board([ladder], candidates, left_out))
    assert [(row.name, row.rank) for row in family.ranked] == [(MINE.name, 1)]
    assert [(row.name, row.reasons) for row in family.apart] == [("attention", ("has not been checked",))]


def test_what_cannot_be_read_is_left_out_with_the_reason(
    ladder: Suite, made: dict[MixerSpec, list[StoredRun]], tmp_path: Path
) -> None:
    stored(tmp_path, made[SLOW][:2])
    (first, *_) = sorted((tmp_path / "runs").iterdir())
    (first / "run.json").write_text("{}")
    candidates, left_out = gather(given([str(tmp_path)]), [ladder])
    assert len(candidates) == 1
    assert [one.what for one in left_out] == ["a stored run"]
    assert "run.json" in left_out[0].reason
    # Nothing of it can be shown, for nothing was scored.
    shown = board([ladder], candidates, left_out)
    assert only(shown).rows == ()
    assert shown.left_out[-1].what == "slow"
    assert shown.left_out[-1].reason.startswith("15 of 16 selection runs are missing")


def test_a_folder_of_entries_is_every_entry_in_it(
    ladder: Suite, entries: dict[str, Entry], tmp_path: Path
) -> None:
    (tmp_path / "README.md").write_text("no entry")
    (tmp_path / "entry.schema.json").write_text("{}")
    (tmp_path / "b.json").write_text(written(entries["slow"]))
    (tmp_path / "a.json").write_text(written(entries["attention"]))
    newer = written(entries["slow"]).replace('"format_version": 3', '"format_version": 4', 1)
    (tmp_path / "c.json").write_text(newer)
    candidates, left_out = gather(given([str(tmp_path), str(tmp_path / "b.json")]), [ladder])
    assert [one.source for one in candidates] == ["a.json", "b.json", "b.json"]
    (one,) = left_out
    assert one.what == "c.json"
    assert one.reason.endswith("format_version 4, expected 3")


def test_names_that_look_like_others_are_shown_as_what_they_are(
    ladder: Suite, made: dict[MixerSpec, list[StoredRun]], entries: dict[str, Entry], tmp_path: Path
) -> None:
    alike = MixerSpec("\u0251ttention", ATTENTION.settings)
    cell = replace(made[ATTENTION][0].spec.cell, mixer=alike)
    one = made[ATTENTION][0]
    stored(tmp_path / "store", [one, replace(one, spec=replace(one.spec, cell=cell))])
    (tmp_path / "attenti\u043en.json").write_text(written(entries["attention"]))
    candidates, left_out = gather(
        given([str(tmp_path / "store"), str(tmp_path / "attenti\u043en.json")]), [ladder]
    )
    assert [one.source for one in candidates] == [r"attenti\u043en.json", "stored runs"]
    assert left_out == [
        LeftOut(
            r"stored runs of \u0251ttention",
            r"the name '\u0251ttention' holds \u0251 (LATIN SMALL LETTER ALPHA) as letter 1:"
            " write names in ASCII, so that none looks like another",
        )
    ]
    # Nor does the record of such a mixer count.
    replace(verification(alike), sources=()).save(tmp_path)
    with pytest.raises(AttnsearchError, match="LATIN SMALL LETTER ALPHA"):
        read_record(next((tmp_path / "verified").iterdir()))


def test_one_that_is_not_sound_stops_everything(
    ladder: Suite, entries: dict[str, Entry], tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_text(written(entries["attention"]))
    (tmp_path / "b.json").write_text(written(entries["slow"]).replace('"mastered"', '"exhausted"', 1))
    with pytest.raises(
        AttnsearchError, match=r"b\.json: selection\[\d+\]\.runs\[\d+\]: status exhausted does not"
    ):
        gather(given([str(tmp_path)]), [ladder])


def test_a_name_that_stands_for_nothing_is_refused(ladder: Suite, tmp_path: Path) -> None:
    with pytest.raises(AttnsearchError, match="holds neither stored runs nor entries, files that end in"):
        gather(given([str(tmp_path)]), [ladder])
    with pytest.raises(AttnsearchError, match="does not stand for stored runs"):
        gather(given([str(tmp_path / "gone")]), [ladder])
