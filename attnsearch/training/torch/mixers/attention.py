"""Multi-head softmax attention in PyTorch."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot, scaled_dot_product_attention

from attnsearch.spec.heads import chosen_head_width
from attnsearch.spec.positions import NUM_BUCKETS, alibi_slopes, buckets, check_relative_positions, rotations
from attnsearch.training.torch.linear import Linear

NORM_EPSILON = 1e-6
"""As in flax."""


class Attention(nn.Module):
    """Causal multi-head softmax attention (arXiv:1706.03762, section 3.2).

    num_heads:            attention heads, H
    head_width:           features of each head's queries, keys and values; D / H unless given, and free to
                          differ from it
    relative_positions:   `none`; `rotary` (arXiv:2104.09864), `alibi` (arXiv:2108.12409), or `relative_bias`,
                          a learned number for each head and bucket of distances (arXiv:1910.10683)
    qk_norm:              whether the queries and keys of each head are normalised before their product
                          (arXiv:2302.05442, section 2, here by their root mean square), with learned gains
    learned_temperature:  whether each head divides its products by a learned number, which begins at 1 (the
                          factor of arXiv:2010.04245, section 3.2, one for each head)

    Errors: AttnsearchError for heads that do not fit the width, an unknown word, and rotary positions in
    heads of odd width.
    """

    def __init__(
        self,
        width: int,
        context_length: int,
        num_heads: int = 16,
        head_width: int | None = None,
        relative_positions: str = "none",
        qk_norm: bool = False,
        learned_temperature: bool = False,
    ) -> None:
        super().__init__()
        del context_length  # the same weights serve any length
        self.num_heads = num_heads
        self.head_width = chosen_head_width(width, num_heads, head_width)
        check_relative_positions(relative_positions, self.head_width)
        self.rotary, self.falls = relative_positions == "rotary", relative_positions == "alibi"
        inner = self.num_heads * self.head_width
        self.query = Linear(width, inner, bias=False)
        self.key = Linear(width, inner, bias=False)
        self.value = Linear(width, inner, bias=False)
        self.out = Linear(inner, width, bias=False)
        self.query_norm = nn.RMSNorm(self.head_width, NORM_EPSILON) if qk_norm else nn.Identity()
        self.key_norm = nn.RMSNorm(self.head_width, NORM_EPSILON) if qk_norm else nn.Identity()
        # Its logarithm, so that it stays positive, and weight decay draws it to 1.
        self.temperature = nn.Parameter(torch.zeros(num_heads)) if learned_temperature else None
        biased = relative_positions == "relative_bias"
        self.relative_bias = _RelativeBias(width, num_heads) if biased else None

    def forward(self, x: Tensor) -> Tensor:
        if (added := self._added(x)) is not None:
            mask = added + _hidden(x)
            return self._merged(scaled_dot_product_attention(*self._projected(x), attn_mask=mask))
        return self._merged(scaled_dot_product_attention(*self._projected(x), is_causal=True))

    def biased(self, x: Tensor, bias: Tensor) -> Tensor:
        """`f32[B, L, D]`: the output where `bias`, `f32[B, L, L]`, is added to the logits of every head."""
        mask = (bias + _hidden(x))[:, None]
        if (added := self._added(x)) is not None:
            mask = mask + added
        return self._merged(scaled_dot_product_attention(*self._projected(x), attn_mask=mask))

    def weights(self, x: Tensor, positions: Tensor) -> Tensor:
        """`f32[B, H, Q, L]`: what each head's query at `positions`, `i64[Q]`, gives every position."""
        return self._weights(x, positions, _hidden(x))

    def biased_weights(self, x: Tensor, positions: Tensor, bias: Tensor) -> Tensor:
        """`f32[B, H, Q, L]`: `weights` where `bias`, `f32[B, L, L]`, is added to the logits of every head."""
        return self._weights(x, positions, bias + _hidden(x))

    def _weights(self, x: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        query, key, _ = self._projected(x)
        # `f32[B or 1, H or 1, L, L]`
        mask = mask.unsqueeze(-3)
        if (added := self._added(x)) is not None:
            mask = mask + added
        logits = (query[:, :, positions] * self.head_width**-0.5) @ key.transpose(-1, -2)
        return torch.softmax(logits + mask[..., positions, :], dim=-1)

    def _projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each `f32[B, H, L, d]`."""
        query = self.query_norm(self._heads(self.query(x)))
        key = self.key_norm(self._heads(self.key(x)))
        if self.temperature is not None:
            query = query * torch.exp(-self.temperature)[:, None, None]
        if self.rotary:
            query, key = _rotated(query), _rotated(key)
        return query, key, self._heads(self.value(x))

    def _added(self, x: Tensor) -> Tensor | None:
        """What relative positions add to the logits, `f32[H, L, L]`; None where these add nothing."""
        if self.falls:
            return -x.new_tensor(alibi_slopes(self.num_heads))[:, None, None] * _distances(x)
        return None if self.relative_bias is None else self.relative_bias(_distances(x))

    def _heads(self, x: Tensor) -> Tensor:
        """`f32[B, T, H * d]` as `f32[B, H, T, d]`."""
        return x.unflatten(-1, (self.num_heads, self.head_width)).transpose(1, 2)

    def _merged(self, mixed: Tensor) -> Tensor:
        """`f32[B, L, D]`: the output of the heads' `f32[B, H, L, d]`."""
        return self.out(mixed.transpose(1, 2).flatten(2))


def _hidden(x: Tensor) -> Tensor:
    """`f32[L, L]`: 0 where a query sees a position, -inf elsewhere."""
    return x.new_full((x.shape[1], x.shape[1]), -torch.inf).triu(1)


class _RelativeBias(nn.Module):
    """As `attnsearch.mixers.positions.RelativeBias`."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.table = nn.Parameter(width**-0.5 * torch.randn(NUM_BUCKETS, num_heads))

    def forward(self, distances: Tensor) -> Tensor:
        """`f32[H, L, L]` of `i64[L, L]`."""
        of_each = torch.from_numpy(buckets(len(distances))).to(distances)[distances]
        # A product with one-hot rows, for the gradient of a look-up adds up in no fixed order on a GPU.
        return (one_hot(of_each, NUM_BUCKETS).to(self.table.dtype) @ self.table).permute(2, 0, 1)


def _rotated(x: Tensor) -> Tensor:
    """`x`, `f32[B, H, L, d]`, with each pair of features turned by its position's angle."""
    cosine, sine = map(x.new_tensor, rotations(np.arange(x.shape[-2]), x.shape[-1]))
    pairs = x.unflatten(-1, (-1, 2))
    turned = torch.stack([-pairs[..., 1], pairs[..., 0]], dim=-1).flatten(-2)
    return x * cosine + turned * sine


def _distances(x: Tensor) -> Tensor:
    """`i64[L, L]`: from each query back to each position; 0 for those after it."""
    places = torch.arange(x.shape[1], device=x.device)
    return (places[:, None] - places).clamp(min=0)
