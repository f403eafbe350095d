"""What several tests measure: one specification with no default left to chance, and one small truth."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from helpers.truths import whole

from attnsearch.base import Truth
from attnsearch.runs.store import Store
from attnsearch.spec.run import (
    BudgetSpec,
    CellSpec,
    InterventionSpec,
    MixerSpec,
    NetworkSpec,
    OptimizerSpec,
    PlateauRule,
    RunSpec,
    TaskSpec,
    settings,
)

if TYPE_CHECKING:
    from attnsearch.training.jax.backend import JaxBackend


# Tests compile the same tiny programs again and again, in this process and in others: all are kept. Said
# before any other conftest.py is loaded, for jax reads it when it is imported.
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(Path(__file__).parents[1] / ".pytest_cache" / "compilations")
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"

# Each of thousands of programs runs a few times on a few numbers, so that LLVM's best is not worth its time.
# With nothing compiled, tests that train take a third less time.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0".strip()

# Tracing a network makes objects by the million, and nearly all of them live on. To look for garbage among
# every 700 new ones took a tenth of its time and more.
gc.set_threshold(50_000, 20, 50)


@pytest.fixture(autouse=True, scope="session")
def one_device() -> None:
    """Commands that a test calls would give this process more devices, for whatever test comes next."""
    import jax

    jax.local_devices()


@pytest.fixture(scope="session")
def backend() -> JaxBackend:
    """One for all tests of a process that train: a program of one shape is compiled once."""
    from attnsearch.training.jax.backend import JaxBackend

    return JaxBackend()


@pytest.fixture(scope="module")
def one_backend(backend: JaxBackend) -> Iterator[None]:
    """Commands that a module calls train with the backend of its process, for tasks and mixers that ship.

    A name of one's own may mean other code in the next test, so that modules with such names go without.
    """
    from attnsearch.training.jax.backend import JaxBackend

    def found(*, generators: Any = None, mixers: Any = None) -> JaxBackend:
        ships = generators is None and mixers is None
        return backend if ships else JaxBackend(generators=generators, mixers=mixers)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("attnsearch.backends.JaxBackend", found)
        yield


@pytest.fixture
def spec() -> RunSpec:
    """Every field is written out, every kind of value occurs, and a budget of eight recorded points."""
    task = TaskSpec(
        name="linear_map_autoregressive",
        generator="linear_map_autoregressive",
        knobs=settings({"state_size": 2, "support_size": 2, "loss": "all"}),
        plateau=PlateauRule(escape=0.938, found=0.5, mastery=0.1),
    )
    cell = CellSpec(
        task=task,
        mixer=MixerSpec("attention", settings({"num_heads": 4, "head_width": None, "gated": False})),
        network=NetworkSpec(width=32, num_layers=2, mlp_width=64),
        optimizer=OptimizerSpec(learning_rate=3e-4, weight_decay=0.02, warmup_steps=50),
        budget=BudgetSpec(steps=80, tokens_per_step=256, early_stopping=True),
        intervention=InterventionSpec(),
    )
    return RunSpec(cell, seed=5, rule_seed=7)


@pytest.fixture
def truth() -> Truth:
    """Two inputs, then two targets, token by token: `x0 x1 t0 t1` with t0 = x0 + x1 and t1 = x0.

    The first query asks for x1, which nothing predicts. Chance is 1, so that losses are shares of it.
    """
    attention_map = np.array([[1, 1, 0, 0], [1, 0, 0, 0]], bool)
    return whole(
        attention_map=attention_map,
        query_positions=np.arange(3),
        is_target=np.array([False, True, True]),
        replaceable=np.ones(4, bool),
        log2_search_space=np.array([0.0, np.log2(3)]),
        nominal_log2_search_space=1.0,
        chance_loss=1.0,
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty one."""
    return Store.open(tmp_path / "results")
