"""The plain loop beside which lanes are timed trains as they do."""

from __future__ import annotations

import pytest
from torch import Tensor
from torch.nn.functional import relu

from attnsearch.training.torch.worker import Here
from benchmarks import speed_torch

TINY = {
    "state_size": [4],
    "support_size": [2],
    "tokens_per_step": [64],
    "width": [32],
    "mlp_width": [48],
    "learning_rate": [0.01],
    "warmup_steps": [4],
}


MIXERS = ["torch:attention", "torch:mlp_mixer"]


@pytest.mark.parametrize("mixer", MIXERS)
def test_the_plain_loop_and_the_lanes_train_the_same(mixer: str) -> None:
    speed_torch.proven(speed_torch.cohort(mixer, TINY, 1), Here())


@pytest.mark.parametrize("mixer", MIXERS)
def test_a_plain_loop_that_trains_otherwise_is_refused(mixer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def other(x: Tensor, approximate: str) -> Tensor:
        del approximate
        return relu(x)

    monkeypatch.setattr(speed_torch, "gelu", other)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        speed_torch.proven(speed_torch.cohort(mixer, TINY, 1), Here())
