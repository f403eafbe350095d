"""The committed pages of tasks are what the script writes. Examples and sizes are drawn for one task."""

from __future__ import annotations

import runpy

import pytest
from helpers.pages import DOCS

from attnsearch.spec.task_file import shipped_tasks

SCRIPT = runpy.run_path(str(DOCS.parent / "benchmarks" / "task_pages.py"))
TASKS = shipped_tasks()
REMEDY = "run benchmarks/task_pages.py"


def written(task: str) -> str:
    return (DOCS / "tasks" / f"{task}.md").read_text(encoding="utf-8")


def test_every_task_has_a_page() -> None:
    pages = {path.stem for path in (DOCS / "tasks").glob("*.md")}
    assert pages == {"README", *TASKS}, REMEDY
    assert written("README") == SCRIPT["index"](), REMEDY


@pytest.mark.parametrize("task", TASKS)
def test_a_page_says_what_the_task_file_and_the_generator_say(task: str) -> None:
    assert written(task).startswith(SCRIPT["stated"](TASKS[task]) + "\n\n## An example\n"), REMEDY


def test_a_page_is_what_the_script_writes() -> None:
    assert written("copy") == SCRIPT["page"](TASKS["copy"]), REMEDY
