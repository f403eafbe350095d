"""The gated recurrent unit of torch."""

from __future__ import annotations

from torch import Tensor, nn


class GRU(nn.Module):
    """Gated recurrent unit (arXiv:1406.1078), as in `torch.nn.GRU`; its state is as wide as the network.

    num_layers:  recurrent layers, one on the outputs of the other
    """

    def __init__(self, width: int, context_length: int, num_layers: int = 1) -> None:
        super().__init__()
        del context_length  # a recurrence serves any length
        self.layer = nn.GRU(width, width, num_layers, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)[0]
