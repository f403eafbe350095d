"""The suites that ship are found from anywhere, and are what they should be."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.complaint import message
from helpers.suite_files import cells, read, write

from attnsearch.spec.run import RunSpec
from attnsearch.spec.suite import SUITE_FOLDER, Suite, find_suite

if TYPE_CHECKING:
    from attnsearch.training.jax.backend import JaxBackend

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"

SHIPPED = {
    "smoke": (8, 8 * 8, 400),
    "sparsity": (2 * (8 + 16 + 17), 2 * (8 + 16 + 17) * 16, 10_000),
    "context": (6 + 5 + 6, (6 + 5 + 6) * 16, 10_000),
    "heads": (8 + 3 * 6, (8 + 3 * 6) * 16, 10_000),
    "automaton": (6 * 3, 6 * 3 * 8, 10_000),
    "automaton_published": (2, 2 * 8, 2_000),
    "automaton_recipe": (3 * 2 * 2, 3 * 2 * 2 * 2, 1_000),
    "early_signals": (2, 2 * 24, 2_000),
    "mixture": (4 + 3, (4 + 3) * 10, 4_000),
    "moving_window": (2, 2 * 16, 2_000),
    "mixers": (5 * 17 * 3, 5 * 17 * (3 * 2 + 8), 2_000),
    "mixers_automaton": (2 * 17 * 3, 2 * 17 * (3 * 2 + 8), 500),
    "mixers_recall": (3 * 6 * 3, 3 * 6 * (3 * 2 + 8), 2_000),
    "mixers_copying": (3 * 6 * 3, 3 * 6 * (3 * 2 + 8), 2_000),
    "mixers_depth": (2 * 6 * 3, 2 * 6 * (3 * 2 + 8), 2_000),
    "recall": (4 + 4, (4 + 4) * 8, 2_000),
    "single_location": (4 + 3, (4 + 3) * 16, 4_000),
}
"""Cells, the runs of a sweep, and the budget of each."""


def test_every_shipped_suite_is_expected_here() -> None:
    assert {path.stem for path in BENCHMARKS.glob("*.toml")} == set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_suite_is_what_its_readme_says(name: str, backend: JaxBackend) -> None:
    suite = Suite.read(BENCHMARKS / f"{name}.toml", backend.known_mixers)
    runs = suite.runs()
    swept = [*suite.selection(), *suite.scored(dict.fromkeys(suite.mixers, 1e-3))]
    swept = swept if suite.selection_seeds else runs
    expected, number, budget = SHIPPED[name]
    assert (suite.name, len(cells(runs)), len(swept)) == (name, expected, number)
    assert len({run.digest for run in swept}) == len(swept)
    assert all(run.seed == run.rule_seed for run in swept)
    assert f"| {expected:,} | {number:,} |" in _line(BENCHMARKS / "README.md", f"`{name}.toml`")
    assert suite.title
    assert re.search(r"arXiv:\d{4}\.\d{5}|docs/tasks\.md", suite.source)
    assert {run.cell.budget.steps for run in swept} == {budget}
    # Nothing in it is refused by a generator or a mixer: each is made once, whatever the support size.
    fewer = suite.reduced((0,), {"learning_rate": (1e-3,)}).runs()
    once: list[RunSpec] = []
    seen: set[object] = set()
    for run in fewer:
        cell = run.cell
        knobs = tuple(item for item in cell.task.knobs if item[0] != "support_size")
        parts = {(cell.task.name, knobs), (cell.mixer, cell.network)}
        if not parts <= seen:
            once.append(run)
        seen |= parts
    assert sum(len(cohort.specs) for cohort in backend.cohorts(once)) == len(once)


def _line(path: Path, words: str) -> str:
    (line,) = (
        line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith(f"| {words}")
    )
    return line


def test_the_example_of_the_readme_is_a_suite(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", (BENCHMARKS / "README.md").read_text(), flags=re.DOTALL)
    suite = read(write(tmp_path, example))
    assert len(suite.runs()) == (4 + 1) * 3 * 2 * 16
    assert len(suite.selection()) == (4 + 1) * 3 * 2 * 4


def test_every_shipped_suite_travels_in_the_wheel() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    carried = build["wheel"]["force-include"]
    for path in BENCHMARKS.glob("*.toml"):
        assert carried[f"benchmarks/{path.name}"] == f"attnsearch/suite_files/{path.name}"
        assert f"benchmarks/{path.name}" in build["sdist"]["only-include"]


def test_a_suite_is_found_by_its_path(tmp_path: Path) -> None:
    path = write(tmp_path)
    assert find_suite(str(path)) == path


def test_a_shipped_suite_is_found_by_its_name_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_suite("smoke") == SUITE_FOLDER / "smoke.toml"
    # A file of one's own is nearer.
    (tmp_path / "smoke").write_text("mine")
    assert find_suite("smoke") == Path("smoke")


def test_what_is_not_a_suite_is_answered_with_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = message(lambda: find_suite("smok"))
    assert text.startswith(
        "unknown suite 'smok'. Did you mean smoke? Known: automaton, automaton_published, "
    )
    assert text.endswith(" Or a path ending in .toml.")
    assert message(lambda: find_suite(str(tmp_path))).startswith(f"unknown suite '{tmp_path}'. Known: ")
    monkeypatch.chdir(ROOT)
    text = message(lambda: find_suite("benchmarks/smok.toml"))
    assert text.startswith("unknown suite 'benchmarks/smok.toml'. Did you mean benchmarks/smoke.toml")
