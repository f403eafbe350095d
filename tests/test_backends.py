"""The backends as one, where torch is not installed."""

from __future__ import annotations

import sys

import pytest
from helpers.terminal import attnsearch

from attnsearch.backends import Backends, specify
from attnsearch.base import AttnsearchError


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """To import torch fails, whether it is installed or not."""
    monkeypatch.setitem(sys.modules, "torch", None)


@pytest.mark.usefixtures("without_torch")
def test_a_mixer_in_pytorch_names_the_extra() -> None:
    with pytest.raises(AttnsearchError, match=r"mixers that are called torch:... need PyTorch: pip install"):
        specify(["linear_map"], ["torch:attention"], {})
    done = attnsearch("run", "--task", "linear_map", "--mixer", "torch:mine:Mine")
    assert done.status == 2
    assert done.err.count("\n") == 1
    assert "attnsearch[torch]" in done.err


@pytest.mark.usefixtures("without_torch")
def test_the_list_of_mixers_needs_no_torch() -> None:
    done = attnsearch("mixers")
    assert done.status == 0
    lines = done.out.splitlines()
    assert lines[-8].startswith("torch:attention ")
    assert "num_heads=16, head_width=derived" in lines[-8]


def test_stored_data_name_no_module_of_ones_own() -> None:
    Backends().require_named("torch:attention")
    with pytest.raises(AttnsearchError, match="is a module that stored data names"):
        Backends().require_named("torch:mine:Mine")
