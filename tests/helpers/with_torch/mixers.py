"""The mixers in PyTorch that ship, by name, and noise for their parameters."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import torch
from torch import Tensor, nn

from attnsearch.training.torch.names import TORCH_MIXERS


def class_of(name: str) -> Callable[..., nn.Module]:
    module, _, kind = TORCH_MIXERS[name].partition(":")
    return getattr(import_module(module), kind)


def perturbed(mixer: nn.Module) -> nn.Module:
    """`mixer` with noise in every parameter, for at initialisation a leak may hide behind zeros."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator)
    return mixer


def inputs(batch: int, length: int, width: int, seed: int = 0) -> Tensor:
    return torch.randn(batch, length, width, generator=torch.Generator().manual_seed(seed))
