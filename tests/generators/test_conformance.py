"""Every generator that ships, alike: a new one is tried as soon as its task file is there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from helpers.conformance import CHECKS, Drawn, cases

from attnsearch.generators import GENERATORS
from attnsearch.spec.task_file import shipped_tasks

CASES = {
    f"{name}-{'-'.join(f'{knob}{value}' for knob, value in task.knobs)}": task
    for name, file in shipped_tasks().items()
    for task in cases(file)
}


@pytest.fixture(scope="module", params=CASES)
def drawn(request: pytest.FixtureRequest) -> Drawn:
    return Drawn.of(CASES[request.param], GENERATORS)


def test_every_generator_has_a_task_file() -> None:
    assert {task.generator for task in shipped_tasks().values()} == set(GENERATORS)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_generator_conforms(drawn: Drawn, check: Callable[[Drawn], None]) -> None:
    check(drawn)
