"""docs/add-a-task.md does what it says: a class and a file are a task like any other."""

from __future__ import annotations

import json
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.own_modules import describe
from helpers.pages import Page, status_of

from attnsearch import Truth
from attnsearch.generators import GENERATORS, Generator
from attnsearch.probing.task import Drawn
from attnsearch.probing.task_checks import CHECKS
from attnsearch.spec import plugins
from attnsearch.spec.task_file import TaskFile

PAGE = Page("add-a-task.md")
GENERATOR, DOUBTFUL = PAGE.code("python")
TASK, ENTRY_POINT = PAGE.code("toml")
TINY = ["--size", "4", "--seeds", "1", "--steps", "10", "--tokens-per-step", "16"]
TINY += ["--width", "8", "--mlp-width", "8", "--num-heads", "2"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of whoever follows the page."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr("attnsearch.training.jax.devices.use_every_core", lambda: None)
    (tmp_path / "my_tasks.py").write_text(f"{GENERATOR}\n\n{DOUBTFUL}")
    (tmp_path / "lookup.toml").write_text(TASK)
    yield tmp_path
    sys.modules.pop("my_tasks", None)


def test_the_task_is_drawn_and_trained(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show, _, run = PAGE.commands
    assert status_of([*show, "--no-plots"]) == 0
    out = capsys.readouterr().out
    assert "target 1, asked at position 5, is " in out
    assert "one of 4 supports it could have had (2.0 bits)" in out
    assert run[:3] == ["run", "--task", "lookup.toml"]
    assert status_of([*run[:3], *TINY, "--quiet", "--no-plots"]) == 0
    assert len(list((here / "results" / "runs").iterdir())) == 1


def test_the_task_is_verified(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, command, _ = PAGE.commands
    assert status_of(command) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == f"Yes: lookup passed all {len(CHECKS)} checks at 3 sizes"


def test_a_shifted_support_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right = "jnp.arange(2 * self.size) == rule"
    assert right in GENERATOR
    (here / "my_tasks.py").write_text(GENERATOR.replace(right, "jnp.arange(2 * self.size) == 1 + rule"))
    assert status_of(["verify", "--task", "lookup.toml", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["task"], document["passed"], len(document["forms"])) == ("lookup", False, 3)
    verdicts = {check["check"]: check["verdict"] for check in document["checks"]}
    assert [name for name, verdict in verdicts.items() if verdict == "failed"] == [
        "map by substitution",
        "Bayes loss",
    ]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("0, self.symbols)", "0, 9)", "generator Lookup: sample drew the token "),
        ("return tokens[rule]", "return tokens", "the answers of sample are i32[16]: expected i32[8]"),
    ],
)
def test_what_would_train_on_nonsense_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, words: str
) -> None:
    assert old in GENERATOR
    (here / "my_tasks.py").write_text(GENERATOR.replace(old, new))
    assert status_of(["run", "--task", "lookup.toml"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_what_is_verified_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["verify"]) == 2
    assert status_of(["verify", "--task", "lookup.toml", "--width", "8"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first == "attnsearch: verify what? Give a mixer, or --task for a task"
    assert "--mixer-set, --width, --max-layers and --max-context are of a mixer" in second


def test_the_page_lists_every_check() -> None:
    rows = dict(re.findall(r"^\| ([\w -]+) \| (.*) \|$", PAGE.text, re.MULTILINE))
    assert rows.items() >= {check.name: check.proves for check in CHECKS}.items()


def test_another_fact_is_one_line(here: Path) -> None:
    task = TaskFile.read(here / "lookup.toml").resolve({"size": 4})
    plain, doubtful = (
        Drawn.of(plugins_task, GENERATORS).truth
        for plugins_task in (task, task.__class__(task.name, "my_tasks:Doubtful", task.knobs))
    )
    assert isinstance(doubtful, Truth)
    assert plain.bayes_loss.tolist() == [0] * 4
    assert doubtful.bayes_loss.tolist() == [0.01] * 4


def test_the_entry_point_is_one(here: Path) -> None:
    ((group, points),) = tomllib.loads(ENTRY_POINT)["project"]["entry-points"].items()
    describe(here, group, points)
    assert plugins.find("lookup", GENERATORS, Generator).__name__ == "Lookup"


@pytest.mark.parametrize(("command", "expected"), PAGE.quoted, ids=[command for command, _ in PAGE.quoted])
def test_an_error_is_the_one_that_is_quoted(
    command: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(shlex.split(command)) == 2
    assert capsys.readouterr().err == expected + "\n"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("@dataclass(frozen=True)\n", "", "generator my_tasks:Lookup is not a dataclass: put @dataclass"),
        (
            "(frozen=True)",
            "",
            "generator my_tasks:Lookup cannot be made with size=8, symbols=4: TypeError: unhash",
        ),
        ("def supports(", "def support(", "TypeError: Can't instantiate abstract class Lookup"),
        ("    symbols: int\n", "", "generator my_tasks:Lookup has no knob 'symbols'."),
        (
            "symbols: int\n",
            "symbols: int\n    more: int\n",
            "knob 'more' of generator my_tasks:Lookup is missing",
        ),
    ],
)
def test_a_generator_that_cannot_be_made_says_why(
    here: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, message: str
) -> None:
    assert old in GENERATOR
    (here / "my_tasks.py").write_text(GENERATOR.replace(old, new))
    assert status_of(["run", "--task", "lookup.toml"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
