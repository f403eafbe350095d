"""A causal MLP-Mixer in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear

from attnsearch.base import AttnsearchError


class MLPMixer(nn.Module):
    """Causal two-layer MLP over the positions, shared by all features (arXiv:2105.01601, section 2).

    Each position owns `expansion` hidden units. The units of position i read positions 0 ... i, and output
    t reads the units of positions 0 ... t, as in the mixer of this name in jax.

    expansion:  hidden units per position, e
    """

    seen: Tensor

    def __init__(self, width: int, context_length: int, expansion: int = 4) -> None:
        super().__init__()
        del width  # the same MLP serves every feature
        if expansion < 1:
            raise AttnsearchError(f"expansion {expansion} must be at least 1")
        length = context_length
        visible = torch.arange(1, length + 1, dtype=torch.float32)[:, None, None]
        # Scaled by the inputs each unit really has, so that early and late positions start alike.
        self.inward = nn.Parameter(torch.randn(length, expansion, length) / visible.sqrt())
        self.inward_bias = nn.Parameter(torch.zeros(length, expansion))
        self.outward = nn.Parameter(torch.randn(length, length, expansion) / (visible * expansion).sqrt())
        seen = torch.ones(length, length, dtype=torch.bool).tril()
        self.register_buffer("seen", seen, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        # Positions last: products of one large matrix are faster than one product for each sequence.
        inward = self.inward.where(self.seen[:, None, :], 0.0).flatten(0, 1)
        hidden = gelu(linear(x.transpose(1, 2), inward, self.inward_bias.flatten()), approximate="tanh")
        outward = self.outward.where(self.seen[:, :, None], 0.0).flatten(1)
        return linear(hidden, outward).transpose(1, 2)
