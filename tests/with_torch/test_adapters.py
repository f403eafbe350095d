"""Layers of the transformers package: quiet about kernels alone, and clear where they cannot be had."""

from __future__ import annotations

import logging
import sys
from typing import Any

import pytest
from helpers.with_torch.mixers import class_of, inputs

from attnsearch.base import AttnsearchError
from attnsearch.training.torch.adapters.families import FALLING_BACK, KERNELS, family


@pytest.mark.parametrize("name", ["mamba", "mamba2", "gated_deltanet", "rwkv", "xlstm"])
def test_a_missing_package_is_named_with_its_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [module for module in sys.modules if module.partition(".")[0] == "transformers"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(AttnsearchError, match=r"transformers package: pip install 'attnsearch\[adapters\]'"):
        class_of(name)(32, 7)


def test_only_what_is_said_of_kernels_is_silenced() -> None:
    from transformers.integrations import hub_kernels

    family("mamba")
    family("mamba2")
    logger = logging.getLogger(KERNELS)
    assert hub_kernels.logger is logger
    assert len(logger.filters) == 1
    said = (f"`causal_conv1d_fn` {FALLING_BACK} because it is not installed.", "Something else is wrong.")
    records = [logger.makeRecord(KERNELS, logging.WARNING, "", 0, text, (), None) for text in said]
    assert [bool(logger.filter(record)) for record in records] == [False, True]


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        (
            "mamba2",
            {"num_heads": 3},
            "width 32 does not divide by num_heads 3: use num_heads in 1, 2, .*32$",
        ),
        ("gated_deltanet", {"num_heads": 1}, "num_heads 1 must be even"),
        ("gated_deltanet", {"num_heads": 6}, "width 32 does not divide by num_heads 6"),
        ("xlstm", {"num_heads": 3}, "width 32 must divide by twice num_heads 3"),
    ],
)
def test_bad_settings_are_refused(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(AttnsearchError, match=message):
        class_of(name)(32, 7, **settings)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("gru", {"num_layers": 2}),
        ("mamba", {"state_size": 4, "expand": 2, "conv_kernel": 2}),
        ("mamba2", {"num_heads": 8, "state_size": 4, "expand": 2}),
        ("gated_deltanet", {"num_heads": 8}),
        ("xlstm", {"num_heads": 2}),
    ],
)
def test_settings_reach_the_layer(name: str, settings: dict[str, Any]) -> None:
    def shapes(mixer: Any) -> list[Any]:
        return [parameter.shape for parameter in mixer.parameters()]

    changed = class_of(name)(32, 7, **settings)
    assert shapes(changed) != shapes(class_of(name)(32, 7))
    assert changed(inputs(2, 7, 32)).shape == (2, 7, 32)
    for setting, value in settings.items():
        one = class_of(name)(32, 7, **{setting: value})
        assert shapes(one) != shapes(class_of(name)(32, 7)), setting
