"""`attnsearch verify --task`: does a task do what it says?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from attnsearch.cli.output import emit_json, say
from attnsearch.cli.status import DONE
from attnsearch.cli.verdicts import REFUSED, check_table

if TYPE_CHECKING:
    from attnsearch.probing.verify_task import TaskVerification
    from attnsearch.spec.run import Value
    from attnsearch.spec.task_file import TaskFile


def verify_task(task: TaskFile, knobs: Mapping[str, Value], *, as_json: bool) -> int:
    """Check the task with these `knobs`, and print what was found; the exit status."""
    from attnsearch.cli.console import console
    from attnsearch.probing.verify_task import verify_task
    from attnsearch.training.jax.devices import use_every_core

    use_every_core()
    found = verify_task(task, knobs)
    if as_json:
        emit_json(found.to_json())
    else:
        question = f"Does task {found.task.name} do what it says?"
        console(stderr=False).print(check_table(question, found.findings))
        say(conclusion(found))
    return DONE if found.passed else REFUSED


def conclusion(found: TaskVerification) -> str:
    """The answer in one line."""
    name, number, sizes = found.task.name, len(found.findings), len(found.forms)
    tried = f"at {sizes} sizes" if sizes > 1 else "at one size"
    if found.passed:
        return f"Yes: {name} passed all {number} checks {tried}"
    first = next(finding for finding in found.findings if finding.verdict != "passed")
    failed = len(found.refused_by)
    return f"No: {name} did not pass {failed} of {number} checks. {first.check}: {first.evidence}"
