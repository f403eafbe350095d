"""The parameters of a network in jax, for the same network in torch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from attnsearch.base import Floats


def copy_into(model: nn.Module, arrays: Mapping[str, Floats]) -> None:
    """Give `model` the parameters of its twin in jax, by their names there; none is left over."""
    left = {_renamed(name): _turned(name, array) for name, array in arrays.items()}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.tensor(np.array(left.pop(name))))
    assert not left


def _renamed(name: str) -> str:
    if name in ("tokens.embedding", "positions.embedding"):
        return name.removesuffix(".embedding")
    return name.replace("kernel", "weight").replace("scale", "weight")


def _turned(name: str, array: Floats) -> Floats:
    """The matrix of a linear layer is the other way round."""
    return array.T if name.endswith("kernel") else array
