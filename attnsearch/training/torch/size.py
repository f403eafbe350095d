"""How large a network is: its parameters, and the operations that torch counts."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from attnsearch.training.backend import Size
from attnsearch.training.torch.network import TorchNetwork


def size(network: TorchNetwork, device: str) -> Size:
    """The size of the whole network. Products of matrices alone are counted as operations."""
    model = network.build(0)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model(torch.zeros(1, network.context_length, dtype=torch.long))
    flops = counter.get_total_flops()
    return Size(parameters, flops / network.context_length if flops else None, device)
