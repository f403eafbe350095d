"""Mixers in PyTorch that look ahead where 16 tokens in one layer show nothing."""

from __future__ import annotations

from typing import ClassVar
from weakref import WeakSet

import torch
from helpers.with_torch.faulty_mixers import Attention, Triangular
from torch import Tensor, nn
from torch.nn.functional import pad


class OwnChunk(nn.Module):
    """Linear attention in chunks of 16, whose carried state includes its own chunk."""

    def __init__(self, width: int, context_length: int) -> None:
        super().__init__()
        del context_length
        self.mixing = nn.Linear(width, 3 * width)

    def forward(self, x: Tensor) -> Tensor:
        (batch, length, width), chunk = x.shape, 16
        padded = pad(x, (0, 0, 0, -length % chunk)).reshape(batch, -1, chunk, width)
        query, key, value = self.mixing(padded).chunk(3, dim=-1)
        mixed = (query @ key.transpose(-1, -2)).tril() @ value
        if padded.shape[1] > 1:
            mixed = mixed + query @ (key.transpose(-1, -2) @ value).cumsum(dim=1)
        return mixed.reshape(batch, -1, width)[:, :length] / length


class OddLengths(Triangular):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + (x.roll(1, dims=1) if x.shape[1] % 2 else 0)


class SecondLayer(Triangular):
    """A layer that is made while another is there looks ahead."""

    there: ClassVar[WeakSet[nn.Module]] = WeakSet()

    def __init__(self, width: int, context_length: int) -> None:
        super().__init__(width, context_length)
        self.first = not self.there
        self.there.add(self)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if self.first else self.out(self.mixing @ x)


class UnmaskedBias(Attention):
    """The bias takes the place of the mask."""

    def biased(self, x: Tensor, bias: Tensor) -> Tensor:
        return self.layer(x, x, x, attn_mask=self._over_heads(bias), need_weights=False)[0]

    def biased_weights(self, x: Tensor, positions: Tensor, bias: Tensor) -> Tensor:
        every = self.layer(x, x, x, attn_mask=self._over_heads(bias), average_attn_weights=False)[1]
        return every[:, :, positions]

    def _over_heads(self, bias: Tensor) -> Tensor:
        return torch.repeat_interleave(bias, self.layer.num_heads, dim=0)


LEAKS: tuple[tuple[type[nn.Module], str, str], ...] = (
    (OwnChunk, "causality when perturbed", "with 4 layers and 21 tokens, logits at "),
    (OddLengths, "causality when perturbed", "with 4 layers and 21 tokens, logits at "),
    (SecondLayer, "causality when perturbed", "with 4 layers and 21 tokens, logits at "),
    (UnmaskedBias, "causality when perturbed", "replaced, with a bias on the attention logits"),
    (UnmaskedBias, "attention weights", "lies on a later position, on 16 tokens, with a bias"),
)
"""Which check is to catch which, and some of its words."""
