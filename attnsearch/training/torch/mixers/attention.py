"""Multi-head softmax attention in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from attnsearch.spec.heads import chosen_head_width
from attnsearch.training.torch.linear import Linear


class Attention(nn.Module):
    """Causal multi-head softmax attention (arXiv:1706.03762, section 3.2).

    num_heads:   attention heads, H
    head_width:  features of each head's queries, keys and values; D / H unless given, and free to
                 differ from it
    """

    def __init__(
        self, width: int, context_length: int, num_heads: int = 16, head_width: int | None = None
    ) -> None:
        super().__init__()
        del context_length  # the same weights serve any length
        self.num_heads = num_heads
        self.head_width = chosen_head_width(width, num_heads, head_width)
        inner = self.num_heads * self.head_width
        self.query = Linear(width, inner, bias=False)
        self.key = Linear(width, inner, bias=False)
        self.value = Linear(width, inner, bias=False)
        self.out = Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self._merged(scaled_dot_product_attention(*self._projected(x), is_causal=True))

    def biased(self, x: Tensor, bias: Tensor) -> Tensor:
        """`f32[B, L, D]`: the output where `bias`, `f32[B, L, L]`, is added to the logits of every head."""
        mask = (bias + _hidden(x))[:, None]
        return self._merged(scaled_dot_product_attention(*self._projected(x), attn_mask=mask))

    def weights(self, x: Tensor, positions: Tensor) -> Tensor:
        """`f32[B, H, Q, L]`: what each head's query at `positions`, `i64[Q]`, gives every position."""
        return self._weights(x, positions, _hidden(x))

    def biased_weights(self, x: Tensor, positions: Tensor, bias: Tensor) -> Tensor:
        """`f32[B, H, Q, L]`: `weights` where `bias`, `f32[B, L, L]`, is added to the logits of every head."""
        return self._weights(x, positions, bias + _hidden(x))

    def _weights(self, x: Tensor, positions: Tensor, added: Tensor) -> Tensor:
        query = self._heads(self.query(x[:, positions])) * self.head_width**-0.5
        logits = query @ self._heads(self.key(x)).transpose(-1, -2)
        return torch.softmax(logits + added[..., positions, :].unsqueeze(-3), dim=-1)

    def _projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each `f32[B, H, L, d]`."""
        return self._heads(self.query(x)), self._heads(self.key(x)), self._heads(self.value(x))

    def _heads(self, x: Tensor) -> Tensor:
        """`f32[B, T, H * d]` as `f32[B, H, T, d]`."""
        return x.unflatten(-1, (self.num_heads, self.head_width)).transpose(1, 2)

    def _merged(self, mixed: Tensor) -> Tensor:
        """`f32[B, L, D]`: the output of the heads' `f32[B, H, L, d]`."""
        return self.out(mixed.transpose(1, 2).flatten(2))


def _hidden(x: Tensor) -> Tensor:
    """`f32[L, L]`: 0 where a query sees a position, -inf elsewhere."""
    return x.new_full((x.shape[1], x.shape[1]), -torch.inf).triu(1)
