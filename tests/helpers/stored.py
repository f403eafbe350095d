"""Runs that the tests of the store keep, and how they compare what comes back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from attnsearch.base import Curves, Heads, Maps, Truth
from attnsearch.runs.opened import Opener
from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec.run import (
    BudgetSpec,
    CellSpec,
    MixerSpec,
    NetworkSpec,
    OptimizerSpec,
    RunSpec,
    TaskSpec,
    settings,
)

ARCHIVES = ("truth.npz", "curves.npz", "maps.npz", "heads.npz")
FILES = ("run.json", *ARCHIVES)
PARAMETERS = {"norm.bias": np.arange(3, dtype=np.float32), "blocks.0.out": np.ones((2, 3), np.float32)}


def make_run(seed: int) -> StoredRun:
    """Runs differ in their seed and in all their numbers: R 3, Q 5, L 7, E 4, M 2, A 4."""
    random = np.random.default_rng(seed)
    cell = CellSpec(
        task=TaskSpec("carré", "linear_map", settings({"sparsity": 0.1, "s": 1.0, "isolated": True})),
        mixer=MixerSpec("attention", settings({"heads": 4, "bias": None, "rotary": False, "kind": "1"})),
        network=NetworkSpec(width=32),
        optimizer=OptimizerSpec(learning_rate=3e-4),
        budget=BudgetSpec(steps=40, early_stopping=False),
    )
    truth = Truth(
        attention_map=random.random((3, 7)) < 0.5,
        cheapest_route=random.random((3, 7)) < 0.5,
        query_positions=np.arange(5, dtype=np.int32),
        is_target=np.array([True, False, True, True, False]),
        replaceable=random.random(7) < 0.5,
        log2_search_space=random.random(3),
        nominal_log2_search_space=np.array(random.random()),
        chance_loss=np.array(random.random()),
        bayes_loss=random.random(3),
        state=np.array([1, 1, 2]),
        mapped=np.arange(3),
        probed=random.random(7) < 0.5,
    )
    curves = Curves(
        step=np.arange(10, 50, 10, dtype=np.int32),
        loss=random.random((4, 5), dtype=np.float32),
        accuracy=random.random((4, 5), dtype=np.float32),
    )
    maps = Maps(
        step=np.array([0, 40], np.int32),
        influence=random.random((2, 3, 7), dtype=np.float32),
        mass=random.random((2, 3), dtype=np.float32),
        later=np.array([0, 1e-6], np.float32),
    )
    environment = {
        "attnsearch": "0.1",
        "devices": ["cpu", "cpu"],
        "flags": {"x64": False},
        "tiny": 5e-324,
        "none": None,
    }
    heads = Heads(
        random.integers(0, 256, (2, 4, 3, 7), np.uint8),
        *(random.random((2, 4, 3), np.float32) for _ in range(2)),
    )
    return StoredRun(RunSpec(cell, seed, 7), "mastered", environment, truth, curves, maps, heads)


def unexpected(line: str) -> None:
    pytest.fail(f"reported as unreadable: {line}")


def names(store: Store) -> list[str]:
    return sorted(path.name for path in (store.root / "runs").iterdir())


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def assert_same(found: StoredRun | None, expected: StoredRun) -> None:
    assert found is not None
    assert found.spec == expected.spec
    assert found.spec.digest == expected.spec.digest
    assert found.status == expected.status
    assert found.environment == expected.environment
    assert found.measures.to_json(found.maps) == expected.measures.to_json(expected.maps)
    for ours, theirs in (
        (found.truth, expected.truth),
        (found.curves, expected.curves),
        (found.maps, expected.maps),
        (found.heads, expected.heads),
        (found.updates, expected.updates),
    ):
        assert type(ours) is type(theirs)
        for name, array in theirs._asdict().items():
            again = getattr(ours, name)
            assert (again.dtype, again.shape) == (array.dtype, array.shape), name
            assert again.tobytes() == array.tobytes(), name


def read_indexed(root: Path) -> list[StoredRun]:
    """The runs of a store, and an index of them is made."""
    return list(Store(root).runs(unexpected, Opener(worthwhile=1)))
