"""What comes from data or from the user is only text on a screen: never markup, never a control sequence."""

from __future__ import annotations

import ast
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from helpers.hand_made import renamed, run_of, spec_of
from helpers.terminal import attnsearch
from rich.table import Table
from rich.text import Text

import attnsearch as package
from attnsearch.base import plain
from attnsearch.cli.console import Screen
from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec.run import RunSpec

HOSTILE = "a[/b] [link=http://x]y[/link] \x1b]0;owned\x07\u202e"
OBEYED = frozenset("\x1b\x07\u202e")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a hostile name that holds runs of a task and a mixer with hostile names."""
    store = Store.open(tmp_path_factory.mktemp("stored") / f"r[/b]{HOSTILE[-1]}")
    for size, seed in ((size, seed) for size in (1, 2) for seed in range(3)):
        found = [30 * size + 10 * seed + 10 * target for target in range(4)]
        store.save(renamed(run_of(spec_of(seed=seed, support_size=size), found), HOSTILE, HOSTILE))
    return store.root


@pytest.mark.parametrize(
    "arguments",
    [
        ["results"],
        ["results", "--format", "csv"],
        ["results", "--format", "json"],
        ["law"],
        ["law", "--json"],
        ["leaderboard"],
        ["leaderboard", "--format", "markdown"],
        ["leaderboard", "--format", "csv"],
        ["leaderboard", "--format", "json"],
        ["leaderboard", "--format", "html"],
        ["report", "-o", "page.html"],
        ["ablate"],
        ["submit"],
    ],
    ids=" ".join,
)
def test_names_of_stored_runs_are_only_text(
    arguments: list[str], results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command, *more = arguments
    done = attnsearch(command, str(results), *more)
    # Two of them refuse these runs, in one line that names them or the folder.
    assert done.status == (2 if command in ("ablate", "submit") else 0), done.err
    assert not OBEYED & set(done.out + done.err)
    assert "Traceback" not in done.err
    for page in tmp_path.glob("*.html"):
        assert not OBEYED & set(page.read_text(encoding="utf-8"))
    if arguments in (["results"], ["law"]):
        assert plain(HOSTILE) in done.out


@pytest.mark.parametrize("flags", [[], ["--json"]], ids=str)
def test_settings_are_only_text_once_runs_are_trained(
    flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "patterned.py").write_text(
        "from attnsearch.mixers import Mixer\n\n"
        "class Mine(Mixer):\n"
        "    def __init__(self, width, context_length, *, rngs, pattern: str = 'none'):\n"
        "        pass\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def trained(specs: Sequence[RunSpec], *others: object) -> list[StoredRun]:
        return [run_of(spec, [10, 20, 30, 40]) for spec in specs]

    monkeypatch.setattr("attnsearch.cli.train.run", trained)
    out = tmp_path / "o[/b]"
    done = attnsearch(
        *("run", "--task", "linear_map", "--state-size", "4", "--mixer", "patterned:Mine", "--no-plots"),
        *("--mixer-set", "pattern=[/a],[b]\x1b[1m", "--seeds", "2", "--out", str(out), *flags),
    )
    assert (done.status, done.err) == (0, "")
    assert not OBEYED & set(done.out)
    if flags:
        assert [cell["pattern"] for cell in json.loads(done.out)["cells"]] == ["[/a]", "[b]\x1b[1m"]
    else:
        assert "[/a]" in done.out
        assert r"[b]\x1b[1m" in done.out
        assert f"4 runs in {out}" in done.out
        assert done.out.endswith(f"  attnsearch report '{out}/'\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--task", HOSTILE],
        ["run", "--task", "linear_map", "--mixer", HOSTILE],
        ["run", "--task", "linear_map", f"--{HOSTILE}", "1"],
        ["run", "--task", "linear_map", "--loss", HOSTILE],
        ["sweep", HOSTILE],
        ["results", HOSTILE],
        ["check", "smoke", "--baseline", HOSTILE],
        [HOSTILE],
    ],
    ids=lambda arguments: f"{arguments[0][:5]}-{len(arguments)}",
)
def test_arguments_are_only_text_in_messages(arguments: list[str]) -> None:
    done = attnsearch(*arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert not OBEYED & set(done.err)


def test_a_task_file_is_only_text_in_the_help(tmp_path: Path) -> None:
    from attnsearch.spec.task_file import TASK_FOLDER

    text = (TASK_FOLDER / "linear_map.toml").read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    meaning = "cells of a state, S"
    assert meaning in text
    path.write_text(text.replace(meaning, r"cells \u001b[31m [/b] \u202e"), encoding="utf-8")
    done = attnsearch("run", "--task", str(path), "--help")
    assert done.status == 0
    assert not OBEYED & set(done.out)
    assert r"cells \x1b[31m [/b] \u202e" in " ".join(done.out.split())


@pytest.mark.parametrize("drawn", [HOSTILE, Text(HOSTILE), "table"], ids=["string", "text", "table"])
def test_a_screen_obeys_nothing_that_is_drawn_on_it(drawn: str | Text) -> None:
    made: str | Text | Table = drawn
    if drawn == "table":
        made = Table(HOSTILE, title=HOSTILE)
        made.add_row(HOSTILE)
    file = io.StringIO()
    Screen(file=file).print(made)
    text = file.getvalue()
    assert not OBEYED & set(text)
    assert text.count("a[/b] [link=http://x]y[/link] \\x1b]0;owned") == (3 if drawn == "table" else 1)


def test_only_two_modules_print() -> None:
    """A line that is printed elsewhere might be obeyed."""

    def printers(path: Path) -> Iterator[str]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name("print" | "Console")):
                    yield ast.unparse(node)
                case ast.Call(func=ast.Attribute(ast.Name("click"), "echo" | "secho")):
                    yield ast.unparse(node)
                case ast.Attribute(ast.Name("Text"), "from_markup") | ast.ImportFrom("rich.markup"):
                    yield ast.unparse(node)

    folder = Path(package.__file__).parent
    found = {str(path.relative_to(folder)) for path in folder.rglob("*.py") for _ in printers(path)}
    assert found == {"cli/output.py"}
