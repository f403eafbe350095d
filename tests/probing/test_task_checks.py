"""Every planted fault of a task is caught by the check that is there for it, and what is sound passes."""

from __future__ import annotations

import pytest
from helpers import faulty_tasks
from helpers.complaint import message
from helpers.faulty_tasks import FAULTS, OutsideVocabulary, Replaceable, Sound, TooManyAnswers, drawn

from attnsearch.generators.base import Generator
from attnsearch.probing.task_checks import CHECKS
from attnsearch.probing.verify_task import examine
from attnsearch.spec.run import TaskSpec, settings
from attnsearch.training.jax.backend import JaxBackend

BY_NAME = {check.name: check for check in CHECKS}


@pytest.mark.parametrize(("kind", "check", "words"), FAULTS, ids=[kind.__name__ for kind, *_ in FAULTS])
def test_a_fault_is_caught_by_name(kind: type[Generator], check: str, words: str) -> None:
    verdict, evidence = BY_NAME[check].verdict(drawn(kind))
    assert verdict == "failed"
    assert words in evidence
    assert len(evidence.splitlines()) == 1


def test_every_check_has_its_fault() -> None:
    assert {check for _, check, _ in FAULTS} == set(BY_NAME)


@pytest.mark.parametrize("kind", [Sound, Replaceable])
def test_what_is_sound_passes(kind: type[Generator]) -> None:
    one = drawn(kind)
    for check in CHECKS:
        verdict, evidence = check.verdict(one)
        assert verdict == "passed", f"{check.name}: {evidence}"
        assert check.proves.endswith(".")


def test_what_cannot_be_drawn_is_asked_nothing_else() -> None:
    task = TaskSpec("mine", "mine", settings({"size": 3}))
    first, *others = examine({task: drawn(TooManyAnswers)})
    assert first.verdict == "failed"
    assert first.evidence.endswith("(size=3)")
    assert {(one.verdict, one.evidence) for one in others} == {("not run", "it cannot draw sequences")}


@pytest.mark.parametrize("kind", [OutsideVocabulary, TooManyAnswers, faulty_tasks.Raising])
def test_nothing_is_trained_on_what_cannot_be_drawn(kind: type[Generator]) -> None:
    backend = JaxBackend(generators={"mine": kind})
    task = TaskSpec("mine", "mine", settings({"size": 3}))
    assert message(lambda: backend.generator(task)).startswith(f"generator {kind.__name__}")
