"""Mixers of a user's own on the command line and in suites: named, set, and refused in one line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.complaint import message
from helpers.own_modules import SUITE, standing_in

from attnsearch.cli import main as cli
from attnsearch.spec.run import MixerSpec, RunSpec, settings
from attnsearch.spec.suite import Suite
from attnsearch.training.jax.backend import JaxBackend


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with standing_in(tmp_path, monkeypatch) as folder:
        yield folder


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    with pytest.raises(SystemExit) as stopped:
        cli.main([*arguments, "--json", "--quiet"])
    assert stopped.value.code in (0, None)
    return json.loads(capsys.readouterr().out)


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    out, err = capsys.readouterr()
    assert (stopped.value.code, out) == (2, "")
    assert err.count("\n") == 1
    return err


MINE = ["--mixer", "my_mixers:Mine"]
RUN = ["run", "--task", "linear_map", "--state-size", "2", "--steps", "10", "--width", "8", "--seeds", "1"]
RUN += ["--mlp-width", "8", "--tokens-per-step", "32", "--no-plots"]


@pytest.fixture
def no_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has other tests to run, on the devices that it has."""
    monkeypatch.setattr("attnsearch.training.jax.devices.use_every_core", lambda: None)


def test_settings_are_set_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[RunSpec] = []

    def note(specs: list[RunSpec], *rest: object) -> bool:
        del rest
        asked.extend(specs)
        return True

    monkeypatch.setattr("attnsearch.cli.train.sweep", note)
    more = ["--mixer-set", "depth=1,3", "--mixer-set", "gated=true", "--mixer-set", "kind=fancy"]
    with pytest.raises(SystemExit) as stopped:
        cli.main([*RUN, *MINE, *more])
    assert stopped.value.code in (0, None)
    assert [run.cell.mixer for run in asked] == [
        MixerSpec("my_mixers:Mine", settings({"depth": depth, "gated": True, "kind": "fancy"}))
        for depth in (1, 3)
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["--mixer-set", "dept=1"],
            "no setting 'dept' in mixer my_mixers:Mine. Did you mean depth? Known: depth",
        ),
        (["--mixer-set", "state_size=4"], "no setting 'state_size' in mixer my_mixers:Mine"),
        (["--mixer-set", "depth"], "'depth' is not of the form name=value[,value...]"),
        (["--mixer-set", "=1"], "is not of the form"),
        (["--mixer-set", "depth=1,"], "empty entry"),
        (["--mixer-set", "depth=deep"], "depth 'deep' of mixer my_mixers:Mine is not a whole number"),
        (["--mixer-set", "gated=1"], "gated 1 of mixer my_mixers:Mine is not true or false"),
        (
            ["--mixer", "mlp_mixer", "--expansion", "2", "--mixer-set", "expansion=3"],
            "--expansion or --mixer-set",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_wrong_setting_says_which(
    capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str
) -> None:
    assert expected in complaint(capsys, *RUN, *MINE, *arguments)
    assert not Path("results").exists()


def test_a_mixer_without_settings_has_none(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "my_bare.py").write_text("from attnsearch import Mixer\nclass Bare(Mixer): pass\n")
    text = complaint(capsys, *RUN, "--mixer", "my_bare:Bare", "--mixer-set", "depth=1")
    assert "no setting 'depth' in mixer my_bare:Bare. It has none." in text


def test_mixers_in_place_of_a_suite_s(
    here: Path, capsys: pytest.CaptureFixture[str], no_devices: None
) -> None:
    path = here / "tiny.toml"
    path.write_text(SUITE.format(mixer="attention"))
    plan = ["plan", str(path), "--no-measurement"]
    listed = printed(capsys, *plan, *MINE, "--mixer-set", "depth=1,2")["cohorts"]
    assert [cohort["mixer"] for cohort in listed] == ["my_mixers:Mine"] * 2
    both = printed(capsys, *plan, "--mixer", "mlp_mixer,attention", "--mixer-set", "expansion=2")["cohorts"]
    assert [cohort["mixer"] for cohort in both] == ["mlp_mixer", "attention"]
    assert "--mixer-set needs --mixer" in complaint(capsys, *plan, "--mixer-set", "expansion=2")
    assert "unknown mixer 'mlp'" in complaint(capsys, *plan, "--mixer", "mlp")


def test_a_suite_may_name_one_s_own(here: Path) -> None:
    path = here / "tiny.toml"
    path.write_text(SUITE.format(mixer="my_mixers:Mine") + "depth = [1, 2]\n")
    suite = Suite.read(path, JaxBackend().known_mixers)
    assert [dict(mixer.settings)["depth"] for mixer in suite.mixers] == [1, 2]
    path.write_text(SUITE.format(mixer="my_mixers:Mind"))
    text = message(lambda: Suite.read(path, JaxBackend().known_mixers))
    assert "tiny.toml: [[mixers]] number 1: mixer 'my_mixers:Mind': module my_mixers has no Mind." in text


def test_the_mixers_of_a_suite_may_be_replaced(here: Path) -> None:
    path = here / "tiny.toml"
    path.write_text(SUITE.format(mixer="attention"))
    suite = Suite.read(path, JaxBackend().known_mixers)
    mixer = MixerSpec("mine", settings({"depth": 2}))
    assert suite.reduced(None, {}, [mixer]).mixers == (mixer,)
    assert suite.reduced(None, {}).mixers == suite.mixers
