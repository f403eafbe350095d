"""docs/torch.md does what it says: its classes, its table of mixers, and what is said of their sizes."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
import torch
from helpers.pages import Page
from helpers.with_torch.mixers import class_of, inputs
from torch import nn

from attnsearch.training.torch.names import TORCH_MIXERS

PAGE = Page("torch.md")
LENGTH, WIDTH = 7, 16


@pytest.fixture(scope="module")
def classes() -> dict[str, Any]:
    (example,) = PAGE.code("python")
    found: dict[str, Any] = {}
    exec(compile(example, "docs/torch.md", "exec"), found)
    return found


def test_the_example_has_ten_lines() -> None:
    (example,) = PAGE.code("python")
    first = example[: example.index("class Recurrent")]
    lines = [line for line in first.splitlines() if line and not line.startswith(("import", "from"))]
    assert len(lines) <= 10


@torch.no_grad()
def seen_by(mixer: nn.Module) -> torch.Tensor:
    """`bool[L]`: whether an output moves when the token in the middle changes."""
    x = inputs(2, LENGTH, WIDTH)
    before = mixer(x)
    x[0, LENGTH // 2] = 0
    return (mixer(x)[0] != before[0]).any(dim=-1)


@pytest.mark.parametrize("name", ["CausalAttention", "Recurrent"])
def test_the_examples_are_causal(name: str, classes: dict[str, Any]) -> None:
    assert seen_by(classes[name](WIDTH, LENGTH)).tolist() == [False] * 3 + [True] * 4


def test_attention_that_is_not_told_to_be_causal_is_not(classes: dict[str, Any]) -> None:
    careless = classes["CausalAttention"](WIDTH, LENGTH)
    careless.forward = lambda x: careless.attention(x, x, x, need_weights=False)[0]
    assert seen_by(careless).all()


def test_the_table_has_every_mixer_and_setting() -> None:
    rows = dict(re.findall(r"^\| `torch:(\w+)` \| .* \| (.*)\|$", PAGE.text, re.MULTILINE))
    assert rows.keys() == TORCH_MIXERS.keys()
    for name, listed in rows.items():
        settings = list(inspect.signature(class_of(name)).parameters.values())[2:]
        due = [f"{one.name}={'D/num_heads' if one.default is None else one.default}" for one in settings]
        assert listed.strip() == ", ".join(due)


@pytest.mark.parametrize("name", TORCH_MIXERS)
def test_sizes_are_as_said(name: str) -> None:
    width = 128
    size = sum(parameter.numel() for parameter in class_of(name)(width, 16).parameters()) / width**2
    due = {"gru": 6.0, "mlp_mixer": 0.0}.get(name, 4.0)
    assert size == pytest.approx(due, rel=0.15, abs=0.2)


def test_every_wrapper_has_under_thirty_lines() -> None:
    for name, where in TORCH_MIXERS.items():
        if ".adapters." in where:
            assert len(inspect.getsourcelines(class_of(name))[0]) < 30, name
