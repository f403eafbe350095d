"""The sweep that tests of training disturb, as it ends when nothing disturbs it."""

import pytest
from helpers.sweeps import Undisturbed, stored, sweep

from attnsearch.backends import run
from attnsearch.runs.store import Store
from attnsearch.training.backend import TrainingSettings
from attnsearch.training.jax.backend import JaxBackend


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, backend: JaxBackend) -> Undisturbed:
    """Eight runs, in two lanes."""
    root = tmp_path_factory.mktemp("undisturbed")
    run(sweep(range(4)), Store.open(root), backend=backend, settings=TrainingSettings(lanes=2))
    return stored(root)
