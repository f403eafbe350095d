"""Every generator that ships, alike: a new one is tried as soon as its task file is there."""

from __future__ import annotations

import pytest

from attnsearch.generators import GENERATORS
from attnsearch.probing.check import Check
from attnsearch.probing.task import Drawn, forms
from attnsearch.probing.task_checks import CHECKS
from attnsearch.spec.task_file import shipped_tasks

# Two tasks of one generator have some forms in common.
FORMS = {(task.generator, task.knobs): task for file in shipped_tasks().values() for task in forms(file)[1:]}
CASES = {
    f"{task.name}-{'-'.join(f'{knob}{value}' for knob, value in task.knobs)}": task for task in FORMS.values()
}


@pytest.fixture(scope="module", params=CASES)
def drawn(request: pytest.FixtureRequest) -> Drawn:
    return Drawn.of(CASES[request.param], GENERATORS)


def test_every_generator_has_a_task_file() -> None:
    assert {task.generator for task in shipped_tasks().values()} == set(GENERATORS)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_a_generator_conforms(drawn: Drawn, check: Check[Drawn]) -> None:
    verdict, evidence = check.verdict(drawn)
    assert verdict == "passed", evidence
