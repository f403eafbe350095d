"""docs/add-a-task.md does what it says: a class and a file are a task like any other."""

from __future__ import annotations

import shlex
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers.conformance import CHECKS, Drawn
from helpers.pages import Page, status_of

from attnsearch import Truth
from attnsearch.generators import GENERATORS, Generator
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
    show, run = PAGE.commands
    assert status_of([*show, "--no-plots"]) == 0
    out = capsys.readouterr().out
    assert "target 1, asked at position 5, is " in out
    assert "one of 4 supports it could have had (2.0 bits)" in out
    assert run[:3] == ["run", "--task", "lookup.toml"]
    assert status_of([*run[:3], *TINY, "--quiet", "--no-plots"]) == 0
    assert len(list((here / "results" / "runs").iterdir())) == 1


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_task_is_tried_as_those_that_ship(here: Path, check: Callable[[Drawn], None]) -> None:
    check(Drawn.of(TaskFile.read(here / "lookup.toml").resolve({"size": 5, "symbols": 3}), GENERATORS))


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
    info = here / "my_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines]))
    sys.path.insert(0, str(here))
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
