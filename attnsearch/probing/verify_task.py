"""Does a task do what it says? Runs the checks at a few sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from attnsearch.base import AttnsearchError
from attnsearch.generators import GENERATORS
from attnsearch.generators.base import Generator
from attnsearch.probing.check import Check
from attnsearch.probing.task import Drawn, forms
from attnsearch.probing.task_checks import CHECKS
from attnsearch.runs.verification import Finding
from attnsearch.spec.run import TaskSpec, Value
from attnsearch.spec.task_file import TaskFile


@dataclass(frozen=True)
class TaskVerification:
    """Every finding about a task.

    forms:  the sizes at which it was tried, by its defaults first
    """

    task: TaskFile
    forms: tuple[TaskSpec, ...]
    findings: tuple[Finding, ...]

    @property
    def refused_by(self) -> tuple[str, ...]:
        """The checks that were not passed."""
        return tuple(finding.check for finding in self.findings if finding.verdict != "passed")

    @property
    def passed(self) -> bool:
        """Whether every check was run, and passed."""
        return not self.refused_by

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "task": self.task.name,
            "generator": self.task.generator,
            "forms": [dict(form.knobs) for form in self.forms],
            "passed": self.passed,
            "checks": [asdict(finding) for finding in self.findings],
        }


def verify_task(
    task: TaskFile,
    given: Mapping[str, Value] = MappingProxyType({}),
    *,
    generators: Mapping[str, type[Generator]] = GENERATORS,
) -> TaskVerification:
    """Run every check on a task with the `given` knobs: the others at their default, smallest and larger.

    Errors: AttnsearchError for knobs that do not fit, and a generator that cannot be had with them. What is
    wrong with what it draws is a finding. A size that the generator refuses is not tried.
    """
    first, *others = forms(task, given)
    tried = {first: Drawn.of(first, generators, by_default=True)}
    for form in others:
        try:
            tried[form] = Drawn.of(form, generators)
        except AttnsearchError:
            continue
    return TaskVerification(task, tuple(tried), tuple(examine(tried)))


def examine(tried: Mapping[TaskSpec, Drawn], checks: Sequence[Check[Drawn]] = CHECKS) -> Iterator[Finding]:
    """What each of `checks` finds, in order: where one is not passed at a size, what was seen there."""
    built = True
    for check in checks:
        if not built:
            yield Finding(check.name, check.proves, "not run", "it cannot draw sequences")
            continue
        finding = _found(check, tried)
        built = check is not CHECKS[0] or finding.verdict == "passed"
        yield finding


def _found(check: Check[Drawn], tried: Mapping[TaskSpec, Drawn]) -> Finding:
    seen = []
    for form, drawn in tried.items():
        verdict, evidence = check.verdict(drawn)
        if verdict != "passed":
            knobs = ", ".join(f"{name}={value}" for name, value in form.knobs)
            return Finding(check.name, check.proves, verdict, f"{evidence} ({knobs})")
        seen.append(evidence)
    return Finding(check.name, check.proves, "passed", seen[0])
