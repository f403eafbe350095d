"""The mixer of Mamba-2, from the transformers package."""

from __future__ import annotations

from torch import Tensor, nn

from attnsearch.spec.heads import equal_head_width
from attnsearch.training.torch.adapters.families import LONGEST_CHUNK, ONE_BLOCK, family


class Mamba2(nn.Module):
    """State space layer with scalar decay (arXiv:2405.21060), by `transformers`, as in a model's first block.

    num_heads:   heads, which share the inner features
    state_size:  numbers that each inner feature remembers
    expand:      inner features for each feature; at 1, the parameters are about as many as in attention
    """

    def __init__(
        self, width: int, context_length: int, num_heads: int = 4, state_size: int = 64, expand: int = 1
    ) -> None:
        super().__init__()
        models = family("mamba2")
        heads = {
            "num_heads": num_heads,
            "head_dim": equal_head_width(expand * width, num_heads),
            "n_groups": 1,
        }
        sizes = {"expand": expand, "state_size": state_size, "chunk_size": min(context_length, LONGEST_CHUNK)}
        config = models.Mamba2Config(hidden_size=width, **ONE_BLOCK, **heads, **sizes)
        self.layer = models.Mamba2Model(config).layers[0].mixer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)
