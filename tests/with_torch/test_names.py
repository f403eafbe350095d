"""What is said of mixers in PyTorch without torch is what torch finds."""

from __future__ import annotations

import inspect

import pytest

from attnsearch.training.torch.mixer import default_settings, find
from attnsearch.training.torch.names import PREFIX, TORCH_MIXERS, described


@pytest.mark.parametrize("name", TORCH_MIXERS)
def test_a_mixer_is_described_as_it_is(name: str) -> None:
    kind, found = find(PREFIX + name), described(name)
    assert found.settings == default_settings(kind)
    assert " ".join((inspect.getdoc(kind) or "").split()).startswith(found.summary)
    assert found.summary.endswith(".")
