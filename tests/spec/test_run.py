"""A specification has one written form and one name, in whatever process and order it is written."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import pytest

from attnsearch.spec import run as specs
from attnsearch.spec.run import (
    BudgetSpec,
    InterventionSpec,
    MixerSpec,
    NetworkSpec,
    OptimizerSpec,
    PlateauRule,
    RunSpec,
    Value,
    settings,
)
from attnsearch.spec.task_file import shipped_tasks

# Stored runs are found by this name. Whoever changes it on purpose raises FORMAT_VERSION, and this line.
DIGEST = "18f0d31ab0c2c2808b076db2182c51e447a018d819b9257fbe316f9a912008fe"


@pytest.fixture
def spec(spec: RunSpec) -> RunSpec:
    """The one that has had this digest."""
    task = replace(spec.cell.task, knobs=settings({**dict(spec.cell.task.knobs), "support_size": 1}))
    return replace(spec, cell=replace(spec.cell, task=task))


def another(value: Value) -> Value:
    """A value of the same type, where it has one."""
    if value is None:
        return 1
    if isinstance(value, bool):
        return not value
    return f"{value}_" if isinstance(value, str) else value * 2 or value + 1


def changed_in_one_place(value: Any) -> Iterator[tuple[str, Any]]:
    """Copies of `value` that differ in one leaf, each with the path to it."""
    if value is None or isinstance(value, int | float | str):
        yield "", another(value)
    elif isinstance(value, tuple):
        for name, one in value:
            rest = {key: other for key, other in value if key != name}
            yield name, settings({**rest, name: another(one)})
            yield f"{name} renamed", settings({**rest, f"{name}_": one})
            yield f"{name} left out", settings(rest)
    else:
        for field in fields(value):
            for path, changed in changed_in_one_place(getattr(value, field.name)):
                yield f"{field.name}.{path}", replace(value, **{field.name: changed})


def reversed_keys(document: Any) -> Any:
    if isinstance(document, dict):
        return {key: reversed_keys(value) for key, value in reversed(document.items())}
    return document


def test_json_gives_an_equal_specification_back(spec: RunSpec) -> None:
    again = RunSpec.from_json(json.loads(json.dumps(spec.to_json(), allow_nan=False)))
    assert again == spec
    assert again.digest == spec.digest
    # Equality alone would let 1 pass for 1.0 and for True, which are written differently.
    assert repr(again) == repr(spec)


def test_every_leaf_survives_json(spec: RunSpec) -> None:
    for path, changed in changed_in_one_place(spec):
        assert RunSpec.from_json(changed.to_json()) == changed != spec, path


def test_settings_have_one_order() -> None:
    assert settings({"b": 1, "a": 2}) == settings({"a": 2, "b": 1}) == (("a", 2), ("b", 1))


def test_the_digest_is_what_it_has_always_been(spec: RunSpec) -> None:
    assert spec.digest == DIGEST


def test_the_digest_depends_neither_on_the_process_nor_on_the_order_of_keys(spec: RunSpec) -> None:
    code = (
        "import json, sys; from attnsearch.spec.run import RunSpec;"
        "print(RunSpec.from_json(json.load(sys.stdin)).digest)"
    )
    document = reversed_keys(spec.to_json())
    assert list(document) != list(spec.to_json())
    for hash_seed in "01":
        printed = subprocess.run(
            [sys.executable, "-c", code],
            input=json.dumps(document),
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert printed.strip() == spec.digest


def test_the_hash_of_a_cell_stays_in_its_process(spec: RunSpec) -> None:
    assert hash(spec.cell) == hash(replace(spec.cell))
    # Texts have other hashes in other processes, and what is sent there must be found among what is there.
    sent = pickle.dumps(spec.cell)
    assert sent == pickle.dumps(replace(spec.cell))
    assert pickle.loads(sent) == spec.cell
    assert {spec.cell: 1}[pickle.loads(sent)] == 1


def test_every_field_changes_the_digest_but_the_thresholds(spec: RunSpec) -> None:
    digests = {path: changed.digest for path, changed in changed_in_one_place(spec)}
    thresholds = {path for path in digests if path.startswith("cell.task.plateau.")}
    assert len(thresholds) == len(fields(PlateauRule))
    assert {digests.pop(path) for path in thresholds} == {spec.digest}
    # Two names of the task, one of the mixer, two seeds; three settings each of both, in three ways.
    others = sum(len(fields(kind)) for kind in (NetworkSpec, OptimizerSpec, BudgetSpec, InterventionSpec))
    assert len(digests) == others + 5 + 2 * 3 * 3
    assert len({spec.digest, *digests.values()}) == len(digests) + 1


def test_another_format_is_another_digest_and_is_not_read(
    spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, digest, version = spec.to_json(), spec.digest, specs.FORMAT_VERSION
    monkeypatch.setattr(specs, "FORMAT_VERSION", version + 1)
    assert spec.digest != digest
    with pytest.raises(ValueError, match=f"format version {version}, expected {version + 1}"):
        RunSpec.from_json(old)


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("seed", None, KeyError),
        ("task", None, KeyError),
        ("network", {"width": 1, "depth": 2}, TypeError),
        ("budget", 3, TypeError),
    ],
)
def test_what_is_no_specification_is_not_read(
    spec: RunSpec, key: str, value: object, error: type[Exception]
) -> None:
    document = {**spec.to_json(), key: value}
    if value is None:
        del document[key]
    with pytest.raises(error):
        RunSpec.from_json(document)


def test_flat_names_every_setting_once(spec: RunSpec) -> None:
    cell = spec.cell
    assert cell.flat() == {
        "task": "linear_map_autoregressive",
        "state_size": 2,
        "support_size": 1,
        "loss": "all",
        "mixer": "attention",
        "num_heads": 4,
        "head_width": None,
        "gated": False,
        "width": 32,
        "num_layers": 2,
        "mlp_width": 64,
        "positions": "learned",
        "learning_rate": 3e-4,
        "weight_decay": 0.02,
        "warmup_steps": 50,
        "steps": 80,
        "tokens_per_step": 256,
        "early_stopping": True,
        "map_bias": 0.0,
        "map_bias_layers": "all",
        "map_bias_steps": "all",
        "map_bias_placebo": False,
    }
    # None is hidden behind another: what is flat has as many entries as there are leaves.
    for task in shipped_tasks().values():
        parts = (cell.network, cell.optimizer, cell.budget, cell.intervention)
        knobs = task.resolve({})
        leaves = 2 + len(knobs.knobs) + sum(len(fields(part)) for part in parts)
        assert len(replace(cell, task=knobs, mixer=MixerSpec("bare", ())).flat()) == leaves


@pytest.mark.parametrize(
    ("named", "layers"),
    [("all", "1111"), ("0", "1000"), ("3", "0001"), ("0+2", "1010"), ("1:3", "0110"), ("0+2:4", "1011")],
)
def test_layers_are_named_one_by_one_or_as_ranges(named: str, layers: str) -> None:
    found = InterventionSpec(map_bias=1.0, map_bias_layers=named).layers(4)
    assert "".join(str(int(layer)) for layer in found) == layers


@pytest.mark.parametrize("named", ["4", "0+4", "2:5", "2:2"])
def test_layers_that_are_not_there_are_refused(named: str) -> None:
    with pytest.raises(ValueError, match="not among the layers, 0 to 3"):
        InterventionSpec(map_bias=1.0, map_bias_layers=named).layers(4)


def test_steps_are_all_of_a_run_or_between_two() -> None:
    assert InterventionSpec(map_bias=1.0).steps(100) == (0, 101)
    assert InterventionSpec(map_bias=1.0, map_bias_steps="20:50").steps(100) == (20, 50)
    # All there are: the network at the end is the one that was trained.
    for whole in ("0:100", "0:500"):
        assert InterventionSpec(map_bias=1.0, map_bias_steps=whole).steps(100) == (0, 101)
    for none in ("100:200", "30:30", "30:20"):
        with pytest.raises(ValueError, match="holds no step of a run's 100"):
            InterventionSpec(map_bias=1.0, map_bias_steps=none).steps(100)
