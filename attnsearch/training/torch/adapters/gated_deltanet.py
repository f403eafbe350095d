"""Gated DeltaNet, from the transformers package."""

from __future__ import annotations

from torch import Tensor, nn

from attnsearch.base import AttnsearchError
from attnsearch.spec.heads import equal_head_width
from attnsearch.training.torch.adapters.families import LONGEST_CHUNK, ONE_BLOCK, family


class GatedDeltaNet(nn.Module):
    """Gated delta rule (arXiv:2412.06464), by `transformers`, as in the first block of Qwen3-Next.

    num_heads:  heads of the values, an even number; two of them share queries and keys, as in that model
    """

    def __init__(self, width: int, context_length: int, num_heads: int = 4) -> None:
        super().__init__()
        if num_heads % 2:
            raise AttnsearchError(f"num_heads {num_heads} must be even: two heads share queries and keys")
        self.chunk = min(context_length, LONGEST_CHUNK)
        features, models = equal_head_width(width, num_heads), family("qwen3_next")
        heads = {"linear_num_value_heads": num_heads, "linear_num_key_heads": num_heads // 2}
        sizes = {"linear_value_head_dim": features, "linear_key_head_dim": features}
        # The model's own deviation, 0.02, is 1 / sqrt(D) at its width of 2,048.
        start = {"initializer_range": width**-0.5}
        block = {"layer_types": ["linear_attention"], "mlp_only_layers": [0], "intermediate_size": 1}
        config = models.Qwen3NextConfig(hidden_size=width, **ONE_BLOCK, **heads, **sizes, **block, **start)
        self.layer = models.Qwen3NextModel(config).layers[0].linear_attn

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x, chunk_size=self.chunk)
