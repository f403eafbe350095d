"""docs/add-a-mixer.md does what it says: its classes, its commands, its Python, and the errors it quotes."""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.own_modules import describe
from helpers.pages import Page

from attnsearch.base import AttnsearchError
from attnsearch.cli import main as cli
from attnsearch.cli.verify import verify as verify_command
from attnsearch.mixers import MIXERS, Mixer
from attnsearch.probing import networks, verify
from attnsearch.probing.checks import CHECKS
from attnsearch.probing.jax_framework import JaxFramework
from attnsearch.probing.subject import Subject
from attnsearch.spec import plugins
from attnsearch.spec.run import MixerSpec, RunSpec, settings
from attnsearch.spec.task_file import find_task
from attnsearch.training.jax.backend import JaxBackend

PAGE = Page("add-a-mixer.md")
EXAMPLE, TEMPLATE, IN_PYTHON = PAGE.code("python")

QUICK = [check for check in CHECKS if check.name in ("construction", "queries", "causality when perturbed")]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of whoever follows the page."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr("attnsearch.training.jax.devices.use_every_core", lambda: None)
    # Of whole networks the one of two layers, in which most leaks show.
    every = networks.forms
    monkeypatch.setattr(
        networks, "forms", lambda *lengths: tuple(form for form in every(*lengths) if form.num_layers == 2)
    )
    (tmp_path / "my_mixers.py").write_text(EXAMPLE)
    (tmp_path / "my_template.py").write_text(TEMPLATE)
    yield tmp_path
    for name in ("my_mixers", "my_template"):
        sys.modules.pop(name, None)


def subject(mixer: MixerSpec, width: int) -> Subject:
    return Subject(mixer, find_task("linear_map"), JaxFramework(JaxBackend()), width)


def test_the_example_has_ten_lines() -> None:
    lines = [line for line in EXAMPLE.splitlines() if line and not line.startswith(("import", "from"))]
    assert len(lines) == 10


def test_the_command_makes_the_grid_that_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[RunSpec] = []
    monkeypatch.setattr("attnsearch.cli.train.sweep", lambda specs, *rest: asked.extend(specs) or True)
    command, _ = PAGE.commands
    assert command[0] == "run"
    with pytest.raises(SystemExit) as stopped:
        cli.main(command)
    assert stopped.value.code in (0, None)
    mixers = {(run.cell.mixer.name, dict(run.cell.mixer.settings).get("heads")) for run in asked}
    assert mixers == {("my_mixers:Triangle", 2), ("my_mixers:Triangle", 4), ("attention", None)}
    assert len(asked) == 3 * 2
    assert len(JaxBackend().cohorts(asked)) == 3


def test_the_example_may_count(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # All that is asked is asked of the built-in mixers, in test_verify: here what is quick to ask.
    examine = verify.examine
    monkeypatch.setattr(verify, "examine", lambda subject: examine(subject, QUICK))
    _, (name, *arguments) = PAGE.commands
    assert name == "verify"
    assert verify_command.main([*arguments, "--width", "32", "--quiet"], standalone_mode=False) == 0
    assert len(list((here / "results" / "verified").glob("my_mixers-Triangle-*.json"))) == 1


def test_the_template_may_count() -> None:
    spec = MixerSpec("my_template:Template", settings({"expansion": 2}))
    for finding in verify.examine(subject(spec, width=32), QUICK):
        assert finding.verdict == "passed", f"{finding.check}: {finding.evidence}"


def test_the_python_of_the_page_runs(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(here)
    exec(compile(IN_PYTHON, "docs/add-a-mixer.md", "exec"), {})
    assert capsys.readouterr().out.startswith("Waiting(runs=2, ")
    assert len(list((here / "results" / "runs").iterdir())) == 2


def test_the_entry_point_is_one(here: Path) -> None:
    (snippet,) = PAGE.code("toml")
    ((group, points),) = tomllib.loads(snippet)["project"]["entry-points"].items()
    describe(here, group, points)
    assert plugins.find("triangle", MIXERS, Mixer).__name__ == "Triangle"


@pytest.mark.parametrize(("command", "expected"), PAGE.quoted, ids=[command for command, _ in PAGE.quoted])
def test_an_error_is_the_one_that_is_quoted(
    command: str, expected: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(shlex.split(command))
    assert stopped.value.code == 2
    assert capsys.readouterr().err == expected.replace("/home/you", str(here)) + "\n"


def test_a_wrong_shape_is_refused_as_quoted(here: Path) -> None:
    (quoted,) = PAGE.code("text")
    broken = EXAMPLE.replace("self.out(mixed.reshape(x.shape))", "self.out(mixed.reshape(x.shape))[:, ::2]")
    assert broken != EXAMPLE
    (here / "my_mixers.py").write_text(broken)
    spec = MixerSpec("my_mixers:Triangle", settings({"heads": 4}))
    with pytest.raises(AttnsearchError, match=re.escape(quoted.strip())):
        JaxBackend().cohorts([subject(spec, width=128).probe])


def test_the_page_on_verification_lists_every_check() -> None:
    _, table = Page("verify.md").text.split("| check |")
    rows = dict(re.findall(r"^\| ([\w -]+) \| (.*) \|$", table, re.MULTILINE))
    assert rows == {check.name: check.proves for check in CHECKS}


def test_there_is_something_of_each_kind_on_the_page() -> None:
    assert len(PAGE.commands) == 2
    assert len(PAGE.quoted) >= 4
