"""The record of a verification: what is stored is what is found, and what is damaged proves nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from attnsearch.base import AttnsearchError
from attnsearch.runs.verification import CHECKS, Finding, Verification, path, read, records
from attnsearch.spec.run import MixerSpec, settings

MIXER = MixerSpec("my.mixers:Mine", settings({"heads": 4, "scale": 1.5, "gated": False, "width": None}))
PASSED = Finding("causality", "no output moves", "passed", "moved by 0")
FAILED = Finding("gradients", "every parameter is reached", "failed", "none reaches [spare]")
NOT_RUN = Finding("learning", "it learns", "not run", "it cannot be built")
SOUND = Verification(MIXER, "linear_map", 128, 4, 256, (PASSED, PASSED), (("my.mixers", "ab" * 32),), "0.1.0")
REFUSED = replace(SOUND, findings=(PASSED, FAILED, NOT_RUN))


def test_a_mixer_passes_where_every_check_does() -> None:
    assert SOUND.passed
    assert SOUND.refused_by == ()
    assert not REFUSED.passed
    assert REFUSED.refused_by == ("gradients", "learning")
    assert not replace(SOUND, findings=(PASSED, NOT_RUN)).passed
    assert not replace(SOUND, findings=()).passed


def test_what_a_mixer_can_do_is_another_verdict() -> None:
    assert (SOUND.sound, SOUND.inability) == (True, None)
    assert not REFUSED.sound
    for verdict, words in (
        ("failed", "it did not learn the easiest task"),
        ("not run", "its training on the easiest task broke off"),
    ):
        unable = replace(SOUND, findings=(PASSED, replace(NOT_RUN, verdict=verdict)))
        assert (unable.passed, unable.sound, unable.inability) == (False, True, words)
    # A mixer that was asked for nothing else may be anything.
    assert not replace(SOUND, findings=(replace(NOT_RUN, verdict="passed"),)).sound
    assert not replace(SOUND, findings=()).sound


@pytest.mark.parametrize(
    "record",
    [SOUND, REFUSED, replace(SOUND, findings=(PASSED, NOT_RUN))],
    ids=["sound", "refused", "unable"],
)
def test_what_is_stored_is_found(tmp_path: Path, record: Verification) -> None:
    file = record.save(tmp_path)
    assert file == path(tmp_path, record)
    assert file.parent == tmp_path / "verified"
    assert file.name.startswith("my.mixers-Mine-")
    assert records(tmp_path, MIXER.name) == [record]
    assert read(file) == record
    assert [other.name for other in file.parent.iterdir()] == [file.name]


def test_the_last_one_counts(tmp_path: Path) -> None:
    SOUND.save(tmp_path)
    REFUSED.save(tmp_path)
    assert records(tmp_path, MIXER.name) == [REFUSED]


def test_records_of_one_mixer_lie_beside_each_other(tmp_path: Path) -> None:
    other = replace(SOUND, mixer=MixerSpec(MIXER.name, settings({"heads": 8})))
    mine = [SOUND, other, replace(SOUND, width=64), replace(REFUSED, task="mine")]
    for record in [*mine, replace(SOUND, mixer=replace(MIXER, name="my.mixers-Mine"))]:
        record.save(tmp_path)
    found = records(tmp_path, MIXER.name)
    assert len(found) == len(mine)
    assert all(record in found for record in mine)
    assert records(tmp_path / "elsewhere", MIXER.name) == []


def edited(**values: object) -> Callable[[bytes], bytes]:
    return lambda content: json.dumps({**json.loads(content), **values}).encode()


def without(key: str) -> Callable[[bytes], bytes]:
    def cut(content: bytes) -> bytes:
        document = json.loads(content)
        del document[key]
        return json.dumps(document).encode()

    return cut


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-20],
        lambda content: b"",
        lambda content: b"[]",
        lambda content: b"\xff\xfe",
        edited(format_version=1),
        edited(passed=True),
        edited(checks=[{"check": "causality"}]),
        edited(checks=[{"check": "c", "proves": "p", "verdict": "perhaps", "evidence": "e"}]),
        edited(mixer={"name": "attention", "settings": {}}),
        edited(sources=["my.mixers"]),
        edited(width="wide"),
        *(without(key) for key in REFUSED.to_json() if key != "passed"),
    ],
)
def test_what_is_damaged_proves_nothing(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    file = REFUSED.save(tmp_path)
    file.write_bytes(damage(file.read_bytes()))
    assert records(tmp_path, MIXER.name) == []


def test_a_damaged_one_is_named_when_it_is_read(tmp_path: Path) -> None:
    file = SOUND.save(tmp_path)
    file.write_text("{")
    with pytest.raises(
        AttnsearchError, match=r"cannot read the verification .*my.mixers-Mine.*json: "
    ) as caught:
        read(file)
    assert len(str(caught.value).splitlines()) == 1


def test_where_nothing_can_be_written_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "verified").write_text("in the way")
    with pytest.raises(AttnsearchError, match=r"cannot write .*: .*; choose another place"):
        SOUND.save(tmp_path)


def test_the_checks_are_those_that_are_asked() -> None:
    from attnsearch.probing import checks

    assert [check.name for check in checks.CHECKS] == list(CHECKS)
