"""Built-in mixers ship with the records of their verification, and these fit the code that ships."""

from __future__ import annotations

import pytest

from attnsearch.backends import specify
from attnsearch.mixers import MIXERS
from attnsearch.runs.standing import standing
from attnsearch.runs.verification import SHIPPED, records
from attnsearch.spec.run import CellSpec
from attnsearch.spec.suite import Suite, find_suite, shipped_suites
from attnsearch.spec.task_file import shipped_tasks
from attnsearch.training.jax.backend import JaxBackend

BACKEND = JaxBackend()


def stands(cell: CellSpec) -> None:
    found = standing(cell, records(SHIPPED, cell.mixer.name))
    assert found.state == "verified", (
        f"{cell.mixer.name} {found.reason}. Make the records anew:"
        " .venv/bin/python benchmarks/verification.py"
    )


@pytest.mark.parametrize("task", shipped_tasks())
@pytest.mark.parametrize("mixer", MIXERS)
def test_every_built_in_mixer_is_verified_as_each_task_has_it(mixer: str, task: str) -> None:
    stands(specify([task], [mixer], {}, seeds=[0], backend=BACKEND)[0].cell)


@pytest.mark.parametrize("suite", shipped_suites())
def test_the_mixers_of_a_suite_are_verified(suite: str) -> None:
    for cell in dict.fromkeys(
        run.cell for run in Suite.read(find_suite(suite), BACKEND.known_mixers).planned()
    ):
        stands(cell)


def test_a_setting_that_nobody_checked_is_not_among_them() -> None:
    odd = {"num_heads": [2], "head_width": [7]}
    (run,) = specify(["linear_map"], ["attention"], odd, seeds=[0], backend=BACKEND)
    assert standing(run.cell, records(SHIPPED, "attention")).state == "not checked"
