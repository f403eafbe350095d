"""Every mixer in PyTorch that ships, alike: causal, without memory between calls, trainable throughout."""

from __future__ import annotations

import inspect

import pytest
import torch
from helpers.with_torch.mixers import class_of, inputs, perturbed
from torch import nn

from attnsearch.training.torch.names import TORCH_MIXERS

WIDTH = 16
LENGTHS = (7, 131)
"""Odd, so that no chunk is whole; the second is two chunks and a part of one, of those that take chunks."""


@pytest.fixture(scope="module", params=TORCH_MIXERS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module", params=LENGTHS)
def length(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture(scope="module")
def mixer(name: str, length: int) -> nn.Module:
    """With settings of its own where the width, far smaller than usual, does not suit the defaults."""
    torch.manual_seed(0)
    return perturbed(class_of(name)(WIDTH, length))


def test_every_parameter_beyond_the_first_two_is_a_setting(name: str) -> None:
    width, context_length, *settings = list(inspect.signature(class_of(name)).parameters.values())
    assert (width.name, context_length.name) == ("width", "context_length")
    assert all(setting.default is not inspect.Parameter.empty for setting in settings)


def test_shape_and_silence(mixer: nn.Module, length: int, capfd: pytest.CaptureFixture[str]) -> None:
    mixed = mixer(inputs(3, length, WIDTH))
    assert mixed.shape == (3, length, WIDTH)
    assert mixed.dtype == torch.float32
    assert mixed.isfinite().all()
    assert capfd.readouterr() == ("", "")


@torch.no_grad()
def test_no_output_before_a_token_moves_when_it_changes(mixer: nn.Module, length: int) -> None:
    before = mixer(inputs(2, length, WIDTH))
    for position in {0, 1, 62, 63, 64, 65, length // 2, length - 2, length - 1} & set(range(length)):
        x = inputs(2, length, WIDTH)
        x[0, position] = inputs(2, length, WIDTH, seed=9)[0, position]
        after = mixer(x)
        assert torch.equal(after[0, :position], before[0, :position])
        assert not torch.allclose(after[0, position], before[0, position]), "nothing reads this position"
        assert torch.equal(after[1], before[1]), "a sequence reads another"


@torch.no_grad()
def test_a_call_remembers_nothing(mixer: nn.Module, length: int) -> None:
    x = inputs(2, length, WIDTH)
    first = mixer(x)
    mixer(inputs(2, length, WIDTH, seed=5))
    assert torch.equal(mixer(x), first)
    torch.testing.assert_close(mixer(x[:1]), first[:1])


def test_every_parameter_gets_a_gradient(mixer: nn.Module, length: int) -> None:
    mixer.zero_grad(set_to_none=True)
    weights = inputs(3, length, WIDTH, seed=3)
    (mixer(inputs(3, length, WIDTH)) * weights).sum().backward()
    for path, parameter in mixer.named_parameters():
        assert parameter.grad is not None, path
        assert parameter.grad.isfinite().all(), path
        assert parameter.grad.abs().max() > 0, path


def test_every_earlier_token_can_be_read(name: str) -> None:
    x = inputs(1, LENGTHS[0], WIDTH).requires_grad_()
    perturbed(class_of(name)(WIDTH, LENGTHS[0]))(x)[:, -1].sum().backward()
    assert x.grad is not None
    assert (x.grad.abs().sum(-1) > 0).all()


def test_one_seed_one_mixer(name: str) -> None:
    def made(seed: int) -> list[torch.Tensor]:
        torch.manual_seed(seed)
        mixer = class_of(name)(WIDTH, LENGTHS[0])
        return [*mixer.parameters(), mixer(inputs(1, LENGTHS[0], WIDTH))]

    assert all(map(torch.equal, made(0), made(0)))
    assert not all(map(torch.equal, made(0), made(1)))


@pytest.mark.parametrize("width", [32, 128])
def test_defaults_suit_usual_widths(name: str, width: int) -> None:
    assert class_of(name)(width, 21)(inputs(2, 21, width)).shape == (2, 21, width)
