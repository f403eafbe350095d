"""The exit status of the gate: 1 means a regression, and nothing else does."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest
from helpers.checks import made
from helpers.terminal import Outcome, attnsearch

from attnsearch.gate.baseline import Baseline
from attnsearch.gate.baseline_file import write
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import RunSpec
from attnsearch.spec.suite import Suite

SUITE = """\
name = "s[/b]"
title = "Tiny"
source = "nowhere"
seeds = 8

[[tasks]]
task = "linear_map"
state_size = 4
support_size = 1

[[mixers]]
mixer = "{mixer}"

[training]
steps = 1000
width = 32
mlp_width = 32
"""

MIXER = """\
import sys
from attnsearch.mixers import Mixer

class Mine(Mixer):
    def __call__(self, x):
        {does}

    def __init__(self, width, context_length, *, rngs):
        pass
"""

Check = Callable[..., Outcome]


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """`attnsearch check` of a suite, against made runs of it, in a folder
    and a file with brackets in their names."""
    folder = tmp_path / "a[/b]"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)

    def checked(*arguments: str, mixer: str = "attention", baseline: str = "") -> Outcome:
        Path("[bold].toml").write_text(SUITE.format(mixer=mixer), encoding="utf-8")
        settings = {"num_heads": 16, "head_width": None} if mixer == "attention" else {}
        specs = Suite.read(Path("[bold].toml"), {mixer: settings}).runs()
        write(Baseline.of("s[/b]", [made(spec) for spec in specs]), Path("[red].json"))
        named = baseline or str(folder / "[red].json")
        return attnsearch("check", str(folder / "[bold].toml"), "--baseline", named, *arguments)

    return checked


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[RunSpec], StoredRun]], None]:
    """Says how runs are trained."""

    def by(how: Callable[[RunSpec], StoredRun]) -> None:
        def run(specs: Sequence[RunSpec], *others: object) -> list[StoredRun]:
            return [how(spec) for spec in specs]

        monkeypatch.setattr("attnsearch.training.runner.run", run)

    return by


def slow(spec: RunSpec) -> StoredRun:
    return made(spec, slowdown=4.0)


def test_names_and_paths_with_brackets_are_text(check: Check, trained: Callable[..., None]) -> None:
    trained(made)
    done = check()
    assert (done.status, done.err) == (0, "")
    assert "pass: the curves of all 4 runs equal the recorded ones bit for bit" in done.out
    assert "s[/b] against " in done.out
    trained(slow)
    done = check()
    assert (done.status, done.err) == (1, "")
    assert "regression: " in done.out


def test_a_regression_that_cannot_be_told_is_a_failure(
    check: Check, trained: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(slow)

    def full(*arguments: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("click.echo", full)
    monkeypatch.setattr("attnsearch.cli.output.note", lambda line: None)
    assert check("--json").status == 4
    assert check().status == 4


@pytest.mark.parametrize(
    ("does", "reason"),
    [
        ("raise ValueError('no [/b] today')", "no [/b] today"),
        ("return 1", "returned a int"),
    ],
)
def test_a_mixer_that_cannot_be_called_is_a_failure(
    check: Check, monkeypatch: pytest.MonkeyPatch, does: str, reason: str
) -> None:
    Path("broken_mixer.py").write_text(MIXER.format(does=does))
    monkeypatch.delitem(sys.modules, "broken_mixer", raising=False)
    done = check("--junit", "j.xml", "--quiet", mixer="broken_mixer:Mine")
    assert (done.status, done.err) == (4, "")
    assert re.fullmatch(rf"failed: mixer Mine .*{re.escape(reason)}.*\n", done.out)
    assert ElementTree.parse("j.xml").getroot().get("errors") == "1"


def test_a_mixer_that_ends_the_process_is_a_failure(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("broken_mixer.py").write_text(MIXER.format(does="sys.exit(1)"))
    monkeypatch.delitem(sys.modules, "broken_mixer", raising=False)
    done = check("--quiet", mixer="broken_mixer:Mine")
    assert (done.status, done.out) == (4, "")
    assert done.err.startswith("attnsearch: unexpected error: RuntimeError: some code called sys.exit(1)\n")


@pytest.mark.parametrize("change", ["nested", "length"])
def test_a_baseline_that_cannot_be_read_is_the_user_s(check: Check, change: str) -> None:
    check("--tolerance", "0")
    text = Path("[red].json").read_text()
    if change == "nested":
        text = "[" * 100_000 + "]" * 100_000
    else:
        text = re.sub(r'"plateau_length": \d+', f'"plateau_length": {10**30}', text)
    Path("bad[bold].json").write_text(text)
    done = check(baseline="bad[bold].json")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("attnsearch: bad[bold].json: ")
    assert done.err.count("\n") == 1


def test_a_verdict_is_told_where_its_files_cannot_be_written(
    check: Check, trained: Callable[..., None]
) -> None:
    trained(slow)
    Path("file").touch()
    done = check("--junit", "file/j.xml")
    assert done.status == 2
    assert "regression: " in done.out
    assert "file/j.xml" in done.err
