"""The record of a verification: what is stored is what is found, and what is damaged proves nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from attnsearch.base import AttnsearchError
from attnsearch.runs.verification import CHECKS, Finding, Verification, find, path, read
from attnsearch.spec.run import MixerSpec, settings

MIXER = MixerSpec("my.mixers:Mine", settings({"heads": 4, "scale": 1.5, "gated": False, "width": None}))
PASSED = Finding("causality", "no output moves", "passed", "moved by 0")
FAILED = Finding("gradients", "every parameter is reached", "failed", "none reaches [spare]")
NOT_RUN = Finding("learning", "it learns", "not run", "it cannot be built")
SOUND = Verification(MIXER, "linear_map", 128, (PASSED, PASSED), "ab" * 32, "0.1.0")
REFUSED = replace(SOUND, findings=(PASSED, FAILED, NOT_RUN))


def test_a_mixer_passes_where_every_check_does() -> None:
    assert SOUND.passed
    assert SOUND.refused_by == ()
    assert not REFUSED.passed
    assert REFUSED.refused_by == ("gradients", "learning")
    assert not replace(SOUND, findings=(PASSED, NOT_RUN)).passed
    assert not replace(SOUND, findings=()).passed


@pytest.mark.parametrize("record", [SOUND, REFUSED], ids=["sound", "refused"])
def test_what_is_stored_is_found(tmp_path: Path, record: Verification) -> None:
    file = record.save(tmp_path)
    assert file == path(tmp_path, MIXER)
    assert file.parent == tmp_path / "verified"
    assert file.name.startswith("my.mixers-Mine-")
    assert find(tmp_path, MIXER) == record
    assert read(file) == record
    assert [other.name for other in file.parent.iterdir()] == [file.name]


def test_the_last_one_counts(tmp_path: Path) -> None:
    SOUND.save(tmp_path)
    REFUSED.save(tmp_path)
    assert find(tmp_path, MIXER) == REFUSED


@pytest.mark.parametrize("other", [{"heads": 8}, {"heads": 4, "more": 1}, {}])
def test_other_settings_are_another_mixer(tmp_path: Path, other: dict[str, Any]) -> None:
    SOUND.save(tmp_path)
    assert find(tmp_path, MixerSpec(MIXER.name, settings(other))) is None
    assert find(tmp_path, replace(MIXER, name="my.mixers-Mine")) is None
    assert find(tmp_path / "elsewhere", MIXER) is None


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
        edited(format_version=2),
        edited(passed=True),
        edited(checks=[{"check": "causality"}]),
        edited(checks=[{"check": "c", "proves": "p", "verdict": "perhaps", "evidence": "e"}]),
        edited(mixer={"name": "attention", "settings": {}}),
        *(without(key) for key in REFUSED.to_json() if key != "passed"),
    ],
)
def test_what_is_damaged_proves_nothing(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    file = REFUSED.save(tmp_path)
    file.write_bytes(damage(file.read_bytes()))
    assert find(tmp_path, MIXER) is None


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
